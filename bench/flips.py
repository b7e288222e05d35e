"""Which flipped bytes of a run and of its base model are noticed before anything answers.

    python bench/flips.py RUN [--times 40]

Copies a run of the embedded model, flips one random bit of one file a time, and loads the run as compare, chat, serve
and export do (`run_side`, then the model with the adapter).
"""

import argparse
import random
import shutil
import tempfile
from pathlib import Path

from toolkit.compare.sides import loaded, run_side
from toolkit.core.errors import ToolkitError
from toolkit.core.files import data_folder
from toolkit.model.language_model import load_model
from toolkit.runs.run import find_run

ADAPTER = ("adapter_model.safetensors", "adapter_config.json")
BASE = ("model.safetensors", "tokenizer.json", "config.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run on tiny-qwen2")
    parser.add_argument("--times", type=int, default=40)
    options = parser.parse_args()
    random.seed(24)
    with tempfile.TemporaryDirectory() as work:
        base = Path(shutil.copytree(data_folder() / "tiny-qwen2", Path(work) / "tiny-qwen2"))
        run = Path(shutil.copytree(options.run, Path(work) / options.run.name))
        adapter = find_run(str(run), Path(work)).adapter
        print("| file | flips | refused | loaded | crashed |\n|---|---|---|---|---|")
        for file in [adapter / name for name in ADAPTER] + [base / name for name in BASE]:
            ends = [_flipped(file, run, base, Path(work)) for _ in range(options.times)]
            counts = " | ".join(str(ends.count(end)) for end in ("refused", "loaded", "crashed"))
            print(f"| {file.name} | {len(ends)} | {counts} |", flush=True)


def _flipped(file: Path, run: Path, base: Path, output: Path) -> str:
    intact = file.read_bytes()
    changed = bytearray(intact)
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)  # noqa: S311  # an experiment, not a secret
    file.write_bytes(changed)
    try:
        side = run_side(find_run(str(run), output), model=str(base))
        loaded(load_model, side.model, {side.key: side.adapter} if side.key and side.adapter else {})
    except ToolkitError:
        return "refused"
    except Exception as error:  # noqa: BLE001  # what is counted
        print(f"{file.name}: {type(error).__name__}: {error}")
        return "crashed"
    finally:
        file.write_bytes(intact)
    return "loaded"


if __name__ == "__main__":
    main()
