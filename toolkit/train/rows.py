"""The rows a run trains on: variants, lengths, the held-out part, and the files that record them."""

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError
from toolkit.data.dataset import Row, read_dataset
from toolkit.data.encoding import Encoder
from toolkit.data.formats import Message
from toolkit.data.probes import probes_beside
from toolkit.data.rephrasings import TRAINING, rephrase
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.runs.layout import HELD_OUT_FILE, PROBES_FILE, TRAINED_FILE
from toolkit.train.recipe import Recipe

SHOWN_ROWS = 5
WORDINGS = max(map(len, TRAINING.values()))


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """`held_out` is evaluated on and never trained on; empty where the recipe has no eval_split."""

    trained: Sequence[Row]
    held_out: Sequence[Row] = ()

    @property
    def every(self) -> list[Row]:
        return [*self.trained, *self.held_out]


def rows_that_fit(
    rows: Sequence[Row], encoder: Encoder, recipe: Recipe, notify: Callable[[str], None]
) -> tuple[RunRows, dict[str, Any]]:
    """The rows that fit the maximum length, and what run.json says of them; what is left out is told."""
    more = variant_overhead_tokens(encoder, recipe)
    limit = recipe.max_length_tokens - max(more)
    lengths = [len(one.input_ids) for one in encoder.encode(rows, recipe.system or None)]
    kept = [at for at, length in enumerate(lengths) if length <= limit]
    dropped = [row.number for row, length in zip(rows, lengths, strict=True) if length > limit]
    if not kept:
        raise DataError(
            f"Every row is longer than {limit} tokens (the shortest has {min(lengths)}).",
            next="Shorten the rows or raise --max-length.",
        )
    if dropped:
        numbers = ", ".join(map(str, dropped[:SHOWN_ROWS])) + (", …" if len(dropped) > SHOWN_ROWS else "")
        notify(f"Warning: {len(dropped)} rows over {limit} tokens are left out (row {numbers}).")
    apart = held_out(len(kept), recipe.eval_split, recipe.seed)
    trained = [at for number, at in enumerate(kept) if number not in apart]
    longest = sorted((lengths[at] + max(more) for at in kept), reverse=True)
    told = {
        "dropped": len(dropped),
        "held_out": len(apart),
        "longest_row_tokens": longest[0],
        "batch_tokens": sum(longest[: recipe.batch_size]),
        "epoch_tokens": sum(lengths[at] * recipe.variants + sum(more) for at in trained),
    }
    evaluated = [rows[at] for number, at in enumerate(kept) if number in apart]
    return RunRows(trained=[rows[at] for at in trained], held_out=evaluated), told


def variant_overhead_tokens(encoder: Encoder, recipe: Recipe) -> list[int]:
    """By how many tokens a row may grow in each of its variants, in an epoch's order."""
    if not recipe.row_systems and not recipe.row_wordings:
        return [0]
    plain = [Row(number=1, messages=(Message(role="user", content=text), Message(role="assistant", content=text)))
             for text in ("你好", "Hello") for _ in range(WORDINGS)]  # fmt: skip
    lengths = [len(one.input_ids) for one in encoder.encode(with_variants(plain, recipe))]
    before = [len(one.input_ids) for one in encoder.encode(plain, recipe.system or None)]
    laps = [lengths[at : at + len(plain)] for at in range(0, len(lengths), len(plain))]
    return [max(0, *(now - then for now, then in zip(lap, before, strict=True))) for lap in laps]


def held_out(count: int, share: float, seed: int) -> set[int]:
    """Which of `count` rows are held out: at least one, and never all. Raises DataError."""
    if share == 0:
        return set()
    if count == 1:
        raise DataError("One row alone cannot be parted into training and evaluation.", next="Leave out --eval-split.")
    size = min(max(1, round(count * share)), count - 1)
    return set(random.Random(seed).sample(range(count), size))  # noqa: S311  # a choice to repeat, not a secret


def write_rows(folder: Path, rows: RunRows) -> None:
    _write(folder / TRAINED_FILE, rows.trained)
    if rows.held_out:
        _write(folder / HELD_OUT_FILE, rows.held_out)


def read_rows(folder: Path) -> RunRows:
    """As `write_rows` left them; raises DataError."""
    apart = folder / HELD_OUT_FILE
    return RunRows(
        trained=read_dataset(folder / TRAINED_FILE).rows, held_out=read_dataset(apart).rows if apart.is_file() else ()
    )


def _write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            messages = [{"role": message.role, "content": message.content} for message in row.messages]
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def copy_probes(data: Path, folder: Path) -> None:
    """A copy of the data set's own probes in the run's folder: a comparison may come when the data are elsewhere."""
    beside = probes_beside(data)
    if beside.is_file():
        shutil.copyfile(beside, folder / PROBES_FILE)


def with_variants(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Each row once under each of the recipe's system prompts; one that brings its own stays under that.

    A row without a system message stands for DEFAULT: the chat template then speaks its own.
    """
    systems = (recipe.system, *recipe.row_systems)
    return [
        _variant(row, system, lap + at if recipe.row_wordings else 0)
        for lap, system in enumerate(systems)
        for at, row in enumerate(rows)
    ]


def without_variants(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Each row once, under the recipe's own system prompt where it brings none."""
    return [_variant(row, recipe.system, 0) for row in rows]


def _variant(row: Row, system: str, number: int) -> Row:
    *before, asked, answer = row.messages
    if row.system is None and system != DEFAULT:
        before = [Message(role="system", content="" if system == NONE else system), *before]
    if row.of_one_turn:  # a later turn answers to words that stay
        asked = Message(role=asked.role, content=rephrase(TRAINING, asked.content, number))
    return Row(number=row.number, messages=(*before, asked, answer))
