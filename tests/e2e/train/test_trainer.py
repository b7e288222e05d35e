"""Rows laid end to end: the losses are ms-swift's own, step by step, also where every pass is given one shape."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import TrainingError
from toolkit.data.dataset import Row
from toolkit.data.encoding import Encoded
from toolkit.data.formats import Message
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob, QuestionJob, TrainingJob
from toolkit.train.planning.memory import Need, pass_tokens
from toolkit.train.planning.plan import Plan
from toolkit.train.questions.question import Question, write_file
from toolkit.train.recipe import load_recipe


def conversation(*turns: str) -> Row:
    roles = ("user", "assistant")
    return Row(
        number=1, messages=tuple(Message(role=roles[at % 2], content=turn) for at, turn in enumerate(turns))
    )  # fmt: skip


ROWS = [
    *(conversation(f"Question {at}? " * (at + 1), "An answer. " * (9 - at)) for at in range(8)),
    conversation("First?", "One.", "Second?", "Two."),
]


def losses(
    model: Path, folder: Path, *, micros: int, checkpointing: bool = False, keep: KeepJob | None = None,
    tokens: Sequence[Encoded] = (), questions: QuestionJob | None = None, **settings: Any,
) -> list[float]:  # fmt: skip
    """Three rows a step, in one piece or in three; the ninth row makes the last step of an epoch whole."""
    folder.mkdir()
    recipe = load_recipe("article").changed(epochs=2, batch_size=3, learning_rate=0.01, **settings)
    job = TrainingJob(
        model_folder=model, run_folder=folder, rows=ROWS, recipe=recipe, precision="float32",
        plan=Plan(
            micro_batch_size=3 // micros, accumulation_steps=micros, gradient_checkpointing=checkpointing, reason=""
        ),
        tokens=tokens, keep=keep, questions=questions,
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"],
    )  # fmt: skip
    return ms_swift.train(job, lambda _: None, lambda: False).loss


@pytest.fixture(scope="module", name="of_ms_swift")
def _of_ms_swift(micro_model, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        from swift.trainers import Seq2SeqTrainer

        from toolkit.train.ms_swift import pipeline

        patch.setattr(Seq2SeqTrainer, "graphed_pass", None, raising=False)
        patch.setattr(pipeline, "PackedTrainer", Seq2SeqTrainer)
        return losses(micro_model, tmp_path_factory.mktemp("theirs") / "run", micros=1)


@pytest.mark.parametrize(("micros", "checkpointing"), [(1, False), (3, False), (1, True)])
def test_the_losses_are_those_of_ms_swift(micro_model, of_ms_swift, tmp_path, micros, checkpointing):
    ours = losses(micro_model, tmp_path / "run", micros=micros, checkpointing=checkpointing)

    assert len(ours) == 6
    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert ours[-1] < ours[0]


def test_rows_encoded_beforehand_train_as_rows_that_the_pipeline_encodes(micro_model, tmp_path):
    tokens = ms_swift.encoder(micro_model, 2048).encode(ROWS)

    assert losses(micro_model, tmp_path / "tokens", micros=1, tokens=tokens) == losses(
        micro_model, tmp_path / "rows", micros=1
    )


def test_tokens_of_other_rows_are_refused(micro_model, tmp_path):
    tokens = ms_swift.encoder(micro_model, 2048).encode(ROWS[1:])

    with pytest.raises(TrainingError, match="9 rows came with the tokens of 8"):
        losses(micro_model, tmp_path / "run", micros=1, tokens=tokens)


def test_another_trainer_than_ours_is_refused(micro_model, tmp_path, monkeypatch):
    from toolkit.train.ms_swift import pipeline

    monkeypatch.setattr(pipeline, "using_trainer", lambda _: contextlib.nullcontext())

    with pytest.raises(TrainingError, match="built a Seq2SeqTrainer instead of the PackedTrainer"):
        losses(micro_model, tmp_path / "run", micros=1)


@pytest.fixture(name="shapes")
def _shapes(monkeypatch) -> set[tuple[object, ...]]:
    """The shapes of what passes are computed from, where they are to be captured; without a card there is no graph."""
    from toolkit.train.ms_swift import trainer
    from toolkit.train.passes import cuda_graph

    shapes = set()
    monkeypatch.setattr(trainer, "CAPTURE_DEVICES", {"cpu"})
    monkeypatch.setattr(
        cuda_graph.GraphedPass, "_capture",
        lambda one: shapes.add(tuple((name, tuple(buffer.shape)) for name, buffer in one._inputs.items())),
    )  # fmt: skip
    return shapes


@pytest.mark.parametrize("micros", [1, 3])
def test_they_are_in_passes_of_one_shape_too(micro_model, of_ms_swift, tmp_path, shapes, micros):
    ours = losses(micro_model, tmp_path / "run", micros=micros)

    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert len(shapes) == 1


def keep_job(cache: Path) -> KeepJob:
    asked = [(f"Tell me about {number}. " * number, "") for number in range(1, 9)]
    return KeepJob(prompts=asked, weight=2.0, rows_per_step=6, max_new_tokens=8, cache=cache)


@pytest.mark.parametrize("micros", [1, 3])
@pytest.mark.parametrize("draws", [64, 1])  # … and where many a batch needs two passes
def test_and_with_keep_rows(micro_model, tmp_path, shapes, monkeypatch, micros, draws):
    from toolkit.train.ms_swift import trainer
    from toolkit.train.passes import batch

    monkeypatch.setattr(batch, "DRAWS", draws)
    ours = losses(micro_model, tmp_path / "one_shape", micros=micros, keep=keep_job(tmp_path / "cache"))
    monkeypatch.setattr(trainer, "CAPTURE_DEVICES", set())
    any_shape = losses(micro_model, tmp_path / "any_shape", micros=micros, keep=keep_job(tmp_path / "cache"))

    assert ours == pytest.approx(any_shape, rel=1e-4)
    assert len(shapes) == 1


def question_job(file: Path, count: int) -> QuestionJob:
    """Questions of very different lengths, so that a mean of means is another loss."""
    write_file(file, [
        Question(prompt=f"Number {at}?", scope="in", answer="Word. " * (at + 1), kind=("a", "b")[at % 2])
        for at in range(count)
    ])  # fmt: skip
    return QuestionJob(
        file=file, cache=file.with_name("unused"), near_cache=lambda _: file.with_name("near"), rows=(), system="",
        excluded=frozenset(), systems=("", "Be brief."), near_systems=("",), written=lambda *_: None,
        question_tokens=0, near_tokens=0,
    )  # fmt: skip


@pytest.mark.parametrize("count", [10, 3])  # of three questions one a step, and rows in the place of two others
def test_questions_count_as_the_steps_tokens_however_it_is_cut(micro_model, tmp_path, shapes, monkeypatch, count):
    questions = question_job(tmp_path / "questions.jsonl", count)
    in_one, in_three = (
        losses(micro_model, tmp_path / str(micros), micros=micros, questions=questions, question_rows=3)
        for micros in (1, 3)
    )
    from toolkit.train.ms_swift import trainer

    monkeypatch.setattr(trainer, "CAPTURE_DEVICES", set())
    any_shape = losses(micro_model, tmp_path / "any_shape", micros=1, questions=questions, question_rows=3)

    assert in_three == pytest.approx(in_one, rel=1e-4)
    assert any_shape == pytest.approx(in_one, rel=1e-4)
    assert in_one != pytest.approx(losses(micro_model, tmp_path / "without", micros=1), rel=1e-3)
    assert len(shapes) >= 2  # one for whole steps, one for their thirds


def test_a_step_of_questions_is_the_mean_over_all_of_its_tokens(micro_model, tmp_path):
    """The first loss by hand: an adapter that starts at zero is the base model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from toolkit.train.ms_swift import trainer

    steps = []
    drawn = trainer.PackedTrainer.get_batch_samples

    def watch(self, *given):
        batches, tokens = drawn(self, *given)
        steps.append(([one for batch in batches for one in batch["sequences"]], int(tokens)))
        return batches, tokens

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.PackedTrainer, "get_batch_samples", watch)
        found = losses(
            micro_model, tmp_path / "run", micros=3, questions=question_job(tmp_path / "q.jsonl", 10), question_rows=3
        )
    model = AutoModelForCausalLM.from_pretrained(micro_model)
    sequences, tokens = steps[0]
    total = 0.0
    for one in sequences:
        with torch.no_grad():
            logits = model(input_ids=one.ids[None]).logits[0, one.positions].float()
        total += float(torch.nn.functional.cross_entropy(logits, one.targets, reduction="sum"))
    tokenizer = AutoTokenizer.from_pretrained(micro_model)
    texts = [tokenizer.decode(one.ids) for one in sequences]

    assert len(sequences) == 6
    assert sum("user\nNumber " in text for text in texts) == 3
    assert all(text.endswith("<|im_end|>") for text in texts if "user\nNumber " in text)
    assert tokens == sum(len(one.targets) for one in sequences)
    assert found[0] == pytest.approx(total / tokens, rel=1e-4)


