"""Where training rows come from: data files, `--mix` sources, hub data sets, keep prompts."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import data_folder
from toolkit.data.dataset import DATA_SUFFIXES, Dataset, Row, find_dataset, prompt_key, read_dataset, require_sound
from toolkit.train import ms_swift
from toolkit.train.keep_set import read_keep_prompts

HUB_NAME = re.compile(r"(?P<hub>(?:HF|MS)::)?[A-Za-z0-9][\w.-]*/[\w.-]+(?::[\w./-]+)?", re.ASCII)


def load_rows(
    data: str, mixes: Sequence[str], seed: int, notify: Callable[[str], None]
) -> tuple[list[Row], dict[str, Any]]:
    """The rows of the data set and of its mixes, and where they come from. Raises DataError, ConfigError."""
    dataset = read_dataset(find_dataset(data))
    require_sound(dataset)
    _say_remarks(dataset, notify)
    rows, mixed = list(dataset.rows), []
    for spec in mixes:
        mix = parse_mix(spec)
        if is_hub(mix):
            more, digest = ms_swift.load_hub_rows(spec, seed=seed), None
        else:
            other = read_dataset(find_dataset(mix.source))
            require_sound(other)
            _say_remarks(other, notify)
            more, digest = list(sample(other.rows, mix.count, seed)), other.sha256
        if mix.count is not None and mix.count > len(more):
            notify(f"Warning: {mix.source} has {len(more)} rows, fewer than the {mix.count} asked for; all are taken.")
        mixed.append({"source": mix.source, "rows": len(more), "sha256": digest})
        rows += more
    source = {"path": str(dataset.path.resolve()), "sha256": dataset.sha256, "rows": len(dataset.rows), "mix": mixed}
    return rows, source


def _say_remarks(dataset: Dataset, notify: Callable[[str], None]) -> None:
    if dataset.remarks:
        notify(f"Note: {dataset.path.name}: {' '.join(dataset.remarks)}")


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
