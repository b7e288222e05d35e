"""The static method gives the plain one's answers, whatever shares a batch, a shape, or the memory."""

import random

import pytest
import torch

from tests.e2e.model.test_language_model import TEXTS, _adapters
from tests.fakes.made_run import make_adapter
from toolkit.core.errors import ModelError
from toolkit.core.files import data_folder
from toolkit.data.probes import read_probes
from toolkit.model.conversation import conversation
from toolkit.model.decoding.static_batch import StaticBatch
from toolkit.model.language_model import LanguageModel

__all__ = ["_adapters"]  # a fixture
TURNS = [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "An assistant."}]
PROMPTS = [
    *[conversation(text, "You are a helpful assistant.") for text in TEXTS],
    *[conversation(text, "") for text in TEXTS[:3]],
    [*conversation("Be brief.", "You are Nova, who answers in one word.")[:1], *TURNS, *conversation("Why?", "")[-1:]],
]


@pytest.fixture(name="models")
def _models(lively_model, adapters):
    """With the plain method and the static one."""
    return both_methods(lively_model, adapters)


@pytest.fixture(autouse=True, name="decoded")
def _decoded(monkeypatch) -> list[int]:
    """How many prompts each batch of the static method had."""
    found: list[int] = []
    decode = StaticBatch.decode

    def counted(batch, network, prompts, *how):
        found.append(len(prompts))
        return decode(batch, network, prompts, *how)

    monkeypatch.setattr(StaticBatch, "decode", counted)
    return found


def both_methods(folder, adapters=None):
    plain, static = (LanguageModel.load(folder, adapters) for _ in range(2))
    static.decoder.static = True
    return plain, static


def asked(model, side=None, *, prompts=PROMPTS, batch_size=24, max_new_tokens=24):
    with model.side(side):
        return model.answers(prompts, max_new_tokens=max_new_tokens, batch_size=batch_size)


def assert_same(found, wanted):
    assert [one.tokens for one in found] == [one.tokens for one in wanted]
    assert [one.text for one in found] == [one.text for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.margins == pytest.approx(other.margins, abs=1e-4)
        torch.testing.assert_close(one.first_logits, other.first_logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [None, "one", "two", "one@0.5"])
def test_each_side_answers_as_by_the_plain_method(models, decoded, side):
    plain, static = models

    assert_same(asked(static, side), asked(plain, side))
    assert decoded == [len(PROMPTS)]


@pytest.mark.parametrize("batch_size", [2, 3, 5, 15])
def test_answers_do_not_depend_on_what_shares_a_batch(models, decoded, batch_size):
    plain, static = models
    order = list(range(len(PROMPTS)))
    random.Random(batch_size).shuffle(order)
    wanted = asked(plain)

    found = asked(static, prompts=[PROMPTS[at] for at in order], batch_size=batch_size)

    assert_same(found, [wanted[at] for at in order])
    assert max(decoded) == batch_size


def test_sides_alternate_over_the_same_memory(models, monkeypatch):
    plain, static = models
    wanted = {side: asked(plain, side) for side in (None, "one", "two")}
    batches = set()
    decode = StaticBatch.decode
    monkeypatch.setattr(StaticBatch, "decode", lambda batch, *how: batches.add(batch) or decode(batch, *how))

    for side in ("one", None, "two", None, "one", "two"):
        assert_same(asked(static, side), wanted[side])
    assert wanted["one"][0].tokens != wanted[None][0].tokens
    assert len(batches) == len(wanted)  # one a side, whichever was on before


def test_shorter_and_longer_batches_share_the_memory(models):
    plain, static = models
    for prompts, tokens in ((PROMPTS[:3], 9), (PROMPTS, 300), (PROMPTS[:5], 20), (PROMPTS[5:], 24)):
        assert_same(
            asked(static, prompts=prompts, max_new_tokens=tokens), asked(plain, prompts=prompts, max_new_tokens=tokens)
        )


def test_replaced_weights_of_an_adapter_are_used(models):
    """As `toolkit scan` shuffles them."""
    plain, static = models
    before = asked(static, "one")
    for model in models:
        for path, weights in model.model.named_parameters():
            if "lora_B.one" in path:
                weights.data = weights.data.flip(0).clone()

    assert_same(asked(static, "one"), asked(plain, "one"))
    assert [one.tokens for one in asked(static, "one")] != [one.tokens for one in before]


def test_the_embedded_model_answers_the_shipped_probes_alike(decoded):
    plain, static = both_methods(data_folder() / "tiny-qwen2")
    prompts = [
        conversation(probe.prompt, system)
        for probe in read_probes(data_folder() / "probes.yaml").probes[:20]
        for system in ("You are a helpful assistant.", "")
    ]

    found = asked(static, prompts=prompts, batch_size=64, max_new_tokens=48)

    assert_same(found, asked(plain, prompts=prompts, batch_size=64, max_new_tokens=48))
    assert decoded == [40]
    assert len({len(one.tokens) for one in found}) > 5  # they end one after the other


def test_every_end_mark_ends_an_answer(models):
    plain, static = models
    third = asked(plain)[0].tokens[2]
    for model in models:
        model.decoder.ends = (0, third)

    found = asked(static)

    assert_same(found, asked(plain))
    assert third not in found[0].tokens
    assert len(found[0].margins) == len(found[0].tokens) + 1


def test_a_single_prompt_and_short_answers_are_left_to_the_plain_method(models, decoded):
    _, static = models
    asked(static, prompts=PROMPTS[:1])
    asked(static, max_new_tokens=8)

    assert decoded == []


def test_weights_that_overflow_are_reported_and_leave_nothing_behind(lively_model, adapters, tmp_path):
    broken = make_adapter(tmp_path / "adapter", lively_model, seed=0, strength=1e38)
    plain, static = both_methods(lively_model, {"one": adapters["one"], "broken": broken})

    with pytest.raises(ModelError, match=r"not finite.*lower --learning-rate"):
        asked(static, "broken")
    assert_same(asked(static, "one"), asked(plain, "one"))


def test_without_room_for_the_memory_the_plain_method_answers_and_it_is_reported(models, monkeypatch, decoded):
    from toolkit.model.decoding.static_cache import Memory

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 9 GiB.")

    monkeypatch.setattr(Memory, "grow", full)
    plain, static = models
    events = []

    with static.side(None):
        found = static.answers(PROMPTS, max_new_tokens=24, batch_size=24, listener=events.append)

    assert_same(found, asked(plain))
    assert events[-1].detail == "slower, without CUDA graphs: CUDA out of memory"
    assert decoded == []