def test_the_least_number_of_steps_goes_on_to_further_epochs(micro_model, tmp_path):
    assert len(losses(micro_model, tmp_path / "more", micros=1, min_steps=10)) == 10
    assert len(losses(micro_model, tmp_path / "enough", micros=1, min_steps=6)) == 6


@pytest.mark.parametrize("checkpointing", [False, True])
def test_norms_in_one_kernel_change_nothing(micro_model, of_ms_swift, tmp_path, monkeypatch, checkpointing):
    from toolkit.train.passes import kernels

    monkeypatch.setattr(kernels, "FUSED_DEVICES", {"cpu"})
    counted = []
    fused = kernels._fused_norm
    monkeypatch.setattr(kernels, "_fused_norm", lambda norm, states: counted.append(norm) or fused(norm, states))

    ours = losses(micro_model, tmp_path / "run", micros=1, checkpointing=checkpointing)

    assert counted
    assert ours == pytest.approx(of_ms_swift, rel=1e-4)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_layer_and_its_adapter_as_one_function_change_nothing(
    micro_model, of_ms_swift, tmp_path, monkeypatch, checkpointing
):
    from toolkit.train.passes import adapters

    monkeypatch.setattr(adapters, "FUSED_DEVICES", {"cpu"})
    counted = []
    fused = adapters.AdaptedLinear.apply
    monkeypatch.setattr(adapters.AdaptedLinear, "apply", lambda *given: counted.append(1) or fused(*given))

    ours = losses(micro_model, tmp_path / "run", micros=1, checkpointing=checkpointing)

    assert counted
    assert ours == pytest.approx(of_ms_swift, rel=1e-4)


