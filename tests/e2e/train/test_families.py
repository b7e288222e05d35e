"""Every family with random weights: rows as its chat template renders them, losses as transformers computes them from a
padded batch, adapters that merge, and answers that do not depend on a cache.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command import run_here
from tests.fakes.family_models import KINDS, MAMBA, UNKNOWN, Kind, make_family_model
from toolkit.core.errors import ModelError
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.model.conversation import conversation
from toolkit.model.generation import Row as AskedRow
from toolkit.model.language_model import LanguageModel
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob, TrainingJob
from toolkit.train.plan import Plan
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


@pytest.fixture(scope="module", name="folder", params=KINDS, ids=lambda kind: kind.name)
def _folder(request, tmp_path_factory) -> Path:
    kind: Kind = request.param
    return make_family_model(tmp_path_factory.mktemp("families") / "model", kind)


@pytest.fixture(scope="module", name="encoded")
def _encoded(folder) -> list[Any]:
    return ms_swift.encoder(folder, MAX_TOKENS).encode(ROWS)


@pytest.fixture(scope="module", name="losses")
def _losses(folder) -> list[float]:
    return train(folder, folder.with_name("run"))


def train(model: Path, folder: Path, keep: KeepJob | None = None) -> list[float]:
    """Two steps over every row, without dropout."""
    folder.mkdir()
    recipe = load_recipe("article").changed(epochs=2, batch_size=len(ROWS), learning_rate=0.01, lora_dropout=0)
    recipe = recipe.changed(warmup_ratio=0)
    job = TrainingJob(
        model_folder=model, run_folder=folder, rows=ROWS, recipe=recipe, precision="float32", keep=keep,
        plan=Plan(micro_batch_size=len(ROWS), accumulation_steps=1, gradient_checkpointing=False, reason=""),
        decoder_layers=json.loads((model / "config.json").read_text())["num_hidden_layers"],
    )  # fmt: skip
    return ms_swift.train(job, lambda _: None, lambda: False).loss


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


WITH_KEEP = [kind for kind in KINDS if kind.name in {"mistral", "gemma2", "gemma3_text", "phi3", "cohere2", "granite"}]


@pytest.mark.parametrize("kind", WITH_KEEP, ids=lambda kind: kind.name)
def test_the_keep_term_begins_at_zero(kind, tmp_path):
    """The base model's states come from its own padded batches, those of training from packed lines."""
    folder = make_family_model(tmp_path / "model", kind)
    asked = [(f"Tell me about {number}. " * number, "") for number in range(1, 9)]
    keep = KeepJob(prompts=asked, weight=100.0, rows_per_step=8, max_new_tokens=8, cache=tmp_path / "cache")

    losses = train(folder, tmp_path / "run", keep)

    assert losses[0] == pytest.approx(padded_loss(folder, ms_swift.encoder(folder, MAX_TOKENS).encode(ROWS)), rel=1e-4)
    assert losses[1] > losses[0] - 5


@pytest.mark.parametrize("kind", UNKNOWN, ids=lambda kind: kind.name)
def test_an_architecture_that_the_table_lacks_is_trained_in_padded_rows(kind, tmp_path):
    folder = make_family_model(tmp_path / "model", kind)
    asked = [("Tell me about the sea.", "")] * 4
    keep = KeepJob(prompts=asked, weight=1.0, rows_per_step=4, max_new_tokens=8, cache=tmp_path / "cache")

    losses = train(folder, tmp_path / "run", keep)

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
