"""Every family with random weights: rows as its chat template renders them, losses as transformers computes them from a
padded batch, adapters that merge, and answers that do not depend on a cache.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command import run_here
from tests.fakes.family_models import KINDS, MAMBA, UNKNOWN, Kind, make_family_model
from tests.fakes.family_training import MAX_TOKENS, ROWS, SYSTEM, load, padded_loss, train
from toolkit.core.errors import ModelError
from toolkit.model.conversation import conversation
from toolkit.model.device import Device
from toolkit.model.generation import Row as AskedRow
from toolkit.model.language_model import LanguageModel
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob


@pytest.fixture(scope="module", name="folder", params=KINDS, ids=lambda kind: kind.name)
def _folder(request, tmp_path_factory) -> Path:
    kind: Kind = request.param
    return make_family_model(tmp_path_factory.mktemp("families") / "model", kind)


@pytest.fixture(scope="module", name="encoded")
def _encoded(folder) -> list[Any]:
    return ms_swift.encoder(folder, MAX_TOKENS).encode(ROWS)


@pytest.fixture(scope="module", name="losses")
def _losses(folder) -> list[float]:
    return train(folder, folder.with_name("run")).loss


def prompt_of(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    return str(
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    )


def test_a_row_is_what_the_chat_template_renders(folder, encoded):
    _, tokenizer = load(folder)
    for given, found in zip(ROWS[:4], encoded[:4], strict=True):
        *asked, answer = [{"role": one.role, "content": one.content} for one in given.messages]
        try:
            prompt = prompt_of(tokenizer, asked)
        except Exception:  # noqa: BLE001  # a template that takes no system message
            prompt = prompt_of(tokenizer, asked[1:])
        text = tokenizer.decode(found.input_ids)
        trained = tokenizer.decode([label for label in found.labels if label != -100])

        assert text.startswith(prompt.rstrip())
        assert text.endswith(trained)
        assert trained.strip().startswith(answer["content"].strip())
        assert any(one.content in trained for one in tokenizer.added_tokens_decoder.values())  # it learns to end


def test_the_loss_is_that_of_transformers_over_a_padded_batch(folder, encoded, losses):
    assert losses[0] == pytest.approx(padded_loss(folder, encoded), rel=1e-4)
    assert losses[1] < losses[0]


def test_a_merged_adapter_answers_as_the_adapter_does(folder, losses, tmp_path):
    import torch

    [adapter] = folder.with_name("run").glob("checkpoint-*")
    asked = [conversation(question, SYSTEM) for question in ("Who are you?", "Tell me about the sea. " * 3)]
    model = LanguageModel.load(folder, {"tuned": adapter})
    with model.side(None):
        before = model.answers(asked, max_new_tokens=12)
    with model.side("tuned"):
        expected = model.answers(asked, max_new_tokens=12)
    model.save_merged("tuned", tmp_path / "merged", dtype="float32")
    model.tokenizer.save_pretrained(tmp_path / "merged")

    merged = LanguageModel.load(tmp_path / "merged").answers(asked, max_new_tokens=12)

    for one, other in zip(merged, expected, strict=True):
        assert torch.allclose(one.first_logits, other.first_logits, atol=1e-3)
        assert one.tokens == other.tokens
    assert not torch.allclose(before[0].first_logits, expected[0].first_logits, atol=1e-3)


def test_answers_are_those_without_a_cache(folder):
    import torch

    model = LanguageModel.load(folder)
    own, _ = load(folder)
    prompts = [model.prompt_ids(conversation(text, SYSTEM)) for text in ("Who?", "Tell me about the sea. " * 3)]
    expected = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(12):
            with torch.no_grad():
                ids = torch.cat([ids, own(input_ids=ids, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
        expected.append(ids[0, len(prompt) :].tolist())

    batch = model.mixed_batch()
    steps = [batch.join([AskedRow(prompt=prompt) for prompt in prompts]), *(batch.step() for _ in range(11))]

    assert [[token.id for token in one] for one in zip(*steps, strict=True)] == expected
    for answer, tokens in zip(model.generate(prompts, 12), expected, strict=True):
        assert answer.tokens == tokens[: len(answer.tokens)]


def test_float16_computes_what_float32_does(folder):
    import torch

    asked = [conversation(text, SYSTEM) for text in ("Who?", "Tell me about the sea. " * 3)]
    answers = []
    for precision in ("float32", "float16"):
        model = LanguageModel.load(folder, device=Device(kind="cpu", name="CPU", precision=precision, reason=""))
        answers.append(model.answers(asked, max_new_tokens=1))

    assert model.precision == "float16"
    for exact, half in zip(*answers, strict=True):
        assert torch.allclose(half.first_logits, exact.first_logits, atol=0.03 * float(exact.first_logits.std()))


WITH_KEEP = [kind for kind in KINDS if kind.name in {"mistral", "gemma2", "gemma3_text", "phi3", "cohere2", "granite"}]


@pytest.mark.parametrize("kind", WITH_KEEP, ids=lambda kind: kind.name)
def test_the_keep_term_begins_at_zero(kind, tmp_path):
    """The base model's states come from its own padded batches, those of training from packed lines."""
    folder = make_family_model(tmp_path / "model", kind)
    asked = [(f"Tell me about {number}. " * number, "") for number in range(1, 9)]
    keep = KeepJob(prompts=asked, weight=100.0, rows_per_step=8, max_new_tokens=8, cache=tmp_path / "cache")

    losses = train(folder, tmp_path / "run", keep).loss

    assert losses[0] == pytest.approx(padded_loss(folder, ms_swift.encoder(folder, MAX_TOKENS).encode(ROWS)), rel=1e-4)
    assert losses[1] > losses[0] - 5


@pytest.mark.parametrize("kind", UNKNOWN, ids=lambda kind: kind.name)
def test_an_architecture_that_the_table_lacks_is_trained_in_padded_rows(kind, tmp_path):
    folder = make_family_model(tmp_path / "model", kind)
    asked = [("Tell me about the sea.", "")] * 4
    keep = KeepJob(prompts=asked, weight=1.0, rows_per_step=4, max_new_tokens=8, cache=tmp_path / "cache")

    losses = train(folder, tmp_path / "run", keep).loss

    assert losses[0] == pytest.approx(padded_loss(folder, ms_swift.encoder(folder, MAX_TOKENS).encode(ROWS)), rel=1e-4)
    assert losses[1] < losses[0]


def test_an_architecture_that_keeps_no_keys_and_values_is_refused_with_what_fails(tmp_path):
    """Mamba keeps a state, from which nobody can take the padding."""
    folder = make_family_model(tmp_path / "model", MAMBA)

    with pytest.raises(ModelError, match="A mamba model cannot be trained here: "):
        train(folder, tmp_path / "run")


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.name in {"mistral", "gemma"}], ids=lambda one: one.name
)
def test_a_base_without_system_prompts_trains_and_says_so(kind, tmp_path):
    folder = make_family_model(tmp_path / "model", kind)
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"instruction": f"Number {at}?", "output": f"It is {at}."}) + "\n" for at in range(8))
    )

    done = run_here(
        "finetune", tmp_path / "rows.jsonl", "--model", folder, "--recipe", "article", "--epochs", "1",
        "--output", tmp_path / "output",
    )  # fmt: skip

    assert "system prompts: none, since the chat template of model has no place for one" in done.err
    [record] = (tmp_path / "output").glob("v*/run.json")
    assert json.loads(record.read_text())["recipe"]["system"] == ""
