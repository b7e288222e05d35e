"""The same rows through this toolkit, ms-swift and Unsloth, each as its own documentation says, in turn on one card.

    python bench/peers.py MODEL OUT.json --steps 30 --repeat 2
    python bench/peers.py RANDOM-7B OUT.json --make data/tiny-qwen2     # writes that architecture with random weights
    … --unsloth-path FOLDER      # where Unsloth is installed, with the libraries that it wants
    … --only toolkit swift --work mixed

LoRA of rank 16 on every projection, alpha 32, no dropout, bfloat16, no checkpointing, AdamW. `rows`: each of close to
--tokens tokens, one a step; `mixed`: rows of 20 to 900 tokens, with a median of 150, so many a step as have about
--tokens together. Nobody pays for padding in `rows`.

- `toolkit`: `toolkit finetune --recipe general --keep-weight 0`.
- `swift`: `swift sft --use_liger_kernel true`, torch's attention, padded passes of rows of similar length.
- `swift-packed`: the same with `--packing true`. It refuses that without a flash attention package, one of FLASH.
- `unsloth`: bench/peers_unsloth.py, packing by trl's SFTTrainer.

Each training is a process. `tokens_per_s`: of the rows, padding not counted, over the steps after the first
--warm; those steps have their share of all tokens. `step_s`: their median. One that fails is an entry with its last
lines. Without a card only the arithmetic is tried.
"""

import json
import os
import random
import re
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from arguments import arguments
from article import SWIFT
from columns import columns
from large import NOUNS, WORDS
from processes import Ended, run
from small_cards import make_seven

RANK, ALPHA = 16, 32
SHORTEST, MEDIAN, LONGEST = 20, 150, 900
SYSTEM = "You are a helpful assistant."
QUESTION_WORDS = 8
# Packages whose attention ms-swift packs with, and what it calls them.
FLASH = {"flash-attn": "flash_attention_2", "flash-attn-3": "flash_attention_3", "flash-attn-4": "flash_attention_4"}
PADDED_ROWS = 8  # of similar length, in a padded pass
STEP = re.compile(r"^\{.*'loss'")  # of transformers' own printer
Entry = dict[str, Any]


def lengths(work: str, options: Namespace) -> list[int]:
    """Of all rows, in tokens with the chat template's own."""
    chance = random.Random(0)  # noqa: S311  # the same rows at each call
    if work == "rows":
        return [options.tokens - 16] * options.steps
    found: list[int] = []
    while sum(found) < options.steps * options.tokens:
        found.append(min(max(round(MEDIAN * chance.lognormvariate(0, 0.8)), SHORTEST), LONGEST))
    return found


