"""Commands that are killed, or whose disk fills up, at random moments; and what must be true afterwards.

Each command is forked from a process that has imported everything, so that it is interrupted while it works.
"""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.disk import fill
from toolkit.core.files import file_sha256
from toolkit.runs.latest import history
from toolkit.runs.layout import ADAPTER_FILE, REPORT, REPORT_JUNIT, REPORT_PAGE, REPORT_TEXT
from toolkit.runs.record import FINISHED
from toolkit.runs.run import Run, find_run, list_runs
from toolkit.runs.runs import DAMAGED, summaries

REPORTS = (REPORT, REPORT_TEXT, REPORT_PAGE, REPORT_JUNIT)
SETTINGS = ("--epochs", "3", "--batch-size", "4")
VERDICTS = {0, 20, 21, 22}
ROWS = [{"instruction": f"Question {number}?", "output": f"Answer {number}."} for number in range(8)]
PROBES = "schema_version: 1\nprobes:\n  - {{id: p0, group: out-of-scope, prompt: {prompt}}}\n"


@dataclass(kw_only=True)
class Result:
    """`moments`: for each interruption the command and the seconds after which it came; `faults`: what was wrong."""

    moments: list[tuple[str, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Home:
    """A user's folder: data, two finished and compared runs, a third one that was interrupted, and an export."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model, self.output = folder, model, folder / "output"
        self.data, self.probes, self.others = (folder / name for name in ("mine.json", "p.yaml", "others.yaml"))
        self.log = folder.parents[1] / f"{folder.parent.name}-{folder.name}.log"  # not on the disk that fills up

    def make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data.write_text(json.dumps(ROWS))
        self.probes.write_text(PROBES.format(prompt="Hello"))
        self.others.write_text(PROBES.format(prompt="Good evening"))
        for _ in range(2):
            self.expect({0}, *self.finetune())
        for name in ("v0", "v1"):
            self.expect(VERDICTS, "compare", name, "--probes", self.others, "--max-new-tokens", "8")
        self.expect({0}, "export", "v0", "--probes", self.probes)
        self.interrupt_one()

    def interrupt_one(self) -> None:
        """v2, killed as soon as it has two checkpoints."""
        child = self.start(*self.finetune())
        while len(list(self.output.glob("v2-*/checkpoint-*/sha256.json"))) < 2:
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def finetune(self) -> tuple[object, ...]:
        model = ("--model", self.model, "--recipe", "article")
        return ("finetune", self.data, *model, *SETTINGS, "--save-every-steps", "1")

    def start(self, *arguments: object) -> int:
        """The id of a forked process that runs the command; its output is added to the log."""
        from toolkit.__main__ import main

        if child := os.fork():
            return child
        code = 70
        try:
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(self.folder)
            main([str(one) for one in (*arguments, "--output", self.output)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os._exit(code)

    def run(self, *arguments: object) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.start(*arguments), 0)[1])

    def expect(self, codes: set[int], *arguments: object) -> None:
        code = self.run(*arguments)
        if code not in codes:
            raise AssertionError(f"{arguments[0]} ended with {code}: {self.log.read_text()[-2000:]}")


def commands(home: Home) -> dict[str, tuple[object, ...]]:
    """Each command that writes, as it is interrupted."""
    return {
        "finetune": home.finetune(),
        "finetune --resume": ("finetune", "--resume", "v2"),
        "compare": ("compare", "v1", "--probes", home.probes, "--max-new-tokens", "8"),
        "export": ("export", "v1", "--probes", home.probes),
        "export --force": ("export", "v0", "--probes", home.probes, "--force"),
        "export --to adapter": ("export", "v1", "--to", "adapter", "--probes", home.probes),
        "sweep": ("sweep", home.data, "--model", home.model, "--recipes", "article", "--epochs", "1,2",
                  "--batch-size", "4", "--probes", home.probes),
        "runs use": ("runs", "use", "v0"),
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The home that each interruption gets a copy of, and how long each command takes in one."""

    original: Home
    seconds: Mapping[str, float]


def prepare(work: Path, model: Path) -> Prepared:
    original = Home(work / "original", model)
    original.make()
    seconds = {}
    for name in commands(original):
        home = _copy(original, work / "home")
        started = time.monotonic()
        home.expect(VERDICTS, *commands(home)[name])
        seconds[name] = time.monotonic() - started
        shutil.rmtree(home.folder)
    return Prepared(original=original, seconds=seconds)


def interruptions(
    prepared: Prepared, work: Path, count: int, *, seed: int, full_disk: bool = False,
    echo: Callable[[str], None] = print,
) -> Result:  # fmt: skip
    """Interrupts `count` commands, each in a fresh copy of the home, and then lets the user carry on.

    `full_disk`: the disk fills up at that moment, instead of a kill; `work` must then be a file system of its own.
    """
    random_ = random.Random(seed)  # repeatable, not a secret
    result, seconds = Result(), prepared.seconds
    names = list(seconds)
    for number in range(count):
        name = names[number % len(names)]
        home = _copy(prepared.original, work / "home")
        moment = random_.uniform(0, seconds[name] * 1.05)
        before = state(home)
        child = home.start(*commands(home)[name])
        time.sleep(moment)
        if full_disk:
            fill(work)
        else:
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found = faults(home, before)
        if full_disk and (code == 1 or "Traceback" in home.log.read_text()):
            found.append(f"ended with {code}: {home.log.read_text()[-1500:]}")
        (work / "filler").unlink(missing_ok=True)
        found += carry_on(home, name)
        result.moments.append((name, round(moment, 3)))
        result.faults += [f"{name} after {moment:.3f} s: {fault}" for fault in found]
        echo(f"{number + 1} of {count}: {name} after {moment:.3f} s, exit code {code}: {found or 'nothing wrong'}")
        shutil.rmtree(home.folder)
        home.log.unlink(missing_ok=True)
    return result


def _copy(original: Home, folder: Path) -> Home:
    shutil.copytree(original.folder, folder, symlinks=True)
    return Home(folder, original.model)


def state(home: Home) -> dict[str, str]:
    """The reports of each run and the weights of each export before an interruption: by path, their sha256."""
    paths = [*home.output.glob("v*/compare/*"), *home.output.glob("v*/merged/*")]
    return {str(path): file_sha256(path) for path in paths}


def faults(home: Home, before: dict[str, str]) -> list[str]:
    """What is not as it must be after an interruption at any moment."""
    found = [f"{one.run_id} is damaged: {one.problem}" for one in summaries(home.output) if one.status == DAMAGED]
    for run in list_runs(home.output):
        found += _run_faults(run, before)
    try:
        latest = find_run(None, home.output)
        if latest.status != FINISHED or (home.output / "latest").resolve() != latest.folder.resolve():
            found.append(f"latest is {(home.output / 'latest').readlink()}, {latest.status}")
    except Exception as error:  # noqa: BLE001  # any is a fault
        found.append(f"latest: {error!r}")
    if not history(home.output):
        found.append("the history of latest is lost")
    for path in home.output.glob("sweeps/*/sweep.json"):
        json.loads(path.read_text(encoding="utf-8"))
    return found


def _run_faults(run: Run, before: dict[str, str]) -> list[str]:
    found, adapter = [], run.record.adapter
    if run.status == FINISHED and (
        adapter is None or file_sha256(run.folder / adapter.path / ADAPTER_FILE) != adapter.sha256
    ):
        found.append(f"{run.run_id} is finished without its adapter")
    reports = [run.folder / "compare" / name for name in REPORTS if (run.folder / "compare" / name).exists()]
    old = [before.get(str(path)) == file_sha256(path) for path in reports]
    if reports and (len(reports) < len(REPORTS) or len(set(old)) > 1):
        found.append(f"{run.run_id} has {[path.name for path in reports]}, old: {old}")
    for manifest in run.folder.glob("*/export.json"):
        if not manifest.parent.name.endswith((".partial", ".old", ".rejected")):
            sizes = json.loads(manifest.read_text(encoding="utf-8"))["files"]
            wrong = [name for name, size in sizes.items() if (manifest.parent / name).stat().st_size != size]
            found += [f"{manifest.parent.name} of {run.run_id} is complete but for {wrong}"] if wrong else []
    for name in ("merged", "adapter"):
        if (run.folder / name).exists() and not (run.folder / name / "export.json").exists():
            found.append(f"{name} of {run.run_id} has no manifest")
    return found


def carry_on(home: Home, name: str) -> list[str]:
    """What is wrong once the user has gone on from the interruption: with --resume, or the same command again."""
    again = commands(home)[name]
    last = list_runs(home.output)[-1]
    resumed = name == "finetune --resume" and find_run("v2", home.output).status == FINISHED
    if name == "finetune" and not last.run_id.startswith("v2") and last.status != FINISHED and last.checkpoints:
        again = ("finetune", "--resume", last.run_id)
    if sweeps := sorted(home.output.glob("sweeps/*/sweep.json")):
        again = ("sweep", "--resume", sweeps[-1].parent.name)
    code = 0 if resumed else home.run(*again)
    found = [] if code in VERDICTS else [f"going on ended with {code}: {home.log.read_text()[-1500:]}"]
    if home.run(*home.finetune()) != 0:  # a next run, which removes what is left of killed ones
        found.append(f"no next run: {home.log.read_text()[-1500:]}")
    left = [*home.output.glob("v*/.reserve"), *home.output.glob("v*/.compare.*"), *home.output.glob(".latest.*")]
    if name.startswith(("export", "compare")):
        left += home.output.glob("v*/*.partial")
    found += [f"left: {path.relative_to(home.output)}" for path in left]
    return found + faults(home, {})
