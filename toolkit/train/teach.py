"""Writes a data set from a sentence or a short text, for the user to read, edit and train on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.events import Listener, silent
from toolkit.core.files import data_folder, write_text
from toolkit.core.languages import language
from toolkit.core.links import require_no_link
from toolkit.core.read_ahead import prefetch
from toolkit.core.suggestion import suggestion
from toolkit.core.text import content_words
from toolkit.data.probes import OUT_OF_SCOPE, probes_beside, read_probes
from toolkit.data.row_checks import PLACEHOLDER
from toolkit.data.soundness import Reading, read_sound
from toolkit.data.texts.names import Pair
from toolkit.data.texts.placeholders import placeholders
from toolkit.data.texts.terms import common_units
from toolkit.model.base_model import BaseModel, find_base_model
from toolkit.model.language_model import LanguageModel, Load, freeing, load_model
from toolkit.runs.run import require_own_output
from toolkit.train.keep_set import read_keep_prompts
from toolkit.train.texts.from_text import TextKind
from toolkit.train.texts.rule_text import fixed_words, visible_check
from toolkit.train.texts.text_rows import Rows, Tried, enough_judged
from toolkit.train.texts.text_set import Part, file_words, probes_text, read_parts, write_set

FOLDER = "taught"  # in the output folder
LEAST_ROWS = 4
LONGEST_TEXT = 4000  # characters
SLUG_WORDS = 6
TRIED_SUFFIX = ".tried.jsonl"
BY_HAND = 'or write rows by hand, {"instruction": "…", "output": "…"} a line, and "toolkit finetune" them.'


@dataclass(frozen=True, kw_only=True)
class TeachConfig:
    """`data` None: a file in output/taught that is named after the text. `kind` None: by the words of each sentence."""

    text: str
    model: str | None = None
    kind: TextKind | None = None
    data: Path | None = None
    output: Path = Path("output")
    system: str = ""
    seed: int = 42
    in_4bit: bool = False
    reading: Reading = Reading()  # noqa: RUF009  # it is frozen
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Taught:
    """The data file and its probes, how many rows it has, and the kinds of the text's parts.

    `written`: how many of the rows a base model wrote, of `tried` questions. `for_every_answer`: the text changes how
    every request is answered, so that no answer can be kept.
    """

    data: Path
    probes: Path
    kinds: tuple[TextKind, ...]
    rows: int
    source: Literal["written", "existing"]
    written: int = 0
    tried: int = 0
    for_every_answer: bool = False


def read_text_file(path: Path) -> str:
    """The text of a user's file. Raises DataError."""
    try:
        return read_text(path)
    except OSError as error:
        raise DataError(f"No text {path}: {error.strerror}.", next="Name a text file with --file.") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise DataError(f"The text {path} cannot be read: {error}.", next="Save it as plain text in UTF-8.") from None


def teach(
    config: TeachConfig, *, listener: Listener = silent, notify: Callable[[str], None] = lambda _: None,
    load: Load = load_model,
) -> Taught:  # fmt: skip
    """Writes rows and probes from the text. Rows for the same text and model that are there already are kept.

    Raises DataError for a text from which no data set comes, ConfigError where it cannot be written.
    """
    text = _require_text(config.text, config.reading)
    base = replace(find_base_model(config.model), in_4bit=config.in_4bit)
    target = config.data or default_path(config.output, text, config.kind, base)
    exists = target.exists() and not config.force
    if exists and config.data is not None:  # its rows may come from another text
        raise ConfigError(
            f"{target} exists.",
            next=f'"{suggestion("finetune", target, "--compare")}" trains on it; --force replaces it.',
        )
    several = read_parts(text, config.kind, notify)
    if exists:
        return _existing(target, several, config, notify)
    if any(part.needs_model for part in several) and language(text) == "other":
        raise DataError(
            "The text is in neither English nor Chinese, and rows are written from these two only.",
            next="Write the text in one of them; " + BY_HAND,
        )
    _prepare_folder(target, config)
    outside = read_probes(data_folder() / "probes.yaml").group(OUT_OF_SCOPE)
    if any(part.needs_model for part in several):
        prefetch(base.path)
        with freeing(load(base.path, {}, in_4bit=base.in_4bit)) as model:
            writer = _rows(model, config, listener)
            _require_judge(writer, several, base)
            made = write_set(several, text, writer, outside)
    else:
        made = write_set(several, text, None, outside)
    if len(made.rows) < LEAST_ROWS:
        raise _too_few(made.rows, made.tried, target)
    _write(probes_beside(target), probes_text(made.probes))
    _write(target, rows_text(made.rows))
    return Taught(
        data=target, probes=probes_beside(target), kinds=tuple(part.kind for part in several), rows=len(made.rows),
        source="written", written=sum(not one.fault for one in made.tried), tried=len(made.tried),
        for_every_answer=any(part.for_every_answer for part in several),
    )  # fmt: skip


