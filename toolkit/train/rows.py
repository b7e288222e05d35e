"""The rows that a run trains on: their variants, lengths and tokens, the held-out part, and the files they go to."""

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nlargest
from itertools import chain
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, DataError
from toolkit.core.events import Listener, silent
from toolkit.core.files import file_sha256, write_lines, write_text
from toolkit.core.links import copy_regular_file
from toolkit.data.containers.stored_rows import chosen
from toolkit.data.containers.stored_tokens import StoredTokens
from toolkit.data.dataset import Row, read_dataset
from toolkit.data.encoding import Encoded, Encoder
from toolkit.data.formats import Message
from toolkit.data.probes import probes_beside
from toolkit.model.conversation import NONE
from toolkit.runs.layout import (
    DEVELOPMENT_FILE,
    HELD_OUT_FILE,
    KEEP_FILE,
    LEFT_OUT_FILE,
    PROBES_FILE,
    QUESTIONS_FILE,
    TEST_FILE,
    THOUGHTS_FILE,
    TRAINED_FILE,
)
from toolkit.runs.record import RecordedData
from toolkit.train.ms_swift.encoder import encoded_parts
from toolkit.train.recipe import Recipe
from toolkit.train.sources import Loaded
from toolkit.train.texts.thoughts import rows_of_thinkers
from toolkit.train.variants import variant_overhead_tokens, with_variants, without_variants

SHOWN_ROWS = 5
UNSPLIT = "A single row cannot be split into training and evaluation."
SPLIT_REMEDY = "Leave out --eval-split, or add rows"


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """`held_out` rows are evaluated on and never trained on; none if the recipe has no eval_split.

    `tokens` are those of `with_variants(trained)`, `held_out_tokens` those of `without_variants(held_out)`, in their
    order, in a file where they are many; `own` are the trained rows of the data set itself, without those mixed in. All
    three are empty for rows that were read back from a run's folder.
    """

    trained: Sequence[Row]
    held_out: Sequence[Row] = ()
    tokens: Sequence[Encoded] = ()
    held_out_tokens: Sequence[Encoded] = ()
    own: Sequence[Row] = ()

    @property
    def every(self) -> Iterator[Row]:
        return chain(self.trained, self.held_out)


def as_trained(loaded: Loaded, own: int, recipe: Recipe, *, thinks: bool) -> tuple[int, Sequence[Row]]:
    """All rows as a base that `thinks` is trained on them, and how many of them are the data set's: the first `own`."""
    if not thinks:
        return own, loaded.rows
    first, others = (rows_of_thinkers(part, recipe.thinking) for part in (loaded.rows[:own], loaded.rows[own:]))
    return len(first), [*first, *others]


def rows_that_fit(
    rows: Sequence[Row], encoder: Encoder, recipe: Recipe, notify: Callable[[str], None], listener: Listener = silent,
    *, own: int | None = None, skip_bad: bool = False,
) -> tuple[RunRows, dict[str, Any]]:  # fmt: skip
    """The rows within the maximum length, with their tokens, and their figures for run.json.

    `own`: so many of them are the data set's own, the first ones; None: all. `skip_bad`: rows of which nothing is
    trained are dropped as those that are too long. Raises DataError if no row is left, and else if nothing of a row is
    trained.

    Each text is encoded once: the tokens that measure a row are trained on where the row is trained unchanged.
    """
    from toolkit.train.passes.order import pass_row_tokens  # late, as torch takes a second

    overhead = variant_overhead_tokens(encoder, recipe)
    limit = recipe.max_length_tokens - max(overhead)
    tokens = StoredTokens()
    for part in encoded_parts(encoder, rows, listener, partial(without_variants, recipe=recipe)):
        tokens.extend(part)
    lengths = tokens.lengths
    fitting = [at for at, length in enumerate(lengths) if length <= limit]
    too_long = [rows[at].number for at, length in enumerate(lengths) if length > limit]
    blank = [at for at in fitting if not tokens.trained[at]]
    if blank and (not skip_bad or len(blank) == len(fitting)):
        raise DataError(
            f"Nothing of row {rows[blank[0]].number} is trained on: the chat template leaves its answer out.",
            next='See it with "toolkit check", and delete the row.',
        )
    if blank:
        fitting = sorted({*fitting} - {*blank})
    if not fitting:
        raise DataError(
            f"Every row is longer than {limit} tokens (the shortest has {min(lengths)}).",
            next="Shorten the rows or raise --max-length.",
        )
    _warn_of(f"over {limit} tokens", too_long, notify)
    _warn_of("of which nothing would be trained", [rows[at].number for at in blank], notify)
    apart = held_out(len(fitting), recipe.eval_split, recipe.seed)
    trained = [at for number, at in enumerate(fitting) if number not in apart]
    evaluated = [at for number, at in enumerate(fitting) if number in apart]
    longest = nlargest(recipe.batch_size, (lengths[at] + max(overhead) for at in fitting))
    figures: dict[str, Any] = {
        "dropped": len(too_long) + len(blank),
        "held_out": len(apart),
        "longest_row_tokens": longest[0],
        "batch_tokens": sum(longest),
        "epoch_tokens": epoch_tokens([lengths[at] for at in trained], overhead, recipe),
    }
    if recipe.row_systems or recipe.row_wordings:
        plain = without_variants(rows, recipe)
        known = {(row.messages, row.tools): one for row, one in zip(plain, tokens, strict=True)}
        varied = with_variants([rows[at] for at in trained], recipe)
        trained_tokens: Sequence[Encoded] = _encoded(varied, encoder, known, listener)
        of_epoch: Sequence[int] = [len(one.input_ids) for one in trained_tokens]
    else:
        trained_tokens, of_epoch = tokens.chosen(trained), [lengths[at] for at in trained]
    epochs = math.ceil(recipe.epochs_trained(len(trained)))
    figures["pass_row_tokens"] = pass_row_tokens(of_epoch, recipe.batch_size, recipe.seed, epochs)
    fit = RunRows(
        trained=chosen(rows, trained),
        held_out=chosen(rows, evaluated),
        tokens=trained_tokens,
        held_out_tokens=tokens.chosen(evaluated),
        own=chosen(rows, [at for at in trained if own is None or at < own]),
    )
    return fit, figures


