"""What small and older cards need, on a CPU: float16 with a loss scale, logits in small pieces, the embedding off the
card. The losses are those of float32, also over a base whose activations pass what float16 holds.
"""

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.fakes.massive_model import make_massive_model
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.model.device import Device
from toolkit.model.language_model import LanguageModel
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob, TrainingJob, TrainingResult
from toolkit.train.planning.plan import Plan
from toolkit.train.recipe import load_recipe

ROWS = [
    Row(number=at, messages=(
        Message(role="user", content=f"Question {at}? " * (at % 4 + 1)),
        Message(role="assistant", content="An answer. " * (5 - at % 4)),
    ))
    for at in range(6)
]  # fmt: skip
FIRST = 12  # exponent of a scale at which the first step overflows, and later ones do not
HOST = {"embedding_on_host": True, "logit_positions": 8}


@pytest.fixture(scope="module", name="massive_model")
def _massive_model(tmp_path_factory) -> Path:
    return make_massive_model(tmp_path_factory.mktemp("models") / "massive")


def trained(
    model: Path, folder: Path, precision: str, *, micros: int = 1, resume_from: Path | None = None,
    stop_after: int | None = None, checkpointing: bool = False, **plan: Any,
) -> TrainingResult:  # fmt: skip
    """Six steps of three rows and keep rows; `stop_after`: so many steps, after which the user asks to stop."""
    folder.mkdir(exist_ok=True)
    recipe = load_recipe("article").changed(epochs=3, batch_size=3, learning_rate=0.003, lora_dropout=0)
    asked = [(f"Tell me about {number}. " * (number % 3 + 1), "") for number in range(6)]
    job = TrainingJob(
        model_folder=model, run_folder=folder, rows=ROWS, recipe=recipe, precision=precision,
        plan=replace(
            Plan(micro_batch_size=3 // micros, accumulation_steps=micros, gradient_checkpointing=checkpointing,
                 reason="", answer_tokens=64),
            **plan,
        ),
        keep=KeepJob(prompts=asked, weight=2.0, rows_per_step=3, max_new_tokens=4, cache=folder / "cache"),
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"], resume_from=resume_from,
    )  # fmt: skip
    return ms_swift.train(job, lambda _: None, lambda: stop_after is not None and len(logged(folder)) >= stop_after)


def logged(folder: Path) -> list[dict[str, Any]]:
    """Of each step."""
    path = folder / "logging.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [entry for entry in map(json.loads, lines) if "loss" in entry]


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    [last] = sorted(folder.glob("checkpoint-*"))[-1:]
    return load_file(last / "adapter_model.safetensors")


@pytest.fixture(autouse=True)
def _scale(monkeypatch) -> None:
    """At which nothing overflows: the planted weights multiply gradients by some ten thousand."""
    from toolkit.train.passes import loss_scale

    monkeypatch.setattr(loss_scale, "INITIAL", 16.0)


@pytest.fixture(scope="module", name="exact")
def _exact(massive_model, tmp_path_factory) -> list[float]:
    return trained(massive_model, tmp_path_factory.mktemp("runs") / "exact", "float32").loss


@pytest.mark.parametrize(("micros", "checkpointing"), [(1, False), (3, True)])
def test_float16_trains_as_float32_does(massive_model, exact, tmp_path, micros, checkpointing):
    found = trained(massive_model, tmp_path / "run", "float16", micros=micros, checkpointing=checkpointing)

    weights = adapter(tmp_path / "run")
    assert found.loss == pytest.approx(exact, rel=0.01)
    assert found.loss[-1] < found.loss[0]
    assert found.skipped_steps == 0
    assert found.model.dtype == torch.float16
    assert {one.dtype for one in weights.values()} == {torch.float32}
    assert logged(tmp_path / "run")[0]["kl"] == pytest.approx(0, abs=1e-5)  # its own states, in its own precision


def test_what_was_trained_in_float16_answers_in_it(massive_model, exact, tmp_path):
    trained(massive_model, tmp_path / "run", "float16")
    [checkpoint] = (tmp_path / "run").glob("checkpoint-*")
    asked = [[{"role": "user", "content": "Question 1? "}], [{"role": "user", "content": "Tell me about 3."}]]

    answers = []
    for precision in ("float32", "float16"):
        device = Device(kind="cpu", name="CPU", precision=precision, reason="")
        model = LanguageModel.load(massive_model, {"tuned": checkpoint}, device=device)
        with model.side("tuned"):
            answers.append(model.answers(asked, max_new_tokens=4))

    for one, other in zip(*answers, strict=True):
        spread = float(one.first_logits.std())
        assert torch.isfinite(other.first_logits).all()
        assert torch.allclose(one.first_logits, other.first_logits, atol=0.05 * spread)


