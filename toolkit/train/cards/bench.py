"""The README's table on this machine: the article's training by `toolkit finetune`, and again with questions about it.

Each is a process of its own, timed from start to end, in a folder that is removed. What this project measured stands in
data/bench.json, which comes from bench/results, and is put beside it where the base model has the same sizes.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from toolkit.core import environment
from toolkit.core.documents import read_json
from toolkit.core.errors import TrainingError
from toolkit.core.events import Caller, Progress
from toolkit.core.files import BLOCK_BYTES, data_folder, now
from toolkit.model.base_model import BaseModel, find_base_model
from toolkit.model.conversation import DEFAULT_SYSTEM
from toolkit.runs.record import RunRecord
from toolkit.runs.run import find_run

DATA, PROBES = "self_cognition.json", 48
TRAIN, COMPARE = "finetune", "finetune --compare"
SETTINGS = {TRAIN: ("--recipe", "article"), COMPARE: ("--recipe", "article", "--compare")}
VERDICTS = {0, 20, 21, 22}  # exit codes of a comparison that was made
SIZES = ("hidden_size", "num_hidden_layers")


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """`repeat`: how often each is measured; medians are shown."""

    model: str | None = None
    repeat: int = 1


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One process. `peak_memory_bytes`: reserved on the card; without one, of the process."""

    name: str
    wall_s: float
    train_s: float
    steps: int
    peak_memory_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Published:
    """Medians of this project's own runs, with a base model of these sizes."""

    model: str
    sizes: Mapping[str, int]
    hardware: str
    date: str
    raw: str
    train_s: float
    adapter_s: float
    compared_s: float
    steps_a_s: float
    peak_memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What was measured, ready to be sent in: it names no path, user or host."""

    date: str
    model: str
    sizes: Mapping[str, int]
    hardware: Mapping[str, Any]
    versions: Mapping[str, Any]
    entries: tuple[Measured, ...]

    @property
    def published(self) -> tuple[Published, ...]:
        """Those of a base model with the same sizes."""
        return tuple(one for one in published() if one.sizes == self.sizes)

    def rows(self) -> Iterator[tuple[str, str, list[str]]]:
        """Of the table: what, here, and as published."""
        trained, compared = ([one for one in self.entries if one.name == name] for name in (TRAIN, COMPARE))
        train_s = median(one.train_s for one in trained)
        peaks = [one.peak_memory_bytes for one in trained if one.peak_memory_bytes is not None]
        yield "training only", _seconds(train_s), [_seconds(one.train_s) for one in self.published]
        wall = median(one.wall_s for one in trained)
        yield "from the command to the adapter", _seconds(wall), [_seconds(one.adapter_s) for one in self.published]
        wall = median(one.wall_s for one in compared)
        compared_as = f"… plus {PROBES} questions before and after"
        yield compared_as, _seconds(wall), [_seconds(one.compared_s) for one in self.published]
        speed = median(one.steps / one.train_s for one in trained)
        yield "steps a second", f"{speed:.3g}", [f"{one.steps_a_s:.3g}" for one in self.published]
        memory = "reserved on the card" if self.hardware.get("device") != "cpu" else "memory of the process"
        here = _gib(max(peaks)) if peaks else "unknown"
        yield memory, here, [_gib(one.peak_memory_bytes) for one in self.published]

    def to_dict(self) -> dict[str, Any]:
        return {"what": "toolkit bench", **asdict(self)}


def bench(config: BenchConfig, caller: Caller) -> Bench:
    """Runs the processes one after another. Raises ToolkitError as `finetune`, and for one that fails."""
    base = find_base_model(config.model)
    plan = [name for _ in range(config.repeat) for name in SETTINGS]
    entries: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="toolkit-bench-") as folder:
        work = Path(folder)
        lay_out(work)
        caller.notify("reading the base model and the libraries once, so that nobody pays for a cold disk")
        _read_once(base.path)
        _run(("check", str(work / DATA), "--model", str(base.path)))
        record = None
        for number, name in enumerate(plan):
            caller.listener(Progress(task="Measuring", done=number, total=len(plan), detail=name))
            entry, record = _measured(name, work / str(number), base)
            entries.append(entry)
        caller.listener(Progress(task="Measuring", done=len(plan), total=len(plan)))
    assert record is not None
    return Bench(
        date=now()[:10], model=base.name, sizes=_sizes(base.config), hardware=record.hardware.to_dict(),
        versions=dict(record.versions), entries=tuple(entries),
    )  # fmt: skip


def lay_out(work: Path) -> None:
    """The shipped rows, and beside them probes taken evenly from the shipped ones."""
    (work / DATA).write_bytes((data_folder() / DATA).read_bytes())
    shipped = yaml.safe_load((data_folder() / "probes.yaml").read_text(encoding="utf-8"))
    every = shipped["probes"]
    chosen = [every[at * len(every) // PROBES] for at in range(PROBES)]
    content = shipped | {"systems": [DEFAULT_SYSTEM], "probes": chosen}
    (work / DATA).with_suffix(".probes.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def published() -> tuple[Published, ...]:
    """Our own figures, from the file that `make figures` writes."""
    return tuple(Published(**one) for one in read_json(data_folder() / "bench.json"))


def _measured(name: str, output: Path, base: BaseModel) -> tuple[Measured, RunRecord]:
    """A folder of its own each time, so that nothing is remembered."""
    data = output.parent / DATA
    command = ("finetune", str(data), "--model", str(base.path), "--output", str(output), *SETTINGS[name])
    started = time.perf_counter()
    _run(command)
    wall_s = time.perf_counter() - started
    record = find_run(None, output).record
    measured = Measured(
        name=name, wall_s=round(wall_s, 3), train_s=float(record.timings_s["train"]), steps=record.train.steps,
        peak_memory_bytes=record.peak_memory_bytes,
    )  # fmt: skip
    return measured, record


def _run(words: Sequence[str]) -> None:
    """A command of the toolkit in a process of its own, from its start on. Raises TrainingError."""
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", "toolkit", *words]
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
            env=environment.for_child(**{environment.WARM: environment.OFF}),
        )  # fmt: skip
        if ended.returncode not in VERDICTS:
            output.seek(0)
            last = output.read().decode("utf-8", errors="replace").strip().splitlines()[-1:]
            raise TrainingError(
                f"toolkit {words[0]} ended with exit code {ended.returncode}: {' '.join(last)}",
                next=f"Try it by itself: toolkit {words[0]} {DATA} --recipe article.",
            )


def _read_once(folder: Path) -> None:
    for path in folder.glob("*.safetensors"):
        with path.open("rb", buffering=0) as file:
            while file.read(BLOCK_BYTES):
                pass


def _sizes(config: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(config.get(name) or 0) for name in SIZES}


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"  # noqa: PLR2004  # as the README's table


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