def default_path(output: Path, text: str, kind: TextKind | None, base: BaseModel) -> Path:
    """The file of this text and base model: its first words, and a hash of everything that its rows depend on."""
    digest = hashlib.sha256(json.dumps([text, kind, base.fingerprint]).encode()).hexdigest()[:8]
    return output / FOLDER / "-".join([*file_words(text, SLUG_WORDS), f"{digest}.jsonl"])


def rows_text(rows: Iterable[Pair]) -> str:
    """Rows in the alpaca keys, one JSON object a line."""
    return "".join(json.dumps({"instruction": one, "output": two}, ensure_ascii=False) + "\n" for one, two in rows)


def _require_text(text: str, reading: Reading) -> str:
    text = text.strip()
    if not content_words(text):
        raise DataError("There is no text to teach.", next='Write a sentence: toolkit teach "You are …".')
    if len(text) > LONGEST_TEXT:
        raise DataError(
            f"The text has {len(text)} characters; rows are written from at most {LONGEST_TEXT}.",
            next="Shorten it to what the model has to know, or teach its parts one by one.",
        )
    left = [one.text for one in placeholders([text]) if one.certain]
    if left and PLACEHOLDER not in reading.allow:  # said before a model writes rows that a training would refuse
        raise DataError(
            f"The text has the unreplaced placeholder {left[0]}.",
            next=f"Write the real text; --allow {PLACEHOLDER} teaches it as it is.",
        )
    return text


def _existing(target: Path, several: Sequence[Part], config: TeachConfig, notify: Callable[[str], None]) -> Taught:
    rows = read_sound(target, config.reading, system=config.system).rows
    probes = probes_beside(target)
    if probes.is_file() and target.stat().st_mtime > probes.stat().st_mtime + 1:
        notify(
            f"the rows have been edited since {probes} was written: edit it too, or delete it, and the probes are made "
            "from the rows"
        )
    return Taught(
        data=target, probes=probes, kinds=tuple(part.kind for part in several), rows=len(rows),
        source="existing", for_every_answer=any(part.for_every_answer for part in several),
    )  # fmt: skip


def _rows(model: LanguageModel, config: TeachConfig, listener: Listener) -> Rows:
    common = common_units(read_keep_prompts(data_folder() / "general.jsonl"))
    return Rows(model, system=config.system, seed=config.seed, common=common, listener=listener)


def _require_judge(writer: Rows, several: Sequence[Part], base: BaseModel) -> None:
    """Raises DataError for a rule that only a model can see followed, and a base model that does not see that."""
    rule = next(
        (one.rule for one in several if one.rule and not (fixed_words(one.rule) or visible_check(one.rule))), ""
    )
    if not rule:
        return
    right, count = writer.judges()
    if not enough_judged(right, count):
        raise DataError(
            f'"{rule}" is a rule whose answers this base model would have to write and judge, and {base.path.name} is '
            f"too weak for that: of {count} shipped pairs of replies it says for {right} which one follows a rule.",
            next="Teach it with a larger base model (--model), whose file of rows trains this one too; " + BY_HAND,
        )


def _prepare_folder(target: Path, config: TeachConfig) -> None:
    """Before a model is loaded. Raises ConfigError where nothing can be written."""
    folder = target.absolute().parent
    if not config.force and config.data is not None and probes_beside(target).exists():
        raise ConfigError(
            f"{probes_beside(target)} exists.", next="Name another file with --data, or give --force to replace it."
        )
    try:
        if config.data is None:
            require_own_output(config.output)
            require_no_link(folder)
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}.", next="Name another --output.") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder} cannot be written to.", next="Name another file with --data.")


def _write(path: Path, content: str) -> None:
    try:
        write_text(path, content)
    except OSError as error:
        raise ConfigError(
            f"The rows cannot be written to {path}: {error.strerror}.", next="Name another file with --data."
        ) from None


def _too_few(rows: Sequence[Pair], tried: Sequence[Tried], target: Path) -> DataError:
    """Writes what was tried beside the data file, for the user to see."""
    seen = target.with_name(target.name.removesuffix(target.suffix) + TRIED_SUFFIX)
    _write(seen, "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in tried))
    return DataError(
        f"Questions that the base model wrote about the text: {len(tried)}, of which {len(rows)} can make a row; a "
        f"data set takes {LEAST_ROWS}. {seen} has all of them, with what is wrong.",
        next="Say it in other words, one thing a sentence, with names; " + BY_HAND,
    )
