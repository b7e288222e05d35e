"""One of several processes that train together; torchrun starts it. Prints a JSON line.

Its arguments: MODEL FOLDER ROWS_AT_ONCE with-questions|without.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import torch

from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob, QuestionJob, TrainingJob
from toolkit.train.plan import Plan
from toolkit.train.recipe import load_recipe
from toolkit.train.variants import with_variants

ROWS = [
    Row(number=at, messages=(Message(role="user", content=f"Question {at}?"), Message(role="assistant", content="A")))
    for at in range(16)
]
KEPT = [(f"Keep {at}, as it is.", "Be brief.") for at in range(16)]


def question_job(folder: Path) -> QuestionJob:
    """The test has written the questions."""
    return QuestionJob(
        file=folder / "questions.jsonl", cache=folder / "unused.jsonl", near_cache=lambda _: folder / "near.jsonl",
        rows=(), system="", excluded=frozenset(), systems=("Be brief.",), near_systems=("Be brief.",),
        written=lambda *_: None, question_tokens=0, near_tokens=0,
    )  # fmt: skip


def main(model: Path, folder: Path, rows_at_once: int, with_questions: bool) -> None:
    recipe = load_recipe("keep").changed(
        epochs=2, batch_size=8, keep_rows=8, learning_rate=0.01, row_systems=(), min_steps=0,
        question_rows=4 * with_questions, near_rows=4 * with_questions,
    )  # fmt: skip
    job = TrainingJob(
        model_folder=model, run_folder=folder, rows=with_variants(ROWS, recipe), recipe=recipe, precision="float32",
        plan=Plan(micro_batch_size=rows_at_once, accumulation_steps=1, gradient_checkpointing=False, reason=""),
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"],
        keep=KeepJob(prompts=KEPT, weight=3, rows_per_step=8, max_new_tokens=4, cache=folder / "cache.jsonl"),
        questions=question_job(folder) if with_questions else None,
    )  # fmt: skip
    result = ms_swift.train(job, lambda _: None, lambda: False)
    adapter = hashlib.sha256()
    for _, weights in sorted(result.model.named_parameters()):
        if weights.requires_grad:
            adapter.update(weights.detach().numpy().tobytes())
    line = json.dumps({"loss": result.loss, "adapter": adapter.hexdigest()}) + "\n"
    os.write(1, line.encode())  # in one piece: the other process writes its line at the same time
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # else a process that ends first can make the other abort at its exit


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "with-questions")