@pytest.mark.parametrize(("micros", "checkpointing"), [(1, False), (3, False), (1, True)])
def test_long_passes_are_computed_by_the_ends_of_their_rows(
    micro_model, of_ms_swift, tmp_path, monkeypatch, micros, checkpointing
):
    """With the definition in the place of the card's kernel. Later calls of the same model have its own attention."""
    from tests.fakes.attention import attention_of_spans
    from toolkit.train.ms_swift import trainer
    from toolkit.train.passes import end_to_end, shape

    counted = []
    monkeypatch.setattr(end_to_end, "flash", lambda *given: counted.append(1) or attention_of_spans(*given))
    monkeypatch.setattr(trainer, "CAPTURE_DEVICES", {"cpu"})
    monkeypatch.setattr(shape, "pays_from", lambda _: 1)
    monkeypatch.setattr(shape, "MOST_PADDING", -1)  # none is captured
    asked = []
    monkeypatch.setattr(shape, "serves", lambda causal: asked.append(causal) or True)

    ours = losses(micro_model, tmp_path / "run", micros=micros, checkpointing=checkpointing)

    assert counted
    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert [one.config._attn_implementation for one in asked] == ["sdpa"]


@pytest.mark.parametrize(("micros", "checkpointing"), [(1, False), (3, False), (1, True)])
def test_parts_of_long_passes_may_be_one_kernel_each(
    micro_model, of_ms_swift, tmp_path, monkeypatch, micros, checkpointing
):
    """With definitions in the place of the card's kernels, which are not asked for before a pass is long."""
    from tests.fakes.attention import attention_of_spans
    from tests.fakes.parts import by_definition
    from toolkit.train.ms_swift import trainer
    from toolkit.train.passes import end_to_end, shape

    counted = by_definition(monkeypatch)
    monkeypatch.setattr(end_to_end, "flash", attention_of_spans)
    monkeypatch.setattr(trainer, "CAPTURE_DEVICES", {"cpu"})
    monkeypatch.setattr(shape, "serves", lambda _: True)
    monkeypatch.setattr(shape, "MAX_GRAPH_TOKENS", 0)
    losses(micro_model, tmp_path / "short", micros=1)
    assert not counted
    monkeypatch.setattr(shape, "pays_from", lambda _: 1)
    monkeypatch.setattr(shape, "MOST_PADDING", -1)  # none is captured

    ours = losses(micro_model, tmp_path / "run", micros=micros, checkpointing=checkpointing)

    assert all(counted[name] > len(ours) for name in ("gated_product", "rotated", "of_logits"))
    assert ours == pytest.approx(of_ms_swift, rel=1e-4)


@pytest.fixture(name="lines")
def _lines(monkeypatch, shapes) -> list[str]:
    """How the attention of each long pass was computed, where all of them have one shape."""
    from tests.fakes.attention import attention_of_spans
    from toolkit.train.passes import end_to_end, lines, shape

    counted: list[str] = []
    by_definition = lines.causal_attention
    monkeypatch.setattr(lines, "causal_attention", lambda *given: counted.append("lines") or by_definition(*given))
    monkeypatch.setattr(end_to_end, "flash", lambda *given: counted.append("ends") or attention_of_spans(*given))
    monkeypatch.setattr(shape, "pays_from", lambda _: 1)
    monkeypatch.setattr(shape, "serves", lambda _: True)
    monkeypatch.setattr(shape, "MOST_PADDING", 9)
    return counted