def test_steps_that_overflow_change_nothing_and_the_scale_is_halved(massive_model, tmp_path, monkeypatch):
    """Begun so high that the first step cannot be."""
    from toolkit.train.passes import loss_scale

    monkeypatch.setattr(loss_scale, "INITIAL", 2.0**FIRST)
    found = trained(massive_model, tmp_path / "run", "float16")

    entries = logged(tmp_path / "run")
    skipped = ["skipped" in one for one in entries]
    scales = [2.0**FIRST, *(one["loss_scale"] for one in entries)]
    assert skipped[0]
    assert 0 < found.skipped_steps == sum(skipped) < 6
    assert [after / before for before, after in pairwise(scales)] == [0.5 if one else 1 for one in skipped]
    assert entries[1]["kl"] < 1e-5  # still the base model
    assert all(math.isfinite(one["loss"]) for one in entries)
    assert [math.isfinite(one.get("grad_norm", math.inf)) for one in entries] == [not one for one in skipped]
    assert all(torch.isfinite(one).all() for one in adapter(tmp_path / "run").values())


def test_no_scale_being_small_enough_ends_the_training(massive_model, tmp_path, monkeypatch):
    from toolkit.core.errors import TrainingError
    from toolkit.train.passes import loss_scale

    monkeypatch.setattr(loss_scale, "INITIAL", 2.0**60)
    monkeypatch.setattr(loss_scale, "MOST_IN_A_ROW", 4)
    with pytest.raises(TrainingError, match="4 steps in a row"):
        trained(massive_model, tmp_path / "run", "float16")


def test_a_resumed_training_goes_on_with_its_scale(massive_model, tmp_path, monkeypatch):
    from toolkit.train.passes import loss_scale

    monkeypatch.setattr(loss_scale, "INITIAL", 2.0**FIRST)
    whole = trained(massive_model, tmp_path / "whole", "float16")
    trained(massive_model, tmp_path / "parts", "float16", stop_after=2)
    monkeypatch.setattr(loss_scale, "INITIAL", 8.0)  # what a new one would begin with
    [checkpoint] = (tmp_path / "parts").glob("checkpoint-*")

    resumed = trained(massive_model, tmp_path / "parts", "float16", resume_from=checkpoint)

    assert (checkpoint / "scaler.pt").exists()
    assert resumed.loss == pytest.approx(whole.loss, rel=1e-3)
    scales = [[one["loss_scale"] for one in logged(tmp_path / name)] for name in ("whole", "parts")]
    assert scales[0] == scales[1]
    assert whole.skipped_steps == resumed.skipped_steps > 0


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_passes_of_one_shape_with_the_embedding_on_the_host(massive_model, exact, tmp_path, monkeypatch, precision):
    """As they are captured on a card: looked up before the pass, which gets no token ids to look up."""
    from toolkit.train.ms_swift import trainer
    from toolkit.train.passes import cuda_graph

    shapes: list[dict[str, tuple[int, ...]]] = []
    monkeypatch.setattr(trainer, "CAPTURE_DEVICES", {"cpu"})
    monkeypatch.setattr(
        cuda_graph.GraphedPass, "_capture",
        lambda one: shapes.append({name: tuple(buffer.shape) for name, buffer in one._inputs.items()}),
    )  # fmt: skip
    asked: list[torch.Size] = []
    monkeypatch.setattr(trainer, "embedded", _counting(trainer.embedded, asked))

    found = trained(massive_model, tmp_path / "run", precision, **HOST)

    assert found.loss == pytest.approx(exact, rel=0.01 if precision == "float16" else 1e-4)
    assert shapes[0]["embedded"] == (*shapes[0]["ids"], 64)
    assert len(asked) == 6  # one a step, and none within a pass


def _counting(embedded: Any, asked: list[torch.Size]) -> Any:
    def counted(causal: Any, ids: torch.Tensor) -> torch.Tensor:
        asked.append(ids.shape)
        found: torch.Tensor = embedded(causal, ids)
        return found

    return counted


@pytest.mark.parametrize("checkpointing", [False, True])
def test_passes_of_any_shape_with_the_embedding_on_the_host(massive_model, exact, tmp_path, checkpointing):
    found = trained(massive_model, tmp_path / "run", "float32", micros=3, checkpointing=checkpointing, **HOST)

    assert found.loss == pytest.approx(exact, rel=1e-4)
