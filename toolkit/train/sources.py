"""Where training rows come from: data files, `--mix` sources, hub data sets, keep prompts."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, DataError
from toolkit.core.events import Listener, silent
from toolkit.core.files import data_folder
from toolkit.data.dataset import DATA_SUFFIXES, Row, find_dataset, prompt_key
from toolkit.data.soundness import Reading, SoundRows, read_sound
from toolkit.train import ms_swift
from toolkit.train.keep_set import read_keep_prompts
from toolkit.train.recipe import Recipe, better_recipe

HUB_NAME = re.compile(r"(?P<hub>(?:HF|MS)::)?[A-Za-z0-9][\w.-]*/[\w.-]+(?::[\w./-]+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """`rows`: of the data set, then of its mixes. `source`: for run.json. `left_out`: see `SoundRows`."""

    rows: list[Row]
    source: dict[str, Any]
    left_out: list[dict[str, Any]]


def load_rows(
    data: str, mixes: Sequence[str], recipe: Recipe, reading: Reading, notify: Callable[[str], None],
    listener: Listener = silent,
) -> Loaded:  # fmt: skip
    """The rows of the data set and of its mixes, where they come from, and what was left out.

    Raises DataError, also for rows with errors unless `reading` says otherwise, and ConfigError.
    """
    own = _read(data, reading, recipe, notify, listener)
    rows, left_out, mixed = list(own.rows), own.left_out_lines(), []
    for spec in mixes:
        mix = parse_mix(spec)
        if is_hub(mix):
            more, digest = ms_swift.load_hub_rows(spec, seed=recipe.seed), None
        else:
            other = _read(mix.source, replace(reading, columns={}), recipe, notify, listener)
            more, digest = list(sample(other.rows, mix.count, recipe.seed)), other.dataset.sha256
            left_out += other.left_out_lines()
        if mix.count is not None and mix.count > len(more):
            notify(f"Warning: {mix.source} has {len(more)} rows, fewer than the {mix.count} asked for; all are taken.")
        mixed.append({"source": mix.source, "rows": len(more), "sha256": digest})
        rows += more
    if (why := better_recipe(recipe, len(rows))) is not None:
        notify(f"Note: {why}")
    source = {
        "path": str(own.dataset.path.resolve()), "sha256": own.dataset.sha256, "rows": len(own.rows), "mix": mixed,
        "left_out": len(left_out), "columns": dict(reading.columns), "allow": list(reading.allow),
    }  # fmt: skip
    return Loaded(rows=rows, source=source, left_out=left_out)


def _read(data: str, reading: Reading, recipe: Recipe, notify: Callable[[str], None], listener: Listener) -> SoundRows:
    found = read_sound(find_dataset(data), reading, system=recipe.system, listener=listener)
    if found.remarks:
        notify(f"Note: {found.dataset.path.name}: {' '.join(found.remarks)}")
    return found


def load_keep_prompts(name: str, rows: Sequence[Row]) -> tuple[Path, list[str]]:
    """The keep set's file and its prompts, except those that are trained on. Raises DataError."""
    path = find_dataset(name)
    trained = {prompt_key(row.prompt) for row in rows}
    prompts = [prompt for prompt in read_keep_prompts(path) if prompt_key(prompt) not in trained]
    if not prompts:
        raise DataError(f"Every prompt of {path} is trained on.", next="Name other prompts with --keep.")
    return path, prompts


@dataclass(frozen=True, kw_only=True)
class Mix:
    """A further data set: a file or a hub data set, and how many of its rows to take (None: all)."""

    source: str
    count: int | None


def parse_mix(spec: str) -> Mix:
    """Parses `file.jsonl#200` or `owner/name#500`; the count is optional. Raises ConfigError."""
    source, mark, count = spec.rpartition("#")
    if not mark:
        source, count = spec, ""
    if not source.strip() or (mark and not (count.isascii() and count.isdigit() and int(count))):
        raise ConfigError(f"The mix {spec!r} is not SOURCE or SOURCE#COUNT.", next="Write, say, general.jsonl#200.")
    return Mix(source=source, count=int(count) if mark else None)


def is_hub(mix: Mix) -> bool:
    """Whether the source is a hub data set: named owner/name, and no such file exists here or in the data folder."""
    shape = HUB_NAME.fullmatch(mix.source)
    if shape is None:
        return False
    if shape["hub"]:
        return True
    if mix.source.lower().endswith(DATA_SUFFIXES):  # a mistyped file name
        return False
    return not any(path.exists() for path in (Path(mix.source), data_folder() / mix.source))


def sample(rows: Sequence[Row], count: int | None, seed: int) -> tuple[Row, ...]:
    """`count` different rows in the file's order, the same for the same seed; all rows if there are no more."""
    if count is None or count >= len(rows):
        return tuple(rows)
    chosen = random.Random(seed).sample(range(len(rows)), count)  # noqa: S311  # a repeatable choice, not a secret
    return tuple(rows[index] for index in sorted(chosen))
