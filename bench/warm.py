"""Commands by themselves and over a warm process, in turn; and by another checkout, in the same turn.

    python bench/warm.py MODEL OUT.json --repeat 5 [--other CHECKOUT]
    python bench/warm.py MODEL OUT.json --card --commands finetune --once compare verdict given --questions FILE

`finetune` is `--recipe article`; `compare` asks 48 of the shipped probes under one system prompt, as bench/run.py has
them, and on a card what it adds to them, but no abilities. `verdict` is `finetune --recipe article --compare`, with
abilities on a card; `default` the same with the recipe that nobody named, and `given` with --questions beside it,
where the base model is not to write them. `timings_s` tells the parts.

Commands named with --once run in the first turn alone, over the warm process alone: what they are by themselves takes
minutes of a card.

Each is a process, from start to end; `cold` and `other` leave a warm process out, and none begins before the warm one
has loaded its model again. What each run trained, and each comparison's answers, must be the same as the first time:
`same` says so. OUT.json is written after each command. One that fails is an entry with its last lines; it, or another
result, ends the script with 1 once everything has run. No network is reached.
"""

import hashlib
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arguments import arguments
from processes import Ended, run
from run import DATA, OFFLINE, lay_out

from toolkit.model.device import find_device
from toolkit.runs.recording import versions

ROOT = Path(__file__).parents[1]
PROBES = 48
OFF = {"TOOLKIT_WARM": "off"}
WAYS = ("other", "cold", "warm")
COMMANDS = ("finetune", "compare", "verdict", "default", "given")
COMPARED = ("compare", "verdict", "default", "given")
VERDICTS = {0, 20, 21, 22, 23}
PATIENCE_S = 120.0  # for a base model that is loaded again
Entry = dict[str, Any]


def toolkit(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "toolkit", *words]


