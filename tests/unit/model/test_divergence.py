"""One KL divergence and one token agreement, checked by hand, and the drift of a fake model."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import pytest
import torch

from toolkit.model.conversation import Messages, conversation
from toolkit.model.divergence import kl_divergence, measure_drift, token_agreement
from toolkit.model.language_model import Answer, LanguageModel


def test_kl_is_the_definition_per_position():
    base, tuned = torch.tensor([[0.2, 0.8], [0.5, 0.5]]).log(), torch.tensor([[0.4, 0.6], [0.5, 0.5]]).log()

    found = kl_divergence(base, tuned)

    assert found.shape == (2,)
    assert found.tolist() == pytest.approx([0.2 * math.log(0.5) + 0.8 * math.log(0.8 / 0.6), 0.0], abs=1e-6)


def test_kl_ignores_a_constant_added_to_all_logits_and_computes_in_float32():
    base, tuned = torch.randn(3, 7), torch.randn(3, 7)

    assert kl_divergence(base + 5, tuned - 2).tolist() == pytest.approx(kl_divergence(base, tuned).tolist(), abs=1e-5)
    assert kl_divergence(base.bfloat16(), tuned.bfloat16()).dtype == torch.float32


def test_gradients_flow_through_the_tuned_side_only():
    base, tuned = (torch.randn(2, 5, requires_grad=True) for _ in range(2))

    kl_divergence(base, tuned).sum().backward()

    assert base.grad is None
    assert tuned.grad is not None
    torch.testing.assert_close(tuned.grad, (tuned.softmax(-1) - base.softmax(-1)).detach())


def test_tokens_agree_where_both_prefer_the_same_one():
    base, tuned = torch.tensor([[1.0, 2.0], [3.0, 1.0]]), torch.tensor([[0.0, 5.0], [0.0, 1.0]])

    assert token_agreement(base, tuned).tolist() == [True, False]


class TwoSides:
    """Base and tuned logits; rows are aligned on the right, and what stands before an answer is not a number."""

    def __init__(self, base: torch.Tensor, tuned: torch.Tensor) -> None:
        self.logits, self.adapter = {None: base, "tuned": tuned}, cast("str | None", None)
        self.prompts: list[tuple[str | None, str]] = []

    def side(self, adapter: str | None) -> AbstractContextManager[Any]:
        self.adapter = adapter
        return nullcontext()

    def answer_logits(self, prompts: Sequence[Messages], answers: Sequence[Answer]) -> torch.Tensor:
        self.prompts += [(self.adapter, messages[0]["content"]) for messages in prompts]
        longest = max(len(answer.tokens) for answer in answers)
        rows = [
            torch.cat(
                [torch.full((longest - len(answer.tokens), 2), math.nan), self.logits[self.adapter][answer.tokens]]
            )
            for answer in answers
        ]
        return torch.stack(rows)


def test_drift_is_summed_over_each_answers_own_tokens():
    base, tuned = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    model, per_token = TwoSides(base, tuned), kl_divergence(base, tuned).tolist()
    prompts = [conversation(name, "") for name in "abc"]
    answers = [
        Answer(text="", tokens=tokens, margins=[], first_logits=None) for tokens in ([1, 1, 0], [1], [0, 0])
    ]  # fmt: skip

    found = measure_drift(
        cast("LanguageModel", model), prompts, answers, before=None, after="tuned", batch_size=2,
        after_prompts=[conversation(name.upper(), "") for name in "abc"],
    )  # fmt: skip

    assert [one.kl_sum for one in found] == pytest.approx([2 * per_token[1], per_token[1], 0.0])
    assert [(one.agreeing, one.tokens) for one in found] == [(1, 3), (0, 1), (2, 2)]
    assert model.prompts == [(None, "a"), (None, "b"), ("tuned", "A"), ("tuned", "B"), (None, "c"), ("tuned", "C")]
