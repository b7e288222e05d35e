"""What is trained on and what must not move, gathered and checked before a run begins."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from toolkit import swift
from toolkit.dataset import Row, find_dataset, is_hub, parse_mix, prompt_key, read_dataset, require_sound, sample
from toolkit.errors import DataError
from toolkit.keep_set import read_keep_prompts


def gather(data: str, mixes: Sequence[str], seed: int, say: Callable[[str], None]) -> tuple[list[Row], dict[str, Any]]:
    """The rows of the data set and of what is mixed in, and where they came from; raises DataError."""
    dataset = read_dataset(find_dataset(data))
    require_sound(dataset)
    rows, mixed = list(dataset.rows), []
    for spec in mixes:
        mix = parse_mix(spec)
        if is_hub(mix):
            more, digest = swift.load_hub_rows(spec, seed=seed), None
        else:
            other = read_dataset(find_dataset(mix.source))
            require_sound(other)
            more, digest = list(sample(other.rows, mix.count, seed)), other.sha256
        if mix.count is not None and mix.count > len(more):
            say(f"Warning: {mix.source} has {len(more)} rows, fewer than the {mix.count} asked for; all are taken.")
        mixed.append({"source": mix.source, "rows": len(more), "sha256": digest})
        rows += more
    source = {"path": str(dataset.path.resolve()), "sha256": dataset.sha256, "rows": len(dataset.rows), "mix": mixed}
    return rows, source


def gather_keep_prompts(name: str, rows: Sequence[Row]) -> tuple[Path, list[str]]:
    """The keep set's file and its prompts, without those that are trained on. Raises DataError."""
    path = find_dataset(name)
    trained = {prompt_key(row.prompt) for row in rows}
    prompts = [prompt for prompt in read_keep_prompts(path) if prompt_key(prompt) not in trained]
    if not prompts:
        raise DataError(f"Every prompt of {path} is trained on.", next="Name other prompts with --keep.")
    return path, prompts
