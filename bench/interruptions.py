"""Kills commands and fills disks at random moments, and counts what is wrong then (see tests/fakes/interruptions).

python bench/interruptions.py --kills 40 --full-disks 20 > bench/results/interruptions-tiny-cpu.json
Filling a disk mounts a tmpfs, which needs root. Exit code 1 if anything was wrong.
"""

import contextlib
import json
import os
import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", LOG_LEVEL="ERROR")

from tests.fakes.disk import disk
from tests.fakes.interruptions import Result, interruptions, prepare
from toolkit.core.files import data_folder, now


def summary(result: Result, *, seed: int) -> dict[str, object]:
    return {
        "interruptions": len(result.moments), "seed": seed,
        "by_command": Counter(name for name, _ in result.moments), "faults": result.faults,
    }  # fmt: skip


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--full-disks", type=int, default=20)
    parser.add_argument("--disk", default="300m", help="size of the disk that fills up")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from toolkit.train import ms_swift

    ms_swift.import_all()
    model = data_folder() / "tiny-qwen2"
    found: dict[str, object] = {"what": "kills and full disks at random moments", "measured_at": now()}
    results = []
    with tempfile.TemporaryDirectory() as work:
        prepared = prepare(Path(work) / "prepared", model)
        for kind, count in (("kills", options.kills), ("full_disks", options.full_disks)):
            place = Path(work) / kind
            full = kind == "full_disks"
            with disk(place, f"size={options.disk}") if full else contextlib.nullcontext():
                place.mkdir(exist_ok=True)
                results.append(interruptions(
                    prepared, place, count, seed=options.seed, full_disk=full,
                    echo=lambda line: print(line, file=sys.stderr, flush=True),
                ))  # fmt: skip
            found[kind] = summary(results[-1], seed=options.seed)
    print(json.dumps(found, indent=1))
    sys.exit(1 if any(result.faults for result in results) else 0)


if __name__ == "__main__":
    main()
