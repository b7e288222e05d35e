"""Commands by themselves and over a warm process, in turn; and by another checkout, in the same turn.

    python bench/warm.py MODEL OUT.json --repeat 5 [--other CHECKOUT]

`finetune` is `--recipe article`, `compare` asks 48 of the shipped probes under one system prompt, as bench/run.py has
them. Each is a process, from start to end; `cold` and `other` leave a warm process out. What each run trained, and
each comparison's answers, must be the same: the script ends where they are not. No network is reached.
"""

import hashlib
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arguments import arguments
from processes import run
from run import DATA, OFFLINE, lay_out

from toolkit.model.device import find_device
from toolkit.runs.recording import versions

ROOT = Path(__file__).parents[1]
PROBES = 48
OFF = {"TOOLKIT_WARM": "off"}
COMMANDS = ("finetune", "compare")


class Bench:
    """One folder of runs; `ways`: name to the environment of a way to run a command."""

    def __init__(
        self, work: Path, model: Path, ways: Mapping[str, Mapping[str, str]], commands: Sequence[str], probes: int
    ) -> None:  # fmt: skip
        self.work, self.model, self.ways, self.commands = work, model, ways, commands
        self.made: dict[str, str] = {}  # per command, the digest of what came out
        self.entries: list[dict[str, Any]] = []
        lay_out(work, probes)

    def turn(self, number: int) -> None:
        for command in self.commands:
            for way in self.ways:
                self._time(command, way, number)

    def train(self) -> None:
        """A run for each way where trainings are not measured: one is trained, the others are its copies."""
        first, *others = self.ways
        self._time("finetune", first, 0)
        for way in others:
            shutil.copytree(self.work / f"{first}-0", self.work / f"{way}-0", symlinks=True)
        self.entries.clear()

    def _time(self, command: str, way: str, number: int) -> None:
        output = self.work / f"{way}-{number if 'finetune' in self.commands else 0}"
        words = {
            "finetune": ["finetune", str(self.work / DATA), "--model", str(self.model), "--recipe", "article"],
            "compare": ["compare"],
        }[command]
        ended = run([sys.executable, "-P", "-m", "toolkit", *words, "--output", str(output)], self.ways[way])
        used = any(line.startswith("warm: pid") for _, line in ended.lines)
        if ended.exit_code not in {0, 20, 21, 22} or used is not (way == "warm"):
            sys.exit(ended.tail)
        [folder] = output.glob("v*-*")
        digest = _digest(folder, command)
        if self.made.setdefault(command, digest) != digest:
            sys.exit(f"{command} {way}: another result than before")
        record = json.loads((folder / ("run.json" if command == "finetune" else "compare/report.json")).read_text())
        self.entries.append(
            {"command": command, "way": way, "turn": number, **ended.told(), "timings_s": record["timings_s"]}
        )
        print(f"{number} {command:8} {way:5} {ended.wall_s:6.2f} s, load {ended.load_before:.1f}", flush=True)

    def medians(self) -> dict[str, dict[str, float]]:
        return {
            command: {
                way: round(statistics.median(
                    one["wall_s"] for one in self.entries if (one["command"], one["way"]) == (command, way)
                ), 2)
                for way in self.ways
            }
            for command in self.commands
        }  # fmt: skip


def _digest(folder: Path, command: str) -> str:
    if command == "finetune":
        [adapter] = folder.glob("checkpoint-*/adapter_model.safetensors")
        return hashlib.sha256(adapter.read_bytes()).hexdigest()
    probes = json.loads((folder / "compare" / "report.json").read_text(encoding="utf-8"))["probes"]
    return hashlib.sha256(json.dumps(probes).encode()).hexdigest()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--probes", type=int, default=PROBES, choices=range(1, 101), metavar="1-100")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS)
    parser.add_argument("--other", type=Path, help="another checkout, whose commands take their turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sockets = Path(folder, "run")
        sockets.mkdir(mode=0o700)
        own = os.environ | OFFLINE | {"PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(sockets)}
        ways = {"cold": own | OFF, "warm": own}
        if options.other:
            ways = {"other": own | {"PYTHONPATH": str(options.other.resolve())} | OFF, **ways}
        bench = Bench(Path(folder), options.model, ways, options.commands, options.probes)
        up = run([sys.executable, "-P", "-m", "toolkit", "up", "--model", str(options.model)], own)
        if up.exit_code:
            sys.exit(up.tail)
        try:
            if "finetune" not in options.commands:
                bench.train()
            for number in range(options.repeat):
                bench.turn(number)
        finally:
            run([sys.executable, "-P", "-m", "toolkit", "down"], own)
    device = find_device()
    options.out.write_text(json.dumps({
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "device": device.to_dict(),
        "cores": len(os.sched_getaffinity(0)), "versions": versions(), "probes": options.probes,
        "model": options.model.name,
        "up_s": round(up.wall_s, 2), "medians_s": bench.medians(), "entries": bench.entries,
    }, indent=2) + "\n", encoding="utf-8")  # fmt: skip


if __name__ == "__main__":
    main()
