"""Steps captured as a CUDA graph: they train as eager ones do, and a refused capture is reported and harmless."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from toolkit.core.events import Caller, StopRequests
from toolkit.core.files import data_folder
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.model.device import reset_peak_memory
from toolkit.runs.run import Run
from toolkit.train import ms_swift
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.job import KeepJob, TrainingJob, TrainingResult
from toolkit.train.passes.cuda_graph import GraphedPass
from toolkit.train.planning.plan import Plan
from toolkit.train.recipe import load_recipe

pytestmark = pytest.mark.gpu

ROWS = [
    Row(
        number=at,
        messages=(
            Message(role="user", content=f"Question {at}? " * (at % 5 + 1)),
            Message(role="assistant", content="An answer. " * (6 - at % 5)),
        ),
    )
    for at in range(12)
]
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 5e-3}


def trained(model: Path, folder: Path, *, precision: str, micro_batches: int = 1, keep: bool = True) -> TrainingResult:
    """Twelve steps of three rows, with keep rows in the same passes."""
    folder.mkdir()
    recipe = load_recipe("article").changed(epochs=3, batch_size=3, learning_rate=0.003)
    prompts = [(f"Tell me about {number}. " * (number % 3 + 1), "") for number in range(8)]
    cache = folder / "cache.jsonl"
    job = TrainingJob(
        model_folder=model, run_folder=folder, rows=ROWS, recipe=recipe, precision=precision,
        plan=Plan(
            micro_batch_size=3 // micro_batches, accumulation_steps=micro_batches, gradient_checkpointing=False,
            reason="",
        ),
        keep=KeepJob(prompts=prompts, weight=2.0, rows_per_step=6, max_new_tokens=8, cache=cache) if keep else None,
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"],
    )  # fmt: skip
    return ms_swift.train(job, lambda _: None, lambda: False)


@pytest.fixture(name="replays")
def _replays(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry a replay of a graph."""
    replayed: list[object] = []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: replayed.append(graph) or replay(graph))
    return replayed


@pytest.fixture(name="without_graphs")
def _without_graphs() -> Iterator[pytest.MonkeyPatch]:
    from toolkit.train.ms_swift import trainer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "CAPTURE_DEVICES", set())
        yield patch


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("micro_batches", [1, 3])
@pytest.mark.parametrize("precision", list(TOLERANCE))
def test_captured_steps_equal_eager_steps(micro_model, tmp_path, replays, precision, micro_batches, keep):
    ms_swift.import_all()
    from toolkit.train.ms_swift import trainer

    how = {"precision": precision, "micro_batches": micro_batches, "keep": keep}

    captured = trained(micro_model, tmp_path / "captured", **how)
    replayed = len(replays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "CAPTURE_DEVICES", set())
        eager = trained(micro_model, tmp_path / "eager", **how)

    assert (captured.cuda_graph, captured.cuda_graph_refused, eager.cuda_graph) == (True, None, False)
    assert 6 * micro_batches <= replayed == len(replays)  # nearly every one of the 12 steps
    assert captured.loss == pytest.approx(eager.loss, rel=TOLERANCE[precision])
    assert captured.loss[-1] < captured.loss[0]


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_long_rows_with_a_line_each_are_captured_too(micro_model, tmp_path, replays, monkeypatch, micro_batches):
    ms_swift.import_all()
    from toolkit.train.passes import lines, shape

    how = {"precision": "bfloat16", "micro_batches": micro_batches, "keep": False}
    packed = trained(micro_model, tmp_path / "packed", **how)
    before, counted = len(replays), []
    attention = lines.causal_attention
    monkeypatch.setattr(lines, "causal_attention", lambda *given: counted.append(1) or attention(*given))
    monkeypatch.setattr(shape, "pays_from", lambda _: 1)
    monkeypatch.setattr(shape, "MOST_PADDING", 9)

    by_lines = trained(micro_model, tmp_path / "lines", **how)

    assert counted
    assert (by_lines.cuda_graph, by_lines.cuda_graph_refused) == (True, None)
    assert len(replays) - before >= 6 * micro_batches
    assert by_lines.loss == pytest.approx(packed.loss, rel=TOLERANCE["bfloat16"])


def tiny_run(output: Path, notices: list[str]) -> Run:
    recipe = load_recipe("tiny").changed(epochs=2.0, keep_max_new_tokens=8, precision="float32")
    config = FinetuneConfig(
        data="self_cognition.json", recipe=recipe, model=str(data_folder() / "tiny-qwen2"), output=output
    )
    return finetune(config, Caller(stop=StopRequests(notices.append), notify=notices.append))


def test_a_refused_capture_is_reported_and_training_still_succeeds(tmp_path, monkeypatch, without_graphs):
    eager, notices = tiny_run(tmp_path / "eager", []), []
    without_graphs.undo()
    from toolkit.train.ms_swift.keep_trainer import KeepTrainer

    losses = KeepTrainer.losses

    def losses_that_wait_for_the_card(trainer, model, batch):
        outputs = losses(trainer, model, batch)
        outputs["loss"].item()  # not permitted while a stream is being captured
        return outputs

    monkeypatch.setattr(KeepTrainer, "losses", losses_that_wait_for_the_card)
    refused = tiny_run(tmp_path / "refused", notices)

    train = refused.record.train
    assert (refused.status, train.cuda_graph) == ("finished", False)
    assert train.cuda_graph_refused
    assert "\n" not in train.cuda_graph_refused
    assert any("without a CUDA graph" in line and train.cuda_graph_refused in line for line in notices)
    assert train.loss == pytest.approx(eager.record.train.loss, rel=1e-3)

    reset_peak_memory()
    assert torch.cuda.memory_reserved() - torch.cuda.memory_allocated() < 64 * 2**20  # what it cached can be freed


def squares(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A loss with a gradient that depends on weights and inputs."""
    weights, given = squares.weights, batch["given"]
    return {"loss": ((weights * given) ** 2).sum(), "total": given.sum()}


def test_gradients_accumulate_over_replays_and_short_batches_are_filled():
    weights = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0], device="cuda"))
    squares.weights = weights
    passes = GraphedPass(squares, lambda loss: loss.backward(), [weights], {"given": 4}, fill={"given": 0})
    batches = [
        torch.tensor(one, dtype=torch.float32) for one in ([1, 2, 3, 4], [4, 3, 2, 1], [1, 1], [2, 0, 5, 1], [3])
    ]
    expected, totals = torch.zeros(4), []

    for number, given in enumerate(batches):
        if number in {0, 3}:  # an optimizer's step drops the gradients
            weights.grad, expected = None, torch.zeros(4)
        outputs = passes({"given": given})
        totals.append(outputs["total"])
        filled = torch.nn.functional.pad(given, (0, 4 - len(given)))
        expected = expected + 2 * torch.tensor([1.0, 2.0, 3.0, 4.0]) * filled**2
        torch.testing.assert_close(weights.grad.cpu(), expected)

    assert passes.replays
    assert passes.refused is None
    assert [one.item() for one in totals] == [10, 10, 2, 8, 3]  # later calls do not overwrite them
