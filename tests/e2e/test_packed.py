"""Rows laid end to end: the losses are ms-swift's own, step by step, also where every pass is given one shape."""

import contextlib
import json
from pathlib import Path

import pytest

from toolkit import swift
from toolkit.dataset import Message, Row
from toolkit.plan import Plan
from toolkit.recipe import load_recipe


def conversation(*turns: str) -> Row:
    roles = ("user", "assistant")
    return Row(
        number=1, messages=tuple(Message(role=roles[at % 2], content=turn) for at, turn in enumerate(turns))
    )  # fmt: skip


ROWS = [
    *(conversation(f"Question {at}? " * (at + 1), "An answer. " * (9 - at)) for at in range(8)),
    conversation("First?", "One.", "Second?", "Two."),
]


def losses(model: Path, folder: Path, *, micros: int, checkpointing: bool = False) -> list[float]:
    """Three rows a step, in one piece or in three; the ninth row makes the last step of an epoch whole."""
    folder.mkdir()
    recipe = load_recipe("article").changed(epochs=2, batch_size=3, learning_rate=0.01)
    job = swift.TrainingJob(
        model_folder=model, run_folder=folder, rows=ROWS, recipe=recipe, precision="float32",
        plan=Plan(
            micro_batch_size=3 // micros, accumulation_steps=micros, gradient_checkpointing=checkpointing, reason=""
        ),
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"],
    )  # fmt: skip
    return swift.train(job, lambda _: None, lambda: False).loss


@pytest.fixture(scope="module", name="of_ms_swift")
def _of_ms_swift(micro_model, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        from swift.trainers import Seq2SeqTrainer

        from toolkit.swift import pipeline

        patch.setattr(Seq2SeqTrainer, "captured", None, raising=False)
        patch.setattr(pipeline, "trained_by", lambda _: contextlib.nullcontext())
        return losses(micro_model, tmp_path_factory.mktemp("theirs") / "run", micros=1)


@pytest.mark.parametrize(("micros", "checkpointing"), [(1, False), (3, False), (1, True)])
def test_the_losses_are_those_of_ms_swift(micro_model, of_ms_swift, tmp_path, micros, checkpointing):
    ours = losses(micro_model, tmp_path / "run", micros=micros, checkpointing=checkpointing)

    assert len(ours) == 6
    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert ours[-1] < ours[0]


@pytest.mark.parametrize("micros", [1, 3])
def test_they_are_in_passes_of_one_shape_too(micro_model, of_ms_swift, tmp_path, monkeypatch, micros):
    from toolkit.swift import captured, packed

    shapes = set()
    monkeypatch.setattr(packed, "CAPTURING", {"cpu"})

    def seen_instead(self):  # there is no graph without a card
        shapes.add(tuple((name, tuple(held.shape)) for name, held in self._held.items()))

    monkeypatch.setattr(captured.CapturedPass, "_capture", seen_instead)
    ours = losses(micro_model, tmp_path / "run", micros=micros)

    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert len(shapes) == 1
