"""Answers that the embedded model samples: repeatable, and without an effect on anything else's chance."""

import pytest
import torch

from tests.fakes.command import DATA
from toolkit.core.events import Progress
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel
from toolkit.model.sampling import samples

PROMPTS = [conversation(prompt, "(none)") for prompt in ("{}{}", "{}[]", "Who are you?")]  # it is sure of the last
TOKENS = 16


@pytest.fixture(name="model", scope="module")
def _model() -> LanguageModel:
    return LanguageModel.load(DATA / "tiny-qwen2")


def sampled(model: LanguageModel, seed: int, tokens=TOKENS) -> list[str]:
    return samples(model, PROMPTS * 2, max_new_tokens=tokens, seed=seed)


def test_the_same_seed_gives_the_same_answers_and_another_gives_others(model: LanguageModel):
    first = sampled(model, 1)

    assert any(first)
    assert sampled(model, 1) == first
    assert sampled(model, 2) != first


def test_random_numbers_elsewhere_are_not_affected(model: LanguageModel):
    torch.manual_seed(7)
    expected = torch.rand(4)
    torch.manual_seed(7)

    sampled(model, 1)

    assert torch.equal(torch.rand(4), expected)


def test_what_was_drawn_before_does_not_matter(model: LanguageModel):
    first = sampled(model, 1)
    torch.rand(5)

    assert sampled(model, 1) == first


def test_an_answer_that_does_not_end_in_time_is_empty(model: LanguageModel):
    assert sampled(model, 1, tokens=1) == [""] * (len(PROMPTS) * 2)


def test_there_is_one_answer_for_each_prompt_and_none_without_one(model: LanguageModel):
    events: list[Progress] = []

    assert len(sampled(model, 1)) == len(PROMPTS) * 2
    assert samples(model, [], max_new_tokens=TOKENS, seed=1) == []
    samples(model, PROMPTS, max_new_tokens=TOKENS, seed=1, listener=events.append, task="Questions")
    assert (events[-1].task, events[-1].done, events[-1].total) == ("Questions", len(PROMPTS), len(PROMPTS))