class Bench:
    """One folder of runs; `ways`: name to the environment of a way to run a command."""

    def __init__(self, work: Path, ways: Mapping[str, Mapping[str, str]], options: Namespace) -> None:
        self.work, self.ways, self.options = work, ways, options
        self.commands: Sequence[str] = options.commands
        self.made: dict[str, str] = {}  # per command, the digest of what came out
        self.entries: list[Entry] = []
        device = find_device()
        self.told: dict[str, Any] = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "device": device.to_dict(),
            "cores": len(os.sched_getaffinity(0)), "versions": versions(), "probes": options.probes,
            "model": options.model.name,
        }  # fmt: skip
        lay_out(work, options.probes)

    def up(self) -> bool:
        words = ["up", "--model", str(self.options.model), *(["--card"] if self.options.card else [])]
        ended = run(toolkit(*words), self.ways["warm"])
        self.told |= {"up_s": round(ended.wall_s, 2)} if ended.exit_code == 0 else {"up_error": ended.tail}
        self._write()
        return ended.exit_code == 0

    def turn(self, number: int) -> None:
        for command in self.commands:
            for way in self.ways:
                self._time(command, way, number)
        for command in self.options.once if number == 0 else ():
            self._time(command, "warm", number)

    def train(self) -> None:
        """A run for each way where trainings are not measured: one is trained, the others are its copies."""
        first, *others = self.ways
        self._time("finetune", first, 0)
        for way in others:
            shutil.copytree(self._output("finetune", first, 0), self._output("finetune", way, 0), symlinks=True)
        self.entries.clear()

    def _output(self, command: str, way: str, number: int) -> Path:
        """A comparison is one of the run that was trained in the same turn."""
        kind = "run" if command in {"finetune", "compare"} else command
        return self.work / f"{way}-{kind}-{number if kind != 'run' or 'finetune' in self.commands else 0}"

    def _words(self, command: str) -> list[str]:
        if command == "compare":
            return ["compare", "--no-ability"]
        words = ["finetune", str(self.work / DATA), "--model", str(self.options.model)]
        words += ["--recipe", "article"] * (command in {"finetune", "verdict"})
        words += ["--questions", str(self.options.questions)] * (command == "given")
        return words + ["--compare"] * (command != "finetune")

    def _time(self, command: str, way: str, number: int) -> None:
        self._wait()
        output = self._output(command, way, number)
        ended = run(toolkit(*self._words(command), "--output", str(output)), self.ways[way])
        entry: Entry = {"command": command, "way": way, "turn": number, **ended.told(), "warm": _warm(ended)}
        if ended.exit_code in VERDICTS and (entry["warm"] is not None) is (way == "warm"):
            [folder] = output.glob("v*-*")
            digest = _digest(folder, command)
            entry |= {"same": self.made.setdefault(command, digest) == digest, **_parts(folder, command)}
        else:
            entry["error"] = ended.tail
        self.entries.append(entry)
        self._write()
        print(
            f"{number} {command:8} {way:5} {ended.wall_s:6.2f} s, load {ended.load_before:.1f}, exit code "
            f"{ended.exit_code}, same {entry.get('same')} {entry.get('error', '')}", flush=True,
        )  # fmt: skip

    def _wait(self) -> None:
        """Until the next worker has the model, which it loads where a command has taken the one before."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            told = run(toolkit("up", "--status", "--json"), self.ways["warm"])
            text = "\n".join(line for _, line in told.lines)
            found = json.loads(text[text.index("{") :])
            if not found or found["failed"] or found["loaded_s"] is not None:
                return
            time.sleep(0.2)

    def medians(self) -> dict[str, dict[str, float | None]]:
        """Of those that did what they should."""
        found: dict[str, dict[str, float | None]] = {}
        for command in dict.fromkeys([*self.commands, *self.options.once]):
            for way in self.ways:
                seconds = [
                    one["wall_s"] for one in self.entries
                    if (one["command"], one["way"]) == (command, way) and "error" not in one
                ]  # fmt: skip
                found.setdefault(command, {})[way] = round(statistics.median(seconds), 2) if seconds else None
        return found

    def _write(self) -> None:
        told = {**self.told, "medians_s": self.medians(), "entries": self.entries}
        self.options.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _warm(ended: Ended) -> str | None:
    """What the command said of the warm process that did it; None if none did."""
    return next((line for _, line in ended.lines if line.startswith("warm: pid")), None)


def _parts(folder: Path, command: str) -> dict[str, Any]:
    """Losses and phases, of run.json and of report.json."""
    told: dict[str, Any] = {}
    if command != "compare":
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        told = {
            "timings_s": record["timings_s"], "loss": record["train"]["loss"], "questions": record.get("questions"),
            "peak_memory_bytes": record["peak_memory_bytes"],
        }  # fmt: skip
    if command in COMPARED:
        report = json.loads((folder / "compare" / "report.json").read_text(encoding="utf-8"))
        name = "timings_s" if command == "compare" else "compare_timings_s"
        told |= {name: report["timings_s"], "probes_asked": len(report["probes"])}
    return told


def _digest(folder: Path, command: str) -> str:
    found = hashlib.sha256()
    if command != "compare":
        [adapter] = folder.glob("checkpoint-*/adapter_model.safetensors")
        found.update(adapter.read_bytes())
    if command in COMPARED:
        probes = json.loads((folder / "compare" / "report.json").read_text(encoding="utf-8"))["probes"]
        found.update(json.dumps(probes).encode())
    return found.hexdigest()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--probes", type=int, default=PROBES, choices=range(1, 101), metavar="1-100")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS[:2])
    parser.add_argument("--once", nargs="+", choices=COMMANDS, default=[], help="further ones, warm and once")
    parser.add_argument("--ways", nargs="+", choices=WAYS[1:], default=WAYS[1:])
    parser.add_argument("--card", action="store_true", help="as of toolkit up")
    parser.add_argument("--questions", type=Path, help="for the command given: a run's questions.jsonl")
    parser.add_argument("--other", type=Path, help="another checkout, whose commands take their turn")
    options = parser.parse_args()
    asked = {*options.commands, *options.once}
    if "given" in asked and options.questions is None:
        parser.error("the command given needs --questions")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sockets = Path(folder, "run")
        sockets.mkdir(mode=0o700)
        own = os.environ | OFFLINE | {"PYTHONPATH": _path(ROOT), "XDG_RUNTIME_DIR": str(sockets)}
        ways = {"cold": own | OFF, "warm": own}
        ways = {way: ways[way] for way in ways if way in options.ways or way == "warm"}
        if options.other:
            ways = {"other": own | {"PYTHONPATH": _path(options.other.resolve())} | OFF, **ways}
        bench = Bench(Path(folder), ways, options)
        if not bench.up():
            sys.exit(bench.told["up_error"])
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the warm process must not stay
        try:
            if "compare" in asked and "finetune" not in options.commands:
                bench.train()
            for number in range(options.repeat):
                bench.turn(number)
        finally:
            run(toolkit("down"), own)
    if wrong := [one for one in bench.entries if not one.get("same")]:
        sys.exit(f"{len(wrong)} of {len(bench.entries)} commands failed, or had another result than the first one.")


def _path(checkout: Path) -> str:
    """The checkout before what the caller's PYTHONPATH has, other than this checkout."""
    others = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one and Path(one).resolve() != ROOT]
    return os.pathsep.join([str(checkout), *others])


if __name__ == "__main__":
    main()
