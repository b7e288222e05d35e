"""The article's commands on ms-swift 4's own command line, and what they tell of themselves. Starts no process.

As the article has them but for names that ms-swift 4 changed, a dropout of 0 (which is faster than its 0.05), a loss
told for each step, and rows that are put in another order once instead of twice: then ours are the same in each step.
"""

import json
import sys
from pathlib import Path
from typing import Any

SYSTEM = "You are a helpful assistant."
SWIFT = (sys.executable, "-m", "swift.cli.main")  # a process that starts another one: what `swift` is
# What ends each phase, in the log's words.
TRAINING_MARKS = {
    "import": "[INFO:swift] rank:",
    "load": "Start time of running main",
    "data": "model_parameter_info",
    "hub": "The logging file will be saved",
    "first step": "{'loss'",
    "steps": "Saving model checkpoint",
    "save": "End time of running main",
}
ASKING_MARKS = {
    "import": "[INFO:swift] rank:",
    "load": "Start time of running main",
    "data": "[INFO:swift] val_dataset:",
    "generate": "The inference results have been saved",
}


def _model(model: Path) -> list[str]:
    return ["--model", str(model), "--model_type", "qwen2", "--template", "qwen2_5", "--system", SYSTEM]


def training(model: Path, data: Path, output: Path, *, on_card: bool) -> list[str]:
    """On a CPU bfloat16 is refused without use_cpu, and float32 is what ours computes in there."""
    device = ["--torch_dtype", "bfloat16"] if on_card else ["--torch_dtype", "float32", "--use_cpu", "true"]
    settings = f"""
        --tuner_type lora --num_train_epochs 10 --learning_rate 1e-4 --warmup_ratio 0.05 --max_length 2048
        --lora_rank 8 --lora_alpha 32 --lora_dropout 0 --target_modules all-linear
        --per_device_train_batch_size 1 --per_device_eval_batch_size 1 --gradient_accumulation_steps 16
        --gradient_checkpointing true --dataloader_num_workers 4 --dataset_shuffle false --seed 42 --data_seed 42
        --eval_steps 50 --save_steps 50 --save_total_limit 2 --logging_steps 1
        --model_author swift --model_name swift-robot --output_dir {output}
    """
    return [*SWIFT, "sft", *_model(model), "--dataset", str(data), *device, *settings.split()]


def asking(model: Path, questions: Path, answers: Path, adapter: Path | None, max_new_tokens: int) -> list[str]:
    """Greedy, one question at a time: ms-swift's default."""
    settings = f"--infer_backend transformers --temperature 0 --max_new_tokens {max_new_tokens}"
    files = ["--val_dataset", str(questions), "--result_path", str(answers)]
    adapters = [] if adapter is None else ["--adapters", str(adapter)]
    return [*SWIFT, "infer", *_model(model), *adapters, *files, *settings.split()]


def training_told(output: Path) -> dict[str, Any]:
    """From the run's logging.jsonl: a loss a step, the seconds of training, the most memory reserved on the card."""
    (log,) = output.glob("v*-*/logging.jsonl")
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    memory = [entry["memory(GiB)"] for entry in entries if "memory(GiB)" in entry]
    return {
        "loss": [entry["loss"] for entry in entries if "loss" in entry],
        "train_s": next(entry["train_runtime"] for entry in entries if "train_runtime" in entry),
        "peak_gib": max(memory, default=None),
    }
