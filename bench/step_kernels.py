"""What the card computes in one training step, by kernel: recipes one after another, any weights will do.

    python bench/step_kernels.py MODEL OUT.json article keep

Steps 8 and 9 of a training are profiled, both replayed where passes are captured; the training then ends, as Ctrl-C
would end it. `step_s` is what a step takes from start to end without the profiler, the median of four before.
"""

import argparse
import json
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from arguments import arguments_of_recipes
from columns import columns
from recipes import recipe_of

from toolkit.core.errors import Interrupted
from toolkit.core.events import Caller, StopRequests
from toolkit.model.device import find_device
from toolkit.runs.recording import versions
from toolkit.train import ms_swift
from toolkit.train.finetune import FinetuneConfig, finetune

SETTLED, PROFILED, TIMED = 7, 2, 4
SHOWN = 12
# A kernel's kind, by the first of these that its name holds.
KINDS = {
    "matrix products": ("nvjet", "gemm", "cutlass_", "splitKreduce", "gemv"),
    "attention": ("fmha", "flash", "attention"),
    "softmax": ("SoftMax",),
    "norms": ("layer_norm", "rms_norm", "LayerNorm"),
    "copies": ("copy", "Memcpy", "CatArray"),
    "reductions": ("reduce_kernel",),
    "elementwise": ("elementwise", "multi_tensor"),
}


def measure(spec: str, options: argparse.Namespace, output: Path) -> dict[str, Any]:
    """Seconds of a step, and its kernels as (name, count, milliseconds)."""
    ms_swift.import_all()
    from toolkit.train.ms_swift.trainer import PackedTrainer

    stop, took = StopRequests(lambda _: None), list[float]()
    profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
    unmeasured_step = PackedTrainer.training_step

    def step(trainer: Any, *inputs: Any, **more: Any) -> Any:
        if len(took) == SETTLED:
            profiler.start()
        torch.cuda.synchronize()
        began = time.perf_counter()
        loss = unmeasured_step(trainer, *inputs, **more)
        torch.cuda.synchronize()
        took.append(time.perf_counter() - began)
        if len(took) == SETTLED + PROFILED:
            profiler.stop()
            stop.requested = True
        return loss

    config = FinetuneConfig(data=options.data, recipe=recipe_of(spec), model=str(options.model), output=output)
    with patch.object(PackedTrainer, "training_step", step), suppress(Interrupted):  # as asked
        finetune(config, Caller(stop=stop, notify=lambda _: None))
    kernels = [
        (one.key, one.count / PROFILED, one.self_device_time_total / 1000 / PROFILED) for one in profiler.key_averages()
    ]
    return {
        "spec": spec, "step_s": round(statistics.median(took[SETTLED - TIMED : SETTLED]), 4),
        "kernels": [(name[:160], count, round(ms, 3)) for name, count, ms in sorted(kernels, key=lambda one: -one[2])],
    }  # fmt: skip


def kind_of(name: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "others")


def table(entry: dict[str, Any]) -> str:
    kinds = dict.fromkeys([*KINDS, "others"], (0.0, 0.0))
    for name, count, ms in entry["kernels"]:
        counted, spent = kinds[kind_of(name)]
        kinds[kind_of(name)] = counted + count, spent + ms
    kernels = sum(count for count, _ in kinds.values()), sum(ms for _, ms in kinds.values())
    rows = [[entry["spec"], "kernels", "ms"], *([kind, f"{n:.0f}", f"{ms:.1f}"] for kind, (n, ms) in kinds.items())]
    rows.append(["all", f"{kernels[0]:.0f}", f"{kernels[1]:.1f}"])
    rows.append(["a step, start to end", "", f"{entry['step_s'] * 1000:.1f}"])
    return columns(rows)


def main() -> None:
    parser = arguments_of_recipes(__doc__)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("Kernels are a card's, and there is none.")
    result: dict[str, Any] = {
        "what": "kernels of one training step, milliseconds", "model": options.model.name, "versions": versions(),
        "hardware": find_device().to_dict(), "entries": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as output:
        for spec in options.recipes:
            entry = measure(spec, options, Path(output))
            result["entries"].append(entry)
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            print(f"\n{table(entry)}\n", flush=True)
            for name, count, ms in entry["kernels"][:SHOWN]:
                print(f"{ms:8.2f} ms {count:6.0f}  {name[:100]}")


if __name__ == "__main__":
    main()
