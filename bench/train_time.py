"""Time and memory of training alone, a recipe after another on one card: no comparison, any weights will do.

    python bench/train_time.py MODEL OUT.json article keep --repeat 3
    python bench/train_time.py MODEL OUT.json article keep --caps 0 23

A cap is the most GiB that may be reserved on the card, as TOOLKIT_GPU_MEMORY_GIB sets it; 0 is none.
The first run of a process also pays for what is made once (kernels chosen, memory first reserved): repeat.
"""

import argparse
import json
import os
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from arguments import arguments_of_recipes
from recipes import recipe_of

from toolkit.core.events import Caller, StopRequests
from toolkit.model.device import reset_peak_memory
from toolkit.train.finetune import FinetuneConfig, finetune


def measure(spec: str, options: argparse.Namespace, output: Path) -> dict[str, Any]:
    reset_peak_memory()
    caller = Caller(stop=StopRequests(print), notify=lambda _: None)
    config = FinetuneConfig(data=options.data, recipe=recipe_of(spec), model=str(options.model), output=output)
    run = finetune(config, caller)
    wanted = ("timings_s", "peak_memory_bytes", "train", "recipe", "hardware", "versions")
    return {"spec": spec, "memory_cap_gib": os.environ.get("TOOLKIT_GPU_MEMORY_GIB")} | {
        key: run.record.to_dict()[key] for key in wanted
    }


def line(entry: dict[str, Any]) -> str:
    """One entry for the eye."""
    timings, recipe = entry["timings_s"], entry["recipe"]
    return (
        f"{entry['spec']}: train {timings['train']:.2f} s, keep {timings['keep']:.2f} s, load {timings['load']:.2f} s, "
        f"total {timings['total']:.2f} s, {entry['train']['steps']} steps, "
        f"peak {entry['peak_memory_bytes'] / 2**30:.2f} GiB, {recipe['micro_batch_size']} rows at once, "
        f"checkpointing {recipe['gradient_checkpointing']}"
    )


def main() -> None:
    parser = arguments_of_recipes(__doc__)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--caps", type=float, nargs="+", default=[0])
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as output:
        for cap, _, spec in product(options.caps, range(options.repeat), options.recipes):
            if cap:  # never lifted again: name no cap first
                os.environ["TOOLKIT_GPU_MEMORY_GIB"] = str(cap)
            results.append(measure(spec, options, Path(output)))
            print(line(results[-1]), flush=True)
            options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