def _warn_of(what: str, numbers: Sequence[int], notify: Callable[[str], None]) -> None:
    if numbers:
        shown = ", ".join(map(str, numbers[:SHOWN_ROWS])) + (", …" if len(numbers) > SHOWN_ROWS else "")
        notify(
            f"Warning: 1 row {what} is left out (row {shown})."
            if len(numbers) == 1
            else f"Warning: {len(numbers)} rows {what} are left out (row {shown})."
        )


def epoch_tokens(lengths: Sequence[int], overhead: Sequence[int], recipe: Recipe) -> int:
    """The most tokens that an epoch trains on, of rows with these; `overhead`: see `variant_overhead_tokens`."""
    return sum(lengths) * recipe.variants + len(lengths) * sum(overhead)


def _encoded(
    rows: Sequence[Row],
    encoder: Encoder,
    known: Mapping[tuple[tuple[Message, ...], str], Encoded],
    listener: Listener,
) -> list[Encoded]:
    """The rows' tokens; `known`: tokens of messages and tools that were encoded before."""
    new = {(row.messages, row.tools): row for row in rows if (row.messages, row.tools) not in known}
    tokens = chain.from_iterable(encoded_parts(encoder, list(new.values()), listener))
    found = {**known, **dict(zip(new, tokens, strict=True))}
    return [found[row.messages, row.tools] for row in rows]


def own_system(rows: Sequence[Row]) -> tuple[str | None, int]:
    """The system prompt that most rows have themselves, None if most have none; and how many they are."""
    [(system, count)] = Counter(row.system for row in rows).most_common(1)
    return None if system is None else system or NONE, count


def held_out(count: int, share: float, seed: int) -> set[int]:
    """Indices of the held-out rows among `count`: at least one, and never all. Raises DataError."""
    if share == 0:
        return set()
    if count == 1:
        raise DataError(UNSPLIT, next=f"{SPLIT_REMEDY}.")
    size = min(max(1, round(count * share)), count - 1)
    return set(random.Random(seed).sample(range(count), size))  # noqa: S311  # a repeatable choice, not a secret


def write_rows(folder: Path, rows: RunRows, test: Sequence[Row] = ()) -> None:
    """`test`: rows that a comparison scores."""
    _write(folder / TRAINED_FILE, rows.trained)
    for name, further in ((HELD_OUT_FILE, rows.held_out), (TEST_FILE, test)):
        if further:
            _write(folder / name, further)


def write_left_out(folder: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Writes the rows with errors to the run's folder, if there are any, a JSON object a line."""
    if lines:
        text = "".join(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in lines)
        write_text(folder / LEFT_OUT_FILE, text.encode("utf-8", "backslashreplace").decode())


def file_digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file of rows, questions and keep prompts in the run's folder, for run.json."""
    names = (TRAINED_FILE, HELD_OUT_FILE, TEST_FILE, DEVELOPMENT_FILE, QUESTIONS_FILE, KEEP_FILE)
    return {name: file_sha256(folder / name) for name in names if (folder / name).is_file()}


def read_rows(folder: Path, record: RecordedData) -> RunRows:
    """As `write_rows` wrote them, without tokens. Raises DataError, and ConfigError if they are not those recorded."""
    found = file_digests(folder)
    for name, digest in record.files.items():
        if found.get(name) != digest:
            raise _changed(folder / name)
    trained, path = read_dataset(folder / TRAINED_FILE).rows, folder / HELD_OUT_FILE
    rows = RunRows(trained=trained, held_out=read_dataset(path).rows if path.is_file() else ())
    expected = record.rows + sum(mix.rows for mix in record.mix) - record.dropped
    if not record.files and len(rows.trained) + len(rows.held_out) != expected:  # a run of an older version
        raise _changed(folder / TRAINED_FILE)
    return rows


def _changed(path: Path) -> ConfigError:
    return ConfigError(f"{path} is not as the run wrote it.", next="Restore it, or start a new run.")


def _write(path: Path, rows: Sequence[Row]) -> None:
    line = json.JSONEncoder(ensure_ascii=False).encode
    write_lines(path, (f"{line(row.to_dict())}\n" for row in rows))


def copy_inputs(source: Path, folder: Path) -> None:
    """Copies everything that a training reads from a run's folder, `source`, into another run's."""
    for name in (TRAINED_FILE, HELD_OUT_FILE, TEST_FILE, DEVELOPMENT_FILE, QUESTIONS_FILE, KEEP_FILE, PROBES_FILE,
                 THOUGHTS_FILE):  # fmt: skip
        if (source / name).is_file():
            copy_regular_file(source / name, folder / name)


def copy_probes(data: Path, folder: Path) -> None:
    """Copies the data set's own probes into the run's folder: a comparison may run where the data set is not."""
    probes = probes_beside(data)
    if probes.is_file():
        copy_regular_file(probes.resolve(), folder / PROBES_FILE)
