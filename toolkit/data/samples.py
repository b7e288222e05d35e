"""Data sets by name with a number of rows, `file.jsonl#200`, and rows that are held out. Reads only names.

A sample is the same for the same seed, in the file's order.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from toolkit.core.errors import ConfigError
from toolkit.data.containers.stored_rows import chosen
from toolkit.data.dataset import Dataset, Row, places, prompt_key
from toolkit.data.records import Remark


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set: a file or a hub data set, and how many of its rows to take (None: all)."""

    name: str
    count: int | None


def parse_source(spec: str) -> Source:
    """Parses `file.jsonl#200` or `owner/name#500`; the count is optional. Raises ConfigError.

    A file whose name has a # is meant where it exists.
    """
    name, mark, count = spec.rpartition("#")
    if not mark or any(path.is_file() for path in places(spec)):
        name, mark, count = spec, "", ""
    if not name.strip() or (mark and not (count.isascii() and count.isdigit() and int(count))):
        raise ConfigError(
            f"The data set {spec!r} is not SOURCE or SOURCE#COUNT.", next="Write, say, general.jsonl#200."
        )
    return Source(name=name, count=int(count) if mark else None)


def sample(dataset: Dataset, count: int | None, seed: int) -> Dataset:
    """With `count` different rows in the file's order, the same for the same seed; with all if there are no more."""
    total = len(dataset.rows)
    if count is None:
        return dataset
    if count >= total:
        one = Remark(f"It has 1 row, fewer than the {count} asked for: it is taken.")
        few = one if total == 1 else Remark(f"It has {total} rows, fewer than the {count} asked for: all are taken.")
        return replace(dataset, notes=(*dataset.notes, *([few] if count > total else [])))
    at = sorted(random.Random(seed).sample(range(total), count))  # noqa: S311  # a repeatable choice, not a secret
    one = Remark(f"1 of {total} rows is taken, by the seed {seed}.")
    taken = one if count == 1 else Remark(f"{count} of {total} rows are taken, by the seed {seed}.")
    return replace(
        dataset,
        rows=chosen(dataset.rows, at),
        sampled_from=total,
        notes=(*dataset.notes, taken),
    )


def unseen(rows: Sequence[Row], trained: Iterable[Row]) -> list[Row]:
    """Those rows whose question, with what was said before it, is in none of the trained ones, whatever the system."""
    questions = [_question(row) for row in rows]
    known = {*questions}.intersection(map(_question, trained))
    return [row for row, question in zip(rows, questions, strict=True) if question not in known]


def _question(row: Row) -> tuple[str, ...]:
    return tuple(prompt_key(one.content) for one in row.messages[:-1] if one.role != "system")
