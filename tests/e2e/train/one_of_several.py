"""One of several processes that train together; torchrun starts it: MODEL FOLDER ROWS_AT_ONCE. Prints a JSON line."""

import hashlib
import json
import sys
from pathlib import Path

from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob, TrainingJob
from toolkit.train.plan import Plan
from toolkit.train.recipe import load_recipe
from toolkit.train.rows import with_variants

ROWS = [
    Row(number=at, messages=(Message(role="user", content=f"Question {at}?"), Message(role="assistant", content="A")))
    for at in range(16)
]
KEPT = [(f"Keep {at}, as it is.", "Be brief.") for at in range(16)]


def main(model: Path, folder: Path, rows_at_once: int) -> None:
    recipe = load_recipe("keep").changed(epochs=2, batch_size=8, keep_rows=8, learning_rate=0.01, row_systems=())
    job = TrainingJob(
        model_folder=model, run_folder=folder, rows=with_variants(ROWS, recipe), recipe=recipe, precision="float32",
        plan=Plan(micro_batch_size=rows_at_once, accumulation_steps=1, gradient_checkpointing=False, reason=""),
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"],
        keep=KeepJob(prompts=KEPT, weight=3, rows_per_step=8, max_new_tokens=4, cache=folder / "cache.jsonl"),
    )  # fmt: skip
    result = ms_swift.train(job, lambda _: None, lambda: False)
    adapter = hashlib.sha256()
    for _, weights in sorted(result.model.named_parameters()):
        if weights.requires_grad:
            adapter.update(weights.detach().numpy().tobytes())
    print(json.dumps({"loss": result.loss, "adapter": adapter.hexdigest()}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
