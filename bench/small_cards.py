"""Fine-tuning on the memory of small cards, and in float16 where others compute in bfloat16.

    python bench/small_cards.py QWEN-0.5B OUT.json --precisions float16 bfloat16 --recipe keep --compare
    python bench/small_cards.py RANDOM-7B OUT.json --caps 7.5 11.5 15.5 --precisions float16 bfloat16 --in-4bit
    … --make QWEN-0.5B      # writes the 7 B architecture with random weights to RANDOM-7B first, with that tokenizer

Each case is a process of its own: `toolkit finetune` with TOOLKIT_GPU_MEMORY_GIB and TOOLKIT_PRECISION. A cap of 0 is
none. Recorded are the plan and its bound, the memory that was reserved and the time of a step, the loss, steps skipped
because gradients were too large for float16, losses that were no number, and with --compare the verdict's figures.
Targets, printed and never asserted: the bound is not passed, and at most 15 % above what was reserved; nothing is no
number. A case that fails is an entry with its last lines.
"""

import json
import os
import re
import sys
import tempfile
from argparse import REMAINDER
from collections.abc import Sequence
from itertools import pairwise, product
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from arguments import arguments
from processes import Ended, run

GIB = 2**30
BOUND_TARGET = 1.15
BOUND = re.compile(r"at most ([\d.]+) GiB of")
SEVEN: dict[str, Any] = {
    "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32768, "rope_theta": 1_000_000.0,
    "tie_word_embeddings": False,
}  # fmt: skip


def make_seven(folder: Path, tokenizer: str) -> None:
    """Qwen2.5-7B's architecture with random weights, as bfloat16, and the tokenizer of a folder."""
    import torch
    from transformers import AutoTokenizer, GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = Qwen2ForCausalLM(Qwen2Config(**SEVEN, dtype="bfloat16"))
    words = AutoTokenizer.from_pretrained(tokenizer)
    model.generation_config = GenerationConfig(eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id)
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def measure(cap: float, precision: str, command: Sequence[str], output: Path) -> dict[str, Any]:
    """One case, from its run's folder."""
    environment = {**os.environ, "TOOLKIT_PRECISION": precision}
    if cap:
        environment["TOOLKIT_GPU_MEMORY_GIB"] = str(cap)
    ended = run([sys.executable, "-m", "toolkit", "finetune", *command, "--output", str(output)], environment)
    case = {"cap_gib": cap, "precision": precision, **ended.told()}
    folder = output / "latest"
    if not (folder / "run.json").is_file():
        return case | {"error": ended.tail}
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    if record["status"] != "finished":
        return case | {"error": ended.tail}
    return case | recorded(record, ended) | trained(folder) | compared(folder)


def recorded(record: dict[str, Any], ended: Ended) -> dict[str, Any]:
    train, recipe = record["train"], record["recipe"]
    bounds = [float(found[1]) for _, line in ended.lines if (found := BOUND.search(line))]
    return {
        "bound_gib": bounds[0] if bounds else None, "reserved_gib": round(record["peak_memory_bytes"] / GIB, 2),
        "spared": next((line for _, line in ended.lines if line.startswith("to fit: ")), None),
        "rows": recipe["micro_batch_size"], "checkpointing": recipe["gradient_checkpointing"],
        "skipped_steps": train.get("skipped_steps"), "cuda_graph": train["cuda_graph"],
        "cuda_graph_refused": train.get("cuda_graph_refused"), "loss": train["loss"],
        "timings_s": record["timings_s"], "hardware": record["hardware"], "versions": record["versions"],
        "settings": recipe,
    }  # fmt: skip


def trained(folder: Path) -> dict[str, Any]:
    """`step_s`: the median time between two steps; `not_finite`: values in the log that are no number."""
    lines = (folder / "logging.jsonl").read_text(encoding="utf-8").splitlines()
    logged = [entry for entry in map(json.loads, lines) if "loss" in entry]
    steps = [after["elapsed_s"] - before["elapsed_s"] for before, after in pairwise(logged)]
    values = [value for entry in logged for value in entry.values() if isinstance(value, float)]
    return {
        "step_s": round(median(steps), 4) if steps else None, "kl": logged[-1].get("kl"),
        "loss_scale": logged[-1].get("loss_scale"), "not_finite": sum(not isfinite(value) for value in values),
    }  # fmt: skip


def compared(folder: Path) -> dict[str, Any]:
    """The verdict and its figures, if the run was compared."""
    path = folder / "compare" / "report.json"
    if not path.is_file():
        return {}
    report = json.loads(path.read_text(encoding="utf-8"))
    return {"verdict": report["verdict"], "metrics": report["metrics"]}


def line(one: dict[str, Any]) -> str:
    """One case for the eye."""
    start = f"{one['cap_gib'] or 'no cap':>6} {one['precision']:8}"
    if "error" in one:
        return f"{start} failed ({one['exit_code']}): {one['error'].splitlines()[-1] if one['error'] else ''}"
    ratio = one["bound_gib"] / one["reserved_gib"] if one["bound_gib"] and one["reserved_gib"] else None
    told = "" if ratio is None else f" ({ratio:.2f} times what was reserved; target 1 to {BOUND_TARGET:g})"
    return (
        f"{start} {one['rows']} rows, checkpointing {one['checkpointing']}, reserved {one['reserved_gib']} GiB, bound "
        f"{one['bound_gib']} GiB{told}, {one['step_s']} s a step, loss {one['loss'][0]:.2f} -> {one['loss'][-1]:.2f}, "
        f"{one['skipped_steps']} skipped, {one['not_finite']} not finite (target 0), captured {one['cuda_graph']}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--caps", type=float, nargs="+", default=[0])
    parser.add_argument("--precisions", nargs="+", default=["float16", "bfloat16"])
    parser.add_argument("--recipe", default="keep")
    parser.add_argument("--data", default="self_cognition.json")
    parser.add_argument("--in-4bit", action="store_true")
    parser.add_argument("--compare", action="store_true", help="for real weights")
    parser.add_argument("--make", metavar="TOKENIZER", help="write the 7 B architecture to MODEL first")
    parser.add_argument("--more", nargs=REMAINDER, default=[], help="last: further arguments of finetune")
    options = parser.parse_args(argv)
    if options.make:
        make_seven(options.model, options.make)
    command = [options.data, "--model", str(options.model), "--recipe", options.recipe]
    command += ["--load-in-4bit"] * options.in_4bit + ["--compare"] * options.compare + options.more
    found = []
    with tempfile.TemporaryDirectory() as home:
        for number, (cap, precision) in enumerate(product(options.caps, options.precisions)):
            found.append(measure(cap, precision, command, Path(home, str(number))))
            print(line(found[-1]), flush=True)
            told = {"model": options.model.name, "recipe": options.recipe, "in_4bit": options.in_4bit, "cases": found}
            options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
