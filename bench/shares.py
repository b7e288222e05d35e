"""A base model that several cards share, beside one that each of them has: seconds a step and memory of a card.

    python bench/shares.py OUT.json --cards 2                                  # 7 B, whole and shared out
    python bench/shares.py OUT.json --cards 4 --shapes 32b 72b --home /data    # 72 B takes 145 GB of disk

Weights are random, of Qwen2.5's shapes and in bfloat16, written layer by layer, so that no machine has to hold them;
`--layers` cuts a shape, for a small disk. Each is trained on rows of about 1300 tokens by recipe general without its
keep term: whole where that fits (`--only` says which), and shared out. `tokens_a_s`: as in cards.py; `bound_gib`: what
the plan announced; `reserved_gib`: what the fullest card took. `loss_difference`: from the whole one, relative. What a
card is left without by an error is told, and the others go on.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cards import difference, long_rows_text, step_times, toolkit
from processes import run

from toolkit.core.environment import SHARE_ON_CARDS
from toolkit.core.files import data_folder

GIB = 2**30
# hidden, intermediate, layers, heads, key heads
SHAPES = {
    "tiny": (256, 512, 4, 4, 2),
    "7b": (3584, 18944, 28, 28, 4),
    "32b": (5120, 27648, 64, 40, 8),
    "72b": (8192, 29568, 80, 64, 8),
}
VOCABULARY = 152_064
BOUND = re.compile(r"at most ([\d.]+) GiB of")
WAYS = {"whole": (), "shared": ("--shard",)}
Entry = dict[str, Any]


def make(folder: Path, shape: str, layers: int | None) -> Entry:
    """Writes the shape with the embedded model's tokenizer; its size and the seconds."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, Qwen2Config

    began = time.perf_counter()
    hidden, inner, depth, heads, key_heads = SHAPES[shape]
    tokenizer = AutoTokenizer.from_pretrained(data_folder() / "tiny-qwen2")
    vocabulary = len(tokenizer) if shape == "tiny" else VOCABULARY
    config = Qwen2Config(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers or depth,
        num_attention_heads=heads, num_key_value_heads=key_heads, max_position_embeddings=32768, dtype="bfloat16",
        tie_word_embeddings=False, eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id,
        architectures=["Qwen2ForCausalLM"],
    )  # fmt: skip
    with torch.device("meta"):
        tensors = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).state_dict()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    files: dict[str, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        part = re.search(r"\.layers\.(\d+)\.", name)
        files.setdefault(f"model-{part[1] if part else 'rest'}.safetensors", {})[name] = tensor
    folder.mkdir(parents=True)
    for file, of_file in files.items():
        save_file({name: _random(one, device) for name, one in of_file.items()}, folder / file, {"format": "pt"})
    size = sum(one.numel() * one.element_size() for one in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": {name: file for file, of in files.items() for name in of}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    config.save_pretrained(folder)
    GenerationConfig(eos_token_id=tokenizer.eos_token_id, do_sample=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"weights_gib": round(size / GIB, 1), "made_s": round(time.perf_counter() - began, 1)}


def _random(tensor: Any, device: str) -> Any:
    import torch

    if tensor.dim() == 1:  # norms and biases
        return torch.ones(tensor.shape, dtype=tensor.dtype)
    return (torch.randn(tensor.shape, device=device, dtype=tensor.dtype) * 0.02).cpu()


def measure(command: Sequence[str], output: Path) -> Entry:
    """One training; its error in place of figures where it fails."""
    found = run([*command, "--output", str(output)], os.environ | {"TOOLKIT_WARM": "off", SHARE_ON_CARDS: "1"})
    lines = [text for _, text in found.lines]
    entry: Entry = {**found.told(), "said": [one for one in lines if "shared out" in one or BOUND.search(one)]}
    if found.exit_code:
        return entry | {"error": lines[-3:]}
    folder = output / "latest"
    record, steps = json.loads((folder / "run.json").read_text(encoding="utf-8")), step_times(folder)
    bounds = [float(one[1]) for text in lines if (one := BOUND.search(text))]
    tokens = record["train"]["tokens"] / record["train"]["steps"]
    return entry | {
        "step_s": round(median(steps), 4), "tokens_a_s": round(tokens / median(steps)),
        "bound_gib": bounds[0] if bounds else None, "reserved_gib": round(record["peak_memory_bytes"] / GIB, 2),
        "rows": record["recipe"]["micro_batch_size"], "checkpointing": record["recipe"]["gradient_checkpointing"],
        "loss": record["train"]["loss"], "timings_s": record["timings_s"], "hardware": record["hardware"],
        "versions": record["versions"],
    }  # fmt: skip


def line(one: Entry) -> str:
    start = f"{one['shape']}, {one['way']}"
    if "error" in one:
        return f"{start}: {' '.join(one['error'])}"
    return (
        f"{start}: {one['step_s']} s a step, {one['tokens_a_s']} tokens/s, loaded in {one['timings_s']['load']:.0f} s, "
        f"{one['reserved_gib']} GiB a card (bound {one['bound_gib']}), {one['rows']} rows at once, "
        f"checkpointing {one['checkpointing']}, losses differ by {one['loss_difference']:.1e}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cards", type=int, default=2)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["7b"])
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--layers", type=int)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--home", type=Path, help="where the weights are written, one shape at a time")
    options = parser.parse_args(argv)
    found: list[Entry] = []
    with tempfile.TemporaryDirectory(dir=options.home) as home:
        rows, model, output = Path(home, "rows.jsonl"), Path(home, "model"), Path(home, "output")
        rows.write_text(long_rows_text(options.batch_size * options.steps), encoding="utf-8")
        for shape in options.shapes:
            made = make(model, shape, options.layers)
            print(f"{shape}: {made['weights_gib']} GiB of weights written in {made['made_s']} s", flush=True)
            for way in options.only:
                command = toolkit(
                    "finetune", rows, "--model", model, "--recipe", "general", "--keep-weight", "0", "--epochs", "1",
                    "--max-length", "4096", "--batch-size", options.batch_size, "--cards", options.cards, *WAYS[way],
                )  # fmt: skip
                entry = {"shape": shape, "way": way, "layers": options.layers, **made, **measure(command, output)}
                whole = next((one for one in found if one["shape"] == shape and "loss" in one), entry)
                if "loss" in entry:
                    entry["loss_difference"] = difference(whole["loss"], entry["loss"])
                found.append(entry)
                print(line(entry), flush=True)
                options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            shutil.rmtree(model)
    sys.exit(int(all("error" in one for one in found)))


if __name__ == "__main__":
    main()
