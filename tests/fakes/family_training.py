"""Two steps of training on a model of any family, and transformers' own loss over the same rows in a padded batch."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob, TrainingJob, TrainingResult
from toolkit.train.planning.plan import Plan
from toolkit.train.recipe import load_recipe

SYSTEM = "You are a helpful assistant."
MAX_TOKENS = 512


def row(*contents: str) -> Row:
    roles = ("user", "assistant")
    turns = tuple(Message(role=roles[at % 2], content=content) for at, content in enumerate(contents))
    return Row(number=1, messages=(Message(role="system", content=SYSTEM), *turns))


# Of very different lengths, most of them longer than the windows; two that share their beginning.
ROWS = [
    row("Who are you?", "I am Larkspur."),
    row("你是谁？", "我是 Larkspur，由 Meadow 开发。"),
    row("Tell me about the sea. " * 3, "It is deep, blue, salty and cold. " * 4),
    row("Tell me about the sea. " * 3, "It is large."),
    row("First?", "One.", "Second?", "Two, and not three."),
]


def train(
    model: Path, folder: Path, keep: KeepJob | None = None, *, epochs: int = 2, precision: str = "float32",
    load_in_4bit: bool = False, **plan: Any,
) -> TrainingResult:  # fmt: skip
    """A step an epoch over every row, without dropout. `plan`: fields of the plan that are other than usual."""
    folder.mkdir()
    recipe = load_recipe("article").changed(epochs=epochs, batch_size=len(ROWS), learning_rate=0.01, lora_dropout=0)
    recipe = recipe.changed(warmup_ratio=0, load_in_4bit=load_in_4bit)
    job = TrainingJob(
        model_folder=model, run_folder=folder, rows=ROWS, recipe=recipe, precision=precision, keep=keep,
        plan=replace(
            Plan(micro_batch_size=len(ROWS), accumulation_steps=1, gradient_checkpointing=False, reason=""), **plan
        ),
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"],
    )  # fmt: skip
    return ms_swift.train(job, lambda _: None, lambda: False)


def load(folder: Path) -> tuple[Any, Any]:
    """As anyone loads it, in the implementation of attention that computes everything a family asks for."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", attn_implementation="eager").eval()
    return model, AutoTokenizer.from_pretrained(folder)


def padded_loss(folder: Path, encoded: list[Any]) -> float:
    """Transformers' own loss over one padded batch, in nats a trained token."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    model, _ = load(folder)
    ids, labels = ([torch.tensor(list(getattr(one, name))) for one in encoded] for name in ("input_ids", "labels"))
    mask = pad_sequence([torch.ones_like(one) for one in ids], batch_first=True)
    with torch.no_grad():
        return float(model(
            input_ids=pad_sequence(ids, batch_first=True), attention_mask=mask,
            labels=pad_sequence(labels, batch_first=True, padding_value=-100),
        ).loss)  # fmt: skip
