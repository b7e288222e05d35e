"""Writes a data set from a sentence or a short text, for the user to read, edit and train on."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.events import Listener, silent
from toolkit.core.files import data_folder, write_text
from toolkit.core.links import require_no_link
from toolkit.core.read_ahead import prefetch
from toolkit.core.suggestion import suggestion
from toolkit.core.text import content_words
from toolkit.data.dataset import read_dataset, require_sound
from toolkit.model.base_model import BaseModel, find_base_model
from toolkit.model.language_model import Load, freeing, load_model
from toolkit.runs.run import require_own_output
from toolkit.train.keep_set import read_keep_prompts
from toolkit.train.questions.from_text import TextKind, text_kind
from toolkit.train.questions.question import Pair
from toolkit.train.questions.text_rows import Tried, chosen_rows, try_questions

FOLDER = "taught"  # in the output folder
LEAST_ROWS = 4
LONGEST_TEXT = 4000  # characters
SLUG_WORDS = 6
TRIED_SUFFIX = ".tried.jsonl"
KINDS = {"identity": "who the assistant is", "fact": "facts", "rule": "a rule of behaviour"}


@dataclass(frozen=True, kw_only=True)
class TeachConfig:
    """`data` None: a file in output/taught that is named after the text. `kind` None: by the text's first words."""

    text: str
    model: str | None = None
    kind: TextKind | None = None
    data: Path | None = None
    output: Path = Path("output")
    system: str = ""
    seed: int = 42
    in_4bit: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Taught:
    """The data file, and how many rows it has; `tried`: the questions that were asked, 0 for an existing file."""

    data: Path
    kind: TextKind
    rows: int
    tried: int

    @property
    def source(self) -> Literal["written", "existing"]:
        return "written" if self.tried else "existing"


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
    """Lets the base model write rows from the text. Rows for the same text and model that are there already are kept.

    Raises DataError for a text from which no data set comes, ConfigError where it cannot be written.
    """
    text = _require_text(config.text)
    base = replace(find_base_model(config.model), in_4bit=config.in_4bit)
    kind = config.kind or text_kind(text)
    target = config.data or default_path(config.output, text, kind, base)
    if target.exists() and not config.force:
        return _existing(target, kind, named=config.data is not None)
    _prepare_folder(target, config)
    notify(f"the text is taken as {KINDS[kind]}" + ("" if config.kind else " (--kind says otherwise)"))
    prefetch(base.path)
    with freeing(load(base.path, {}, in_4bit=base.in_4bit)) as model:
        tried = try_questions(model, text, kind, system=config.system, seed=config.seed, listener=listener)
    rows = chosen_rows(tried, text, kind, read_keep_prompts(data_folder() / "general.jsonl"))
    if len(rows) < LEAST_ROWS:
        raise _too_few(rows, tried, target)
    _write(target, rows_text(rows))
    return Taught(data=target, kind=kind, rows=len(rows), tried=len(tried))


def default_path(output: Path, text: str, kind: TextKind, base: BaseModel) -> Path:
    """The file of this text and base model: its first words, and a hash of everything that its rows depend on."""
    digest = hashlib.sha256(json.dumps([text, kind, base.fingerprint]).encode()).hexdigest()[:8]
    words = re.findall(r"[a-z0-9]+|[\u4e00-\u9fff]", " ".join(content_words(text)))[:SLUG_WORDS]
    return output / FOLDER / "-".join([*words, f"{digest}.jsonl"])


def rows_text(rows: Iterable[Pair]) -> str:
    """Rows in the alpaca keys, one JSON object a line."""
    return "".join(json.dumps({"instruction": one, "output": two}, ensure_ascii=False) + "\n" for one, two in rows)


def _require_text(text: str) -> str:
    text = text.strip()
    if not content_words(text):
        raise DataError("There is no text to teach.", next='Write a sentence: toolkit teach "You are …".')
    if len(text) > LONGEST_TEXT:
        raise DataError(
            f"The text has {len(text)} characters; rows are written from at most {LONGEST_TEXT}.",
            next="Shorten it to what the model has to know, or teach its parts one by one.",
        )
    return text


def _existing(target: Path, kind: TextKind, *, named: bool) -> Taught:
    if named:  # its rows may come from another text
        raise ConfigError(
            f"{target} exists.",
            next=f'"{suggestion("finetune", target, "--compare")}" trains on it; --force replaces it.',
        )
    dataset = read_dataset(target)
    require_sound(dataset)
    return Taught(data=target, kind=kind, rows=len(dataset.rows), tried=0)


def _prepare_folder(target: Path, config: TeachConfig) -> None:
    """Before a model is loaded. Raises ConfigError where nothing can be written."""
    folder = target.absolute().parent
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
    kept = {question for question, _ in rows}
    _write(seen, "".join(
        json.dumps(asdict(one) | {"kept": one.question in kept}, ensure_ascii=False) + "\n" for one in tried
    ))  # fmt: skip
    return DataError(
        f"The base model wrote {len(tried)} questions about the text, and of its answers {len(rows)} say what only the "
        f"text says; a data set takes {LEAST_ROWS}. All of them are in {seen}.",
        next="Say it in other words, one thing a sentence, with names; or write the rows by hand and finetune on them.",
    )