def conversations(wanted: Sequence[int], tokenizer: Any) -> tuple[list[Entry], int]:
    """Rows of made-up words with about so many tokens each, and the tokens of all as the chat template writes them."""
    chance, every = random.Random(1), [*WORDS.split(), *NOUNS.split()]  # noqa: S311
    rows, total = [], 0
    for length in wanted:
        system, question = SYSTEM, " ".join(chance.choices(every, k=min(QUESTION_WORDS, length // 4)))
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        room = length - len(tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]) - 2
        text = tokenizer.encode(" ".join(chance.choices(every, k=max(room, 4))), add_special_tokens=False)
        messages.append({"role": "assistant", "content": tokenizer.decode(text[: max(room, 4)])})
        total += len(tokenizer.apply_chat_template(messages)["input_ids"])
        rows.append({"messages": messages})
    return rows, total


def of_toolkit(model: Path, data: Path, output: Path, options: Namespace, rows_a_step: int) -> list[str]:
    settings = f"--recipe general --keep-weight 0 --epochs 1 --batch-size {rows_a_step} --output {output}"
    settings += f" --max-length {options.tokens}"
    return [sys.executable, "-m", "toolkit", "finetune", str(data), "--model", str(model), *settings.split()]


def of_swift(model: Path, data: Path, output: Path, options: Namespace, rows_a_step: int) -> list[str]:
    rows = min(rows_a_step, PADDED_ROWS)
    how = f"--attn_impl sdpa --group_by_length true --per_device_train_batch_size {rows}"
    return [*sft(model, data, output, options), *how.split(), "--gradient_accumulation_steps", str(rows_a_step // rows)]


def of_swift_packed(model: Path, data: Path, output: Path, options: Namespace, _: int) -> list[str]:
    how = f"--packing true --packing_length {options.tokens} --attn_impl {flash()} --per_device_train_batch_size 1"
    return [*sft(model, data, output, options), *how.split(), "--gradient_accumulation_steps", "1"]


def sft(model: Path, data: Path, output: Path, options: Namespace) -> list[str]:
    device = "--use_liger_kernel true --torch_dtype bfloat16" if on_card() else "--use_cpu true --torch_dtype float32"
    settings = f"""
        --model_type qwen2 --template qwen2_5 --tuner_type lora --lora_rank {RANK} --lora_alpha {ALPHA}
        --lora_dropout 0 --target_modules all-linear --gradient_checkpointing false --num_train_epochs 1
        --learning_rate 1e-4 --max_length {options.tokens} --logging_steps 1 --save_strategy no
        --split_dataset_ratio 0 --dataset_num_proc 1 --dataloader_num_workers 2 --report_to none
        --output_dir {output} {device}
    """
    return [*SWIFT, "sft", "--model", str(model), "--dataset", str(data), *settings.split()]


def of_unsloth(model: Path, data: Path, output: Path, options: Namespace, _: int) -> list[str]:
    script = Path(__file__).with_name("peers_unsloth.py")
    return [sys.executable, str(script), *map(str, (model, data, output)), "--tokens", str(options.tokens)]


COMMANDS: dict[str, Callable[[Path, Path, Path, Namespace, int], list[str]]] = {
    "toolkit": of_toolkit, "swift": of_swift, "swift-packed": of_swift_packed, "unsloth": of_unsloth,
}  # fmt: skip


def on_card() -> bool:
    import torch

    return torch.cuda.is_available()


def flash() -> str | None:
    """The attention that ms-swift packs with, if it is installed."""
    installed = {str(one.name).lower().replace("_", "-") for one in distributions()}
    return next((name for package, name in FLASH.items() if package in installed), None)


def environment(name: str, options: Namespace) -> dict[str, str]:
    found = {**os.environ, "TOOLKIT_WARM": "off", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    found |= {"MODELSCOPE_DOMAIN": "127.0.0.1:9", "MODELSCOPE_DOWNLOAD_MAX_RETRIES": "0"}
    if name == "unsloth":
        found |= {"UNSLOTH_DISABLE_STATISTICS": "1", "PYTHONPATH": options.unsloth_path or ""}
    return found


def step_times(name: str, ended: Ended, output: Path) -> list[float]:
    """When each step's loss was told, in seconds from some start."""
    if name == "toolkit":
        lines = (output / "latest" / "logging.jsonl").read_text(encoding="utf-8").splitlines()
        return [one["elapsed_s"] for one in map(json.loads, lines) if "loss" in one]
    return [second for second, line in ended.lines if STEP.search(line.strip())]


def measure(name: str, work: str, model: Path, data: Path, total: int, options: Namespace) -> Entry:
    rows = sum(1 for _ in data.open(encoding="utf-8"))
    rows_a_step = max(1, round(rows / options.steps))
    if name == "swift-packed" and flash() is None:
        return {
            "name": name,
            "work": work,
            "error": f"ms-swift packs with one of {', '.join(FLASH)}: none is installed.",
        }
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        command = COMMANDS[name](model, data, output, options, rows_a_step)
        ended = run(command, environment(name, options))
        entry: Entry = {"name": name, "work": work, **ended.told()}
        if name == "swift-packed":
            entry["attention"] = flash()
        try:
            at = step_times(name, ended, output)
            warm = min(options.warm, len(at) - 2)
            if ended.exit_code or warm < 0:
                raise ValueError("too few steps")  # noqa: TRY301
        except (OSError, ValueError) as error:
            return entry | {"error": f"{error}: {ended.tail}"}
    counted = len(at) - 1 - warm
    return entry | {
        "steps": len(at), "step_s": round(median(after - before for before, after in pairwise(at[warm:])), 4),
        "tokens_per_s": round(total * counted / len(at) / (at[-1] - at[warm])),
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--make", metavar="TOKENIZER", help="write the 7 B architecture to MODEL first")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warm", type=int, default=5, help="steps that are not counted")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--work", nargs="+", choices=("rows", "mixed"), default=["rows", "mixed"])
    parser.add_argument("--unsloth-path", help="PYTHONPATH of Unsloth's process")
    options = parser.parse_args(argv)
    if options.make and not (options.model / "config.json").is_file():
        make_seven(options.model, options.make)
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    card = torch.cuda.get_device_name() if on_card() else "none"
    result: dict[str, Any] = {"model": options.model.name, "card": card, "torch": torch.__version__,
                              "tokens": options.tokens, "work": {}, "entries": []}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for work in options.work:
            rows, total = conversations(lengths(work, options), tokenizer)
            data = Path(folder) / f"{work}.jsonl"
            data.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
            result["work"][work] = {"rows": len(rows), "tokens": total}
            for name in options.only * options.repeat:
                result["entries"].append(measure(name, work, options.model, data, total, options))
                options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
                print(json.dumps(result["entries"][-1])[:400], file=sys.stderr, flush=True)
    shown = [["work", "name", "steps", "step_s", "tokens_per_s", "card_peak_mib"]]
    shown += [[str(one.get(key, "-")) for key in shown[0]] for one in result["entries"]]
    print(columns(shown))


if __name__ == "__main__":
    main()
