"""Where training rows come from: data files, `--mix` sources, hub data sets, keep prompts."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, DataError
from toolkit.core.events import Caller, Listener, Progress, silent
from toolkit.core.suggestion import suggestion
from toolkit.data.containers.forked import Forked
from toolkit.data.containers.stored_rows import RowStore, settled, stored
from toolkit.data.dataset import (
    DATA_SUFFIXES,
    HUB,
    Dataset,
    Row,
    find_dataset,
    hub_dataset,
    places,
    prompt_key,
    read_dataset,
)
from toolkit.data.samples import Source, parse_source, sample, unseen
from toolkit.data.soundness import Reading, SoundRows, sound_rows
from toolkit.train import ms_swift
from toolkit.train.keep_set import read_keep_prompts
from toolkit.train.recipe import Recipe, better_recipe

LARGE_BYTES = 4_000_000  # of a file, which then takes a second
HUB_NAME = re.compile(r"(?P<hub>(?:HF|MS)::)?[A-Za-z0-9][\w.-]*/[\w.-]+(?::[\w./-]+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """`rows`: of the data set, then of its mixes; `test`: rows that must not be trained, for scores.

    `source`: for run.json. `left_out`: see `SoundRows`.
    """

    rows: Sequence[Row]
    source: dict[str, Any]
    left_out: list[dict[str, Any]]
    test: list[Row]


def load_rows(
    data: str, mixes: Sequence[str], recipe: Recipe, reading: Reading, notify: Callable[[str], None],
    listener: Listener = silent, test: str | None = None, *, takes_tools: bool = True,
) -> Loaded:  # fmt: skip
    """The rows of the data set and of its mixes, and of `test`; where they come from, and what was left out.

    `takes_tools`: whether the base model does. Raises DataError, also for rows with errors unless `reading` says
    otherwise, and ConfigError.
    """
    sound = partial(_sound, recipe=recipe, takes_tools=takes_tools, notify=notify, listener=listener)
    own = sound(data, reading)
    others = [sound(spec, replace(reading, columns={})) for spec in mixes]
    rows = RowStore(row for each in (own, *others) for row in each.rows).rows if others else own.rows
    left_out = [line for each in (own, *others) for line in each.left_out_lines()]
    held_out = None if test is None else sound(test, reading)
    unseen_rows = [] if held_out is None else _unseen(held_out, rows, notify)
    if (why := better_recipe(recipe, len(rows))) is not None:
        notify(f"Note: {why}")
    source = {
        "path": _path(own.dataset), **_extent(own),
        "mix": [{"source": str(each.dataset.path), **_extent(each)} for each in others],
        "left_out": len(left_out), "columns": dict(reading.columns), "allow": list(reading.allow),
    }  # fmt: skip
    if held_out is not None:
        source["test"] = {"path": _path(held_out.dataset), **_extent(held_out), "rows": len(unseen_rows)}
    return Loaded(rows=rows, source=source, left_out=left_out, test=unseen_rows)


def _unseen(test: SoundRows, rows: Sequence[Row], notify: Callable[[str], None]) -> list[Row]:
    """The rows of a test that are not among those to train. Raises DataError if all of them are."""
    found, path = unseen(test.rows, rows), test.dataset.path
    if not found:
        raise DataError(f"Every row of {path} is trained: it shows nothing.", next="Name other rows with --test.")
    if trained := len(test.rows) - len(found):
        are = "is" if trained == 1 else "are"
        notify(f"Warning: {trained} of {len(test.rows)} rows of {path} {are} left out of the test, as trained.")
    return found


def read_source(spec: str, columns: Mapping[str, str], seed: int, listener: Listener = silent) -> Dataset:
    """The rows that `file.jsonl#200`, or `owner/name#500` on a hub, names. Raises DataError and ConfigError."""
    source = parse_source(spec)
    if not is_hub(source):
        return sample(read_dataset(find_dataset(source.name), columns, listener), source.count, seed)
    if columns:
        raise ConfigError(
            f"Columns are named for files, and {source.name} is a hub data set.",
            next=f'Leave out --columns; "{suggestion("check", source.name, "--write", "rows.jsonl")}" makes it a file.',
        )
    return sample(hub_dataset(ms_swift.hub_records(source.name), source.name, listener), source.count, seed)


def _sound(
    spec: str, reading: Reading, recipe: Recipe, notify: Callable[[str], None], listener: Listener, *, takes_tools: bool
) -> SoundRows:
    dataset = read_source(spec, reading.columns, recipe.seed, listener)
    found = sound_rows(dataset, reading, system=recipe.system, takes_tools=takes_tools, listener=listener)
    for remark in found.remarks:
        notify(f"Note: {dataset.path.name}: {remark}")
    return found


def _path(dataset: Dataset) -> str:
    return str(dataset.path if dataset.container == HUB else dataset.path.resolve())


def _extent(found: SoundRows) -> dict[str, Any]:
    """What run.json says of a data set's rows."""
    dataset = found.dataset
    sampled = {} if dataset.sampled_from is None else {"sampled_from": dataset.sampled_from}
    return {"sha256": dataset.sha256, "rows": len(found.rows), **sampled}


def loaded_during(
    work: Sequence[Callable[[], object]], load: Callable[..., Loaded], caller: Caller
) -> tuple[Loaded, float]:  # fmt: skip
    """What `load`, which is `load_rows`, loads in another process while this one works, and how long that took."""

    def loading(say: Callable[[str | Progress], None]) -> Loaded:
        found = load(notify=say, listener=say)
        return replace(found, rows=stored(found.rows))

    def hear(what: str | Progress) -> None:
        if isinstance(what, str):
            caller.notify(what)
        else:
            caller.listener(what)

    with Forked(loading, hear) as forked:
        before = time.perf_counter()
        for one in work:
            one()
        seconds = time.perf_counter() - before
        loaded = forked.result()
    return replace(loaded, rows=settled(loaded.rows)), seconds


def is_large(spec: str) -> bool:
    """Whether it is a file that takes as long to read as the libraries take to import."""
    try:
        sizes = [path.stat().st_size for path in places(parse_source(spec).name) if path.is_file()]
    except OSError:
        return False
    return bool(sizes) and sizes[0] >= LARGE_BYTES


def load_keep_prompts(name: str, rows: Iterable[Row]) -> tuple[Path, list[str]]:
    """The keep set's file and its prompts, except those that are trained on. Raises DataError."""
    path = find_dataset(name)
    keys = {prompt: prompt_key(prompt) for prompt in read_keep_prompts(path)}
    trained = {*keys.values()}.intersection(prompt_key(row.prompt) for row in rows)
    prompts = [prompt for prompt, key in keys.items() if key not in trained]
    if not prompts:
        raise DataError(f"Every prompt of {path} is trained on.", next="Name other prompts with --keep.")
    return path, prompts


def source_file(spec: str) -> Path:
    """The file of a data set that is read again and again. Raises DataError, also for a hub's, and ConfigError."""
    source = parse_source(spec)
    if is_hub(source):
        raise DataError(
            f"{source.name} is a hub data set, and this command reads a file more than once.",
            next=f'Write it to one: "{suggestion("check", spec, "--write", "rows.jsonl")}".',
        )
    return find_dataset(source.name)


def is_hub(source: Source) -> bool:
    """Whether the source is a hub data set: named owner/name, and no such file exists here or in the data folder."""
    shape = HUB_NAME.fullmatch(source.name)
    if shape is None:
        return False
    if shape["hub"]:
        return True
    if source.name.lower().endswith(DATA_SUFFIXES):  # a mistyped file name
        return False
    return not any(path.exists() for path in places(source.name))
