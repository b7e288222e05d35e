"""How long `toolkit lab` takes from a save of the data to the verdict on it.

    python bench/lab_time.py MODEL OUT.json --recipe article --saves 3

The first verdict also pays for imports, the load and the base model's answers; each save changes one row.
The data are the shipped ones, with 48 of the probes beside them, under one system prompt. No network is reached.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from arguments import arguments
from run import DATA, OFFLINE, lay_out

from toolkit.model.device import find_device
from toolkit.runs.recording import versions

WAITING = "Waiting for a change"


def verdict_s(stream: subprocess.Popen[str], began: float) -> float:
    """Until it waits for the next version. Raises SystemExit where it ended instead."""
    assert stream.stderr
    said = []
    for line in stream.stderr:
        said.append(line)
        if WAITING in line:
            return round(time.perf_counter() - began, 2)
    sys.exit("".join(said[-15:]))


def save(data: Path, number: int) -> None:
    rows = json.loads(data.read_text(encoding="utf-8"))
    rows[-1]["output"] = f"{rows[-1]['output'].split(' #')[0]} #{number}"
    data.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--recipe", default="article")
    parser.add_argument("--saves", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        lay_out(work, 48)
        command = [sys.executable, "-m", "toolkit", "lab", str(work / DATA), "--model", str(options.model),
                   "--recipe", options.recipe, "--output", str(work / "output")]  # fmt: skip
        began = time.perf_counter()
        with subprocess.Popen(
            command, env=os.environ | OFFLINE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as lab:  # fmt: skip
            try:
                took = [verdict_s(lab, began)]
                for number in range(options.saves):
                    save(work / DATA, number)
                    took.append(verdict_s(lab, time.perf_counter()))
            finally:
                lab.send_signal(signal.SIGINT)
    result = {
        "what": "seconds from a save to the verdict, the first from the process's start",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "model": options.model.name, "recipe": options.recipe,
        "versions": versions(), "hardware": find_device().to_dict(), "first_s": took[0], "saved_s": took[1:],
    }  # fmt: skip
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"the first verdict {took[0]} s; then {', '.join(map(str, took[1:]))} s")


if __name__ == "__main__":
    main()