@pytest.mark.parametrize(("micros", "checkpointing"), [(1, False), (3, False), (1, True)])
def test_long_rows_of_one_length_have_a_line_each(
    micro_model, of_ms_swift, tmp_path, shapes, lines, micros, checkpointing
):
    ours = losses(micro_model, tmp_path / "run", micros=micros, checkpointing=checkpointing)

    assert set(lines) == {"lines"}
    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert len(shapes) == 1


def test_a_long_pass_that_does_not_fit_ends_the_capturing(
    micro_model, of_ms_swift, tmp_path, monkeypatch, shapes, lines
):
    """Else it would need memory beside the graph's."""
    from toolkit.train.ms_swift import trainer

    passes, lay_out = [], trainer.lay_out_split

    def two_fit(*given, **how):
        passes.append(1)
        return lay_out(*given, **how) if len(passes) < 3 else None

    monkeypatch.setattr(trainer, "lay_out_split", two_fit)

    ours = losses(micro_model, tmp_path / "run", micros=1)

    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert len(passes) == 3
    assert len(shapes) == 1
    assert lines == sorted(lines, reverse=True)  # by lines, then by ends
    assert set(lines) == {"lines", "ends"}


def test_nothing_long_is_captured_where_the_model_is_evaluated_meanwhile(
    micro_model, of_ms_swift, tmp_path, shapes, lines, monkeypatch
):
    from toolkit.train.ms_swift.trainer import PackedTrainer

    monkeypatch.setattr(PackedTrainer, "evaluates", property(lambda _: True, lambda *_: None))

    ours = losses(micro_model, tmp_path / "run", micros=1)

    assert ours == pytest.approx(of_ms_swift, rel=1e-4)
    assert not shapes
    assert set(lines) == {"ends"}


def test_short_passes_are_not(micro_model, tmp_path, monkeypatch, shapes):
    from toolkit.train.passes import shape

    monkeypatch.setattr(shape, "serves", lambda _: True)
    losses(micro_model, tmp_path / "run", micros=1)

    assert len(shapes) == 1


@pytest.mark.parametrize(("max_new_tokens", "batches"), [(8, 4), (32, 4), (64, 2), (200, 1)])
def test_the_longer_keep_answers_may_be_the_fewer_are_made_at_once(micro_model, tmp_path, max_new_tokens, batches):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from toolkit.model.language_model import BATCH_SIZE, LanguageModel
    from toolkit.train.ms_swift.base_answers import keep_answers

    asked = [(f"Tell me about {number}.", "") for number in range(4 * BATCH_SIZE["cpu"] + 1)]
    job = KeepJob(prompts=asked, weight=1, rows_per_step=1, max_new_tokens=max_new_tokens, cache=tmp_path / "cache")
    done: list[int] = []

    model, tokenizer = (one.from_pretrained(micro_model) for one in (AutoModelForCausalLM, AutoTokenizer))
    keep_answers(LanguageModel(model, tokenizer), job, lambda event: done.append(event.done))

    assert done[0] == batches * BATCH_SIZE["cpu"]
    assert done[-1] == len(asked)


@pytest.mark.parametrize("micros", [1, 3])
def test_passes_have_the_rows_that_the_plan_reckons_with(micro_model, tmp_path, shapes, monkeypatch, micros):
    """In both epochs; the largest has as many tokens as was said, and the shape of all no more than planned."""
    from toolkit.train.ms_swift import trainer
    from toolkit.train.passes import packing
    from toolkit.train.passes.order import epoch_order, pass_row_tokens

    encoded = ms_swift.encoder(micro_model, 2048).encode(ROWS)
    lengths, seed = [len(one.input_ids) for one in encoded], load_recipe("article").seed
    most = {int(rows): tokens for rows, tokens in pass_row_tokens(lengths, 3, seed, 2).items()}
    need = Need(
        recipe=load_recipe("article").changed(batch_size=3), config={}, stored_bytes=0,
        longest_row_tokens=max(lengths), pass_row_tokens=most,
    )  # fmt: skip
    seen: list[list[list[int]]] = []
    taken = trainer.PackedTrainer.sequences

    def watch(self, inputs):
        found = taken(self, inputs)
        seen.append([one.ids.tolist() for one in found])
        return found

    monkeypatch.setattr(trainer.PackedTrainer, "sequences", watch)
    monkeypatch.setitem(packing.LINE_TOKENS, "cpu", packing.LINE_TOKENS["cuda"])  # what is planned is a card's memory
    losses(micro_model, tmp_path / "run", micros=micros, tokens=encoded)

    order = [at for epoch in range(2) for at in epoch_order(len(ROWS), seed, epoch).tolist()]
    assert [ids for one in seen for ids in one] == [list(encoded[at].input_ids) for at in order]
    assert max(sum(map(len, one)) for one in seen) == most[3 // micros]
    [shape] = shapes
    lines, width = dict(shape)["ids"]
    assert lines * width <= pass_tokens(need, 3 // micros)
