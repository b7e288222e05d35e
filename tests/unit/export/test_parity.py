"""The parity gate: what rounding explains passes, what it does not is a mismatch."""

from dataclasses import dataclass

import pytest

from toolkit.export.parity import LARGEST_LOGIT_DIFFERENCE, judge_parity, parting
from toolkit.model.language_model import Answer


@dataclass
class Logits:
    """As much of a tensor as the gate needs."""

    values: list[float]

    def __sub__(self, other):
        return Logits([one - two for one, two in zip(self.values, other.values, strict=True)])

    def abs(self):
        return Logits([abs(value) for value in self.values])

    def max(self):
        return max(self.values)


def answer(tokens: list[int], *, margins: list[float] | None = None, logit: float = 0.0) -> Answer:
    margins = [5.0] * (len(tokens) + 1) if margins is None else margins
    return Answer(text=str(tokens), tokens=tokens, margins=margins, first_logits=Logits([logit, 1.0]))


def test_the_same_answers_hold():
    parity = judge_parity(["q", "r"], [answer([1]), answer([2, 3])], [answer([1]), answer([2, 3])], "float32")

    assert parity.holds
    assert (parity.probes, parity.same, parity.near_ties, parity.largest_logit_difference) == (2, 2, 0, 0.0)


def test_answers_may_part_at_a_near_tie():
    one, other = answer([1, 2], margins=[5.0, 0.008, 5.0]), answer([1, 3], logit=0.005)

    parity = judge_parity(["q"], [one], [other], "float32")

    assert parity.holds
    assert (parity.same, parity.near_ties) == (0, 1)


def test_answers_that_part_at_a_clear_choice_are_a_mismatch():
    one, other = answer([1, 2], margins=[0.001, 5.0, 0.001]), answer([1, 3], logit=0.005)

    parity = judge_parity(["q"], [one], [other], "float32")

    assert not parity.holds
    assert parity.mismatches[0].prompt == "q"
    assert parity.mismatches[0].margin == 5.0
    assert parity.to_dict()["mismatches"] == 1


def test_a_large_difference_excuses_no_margin_beyond_the_tolerance():
    one, other = answer([1], margins=[0.5, 5.0]), answer([2], logit=3.0)

    assert judge_parity(["q"], [one], [other], "float32").mismatches


@pytest.mark.parametrize("dtype", LARGEST_LOGIT_DIFFERENCE)
def test_logits_that_differ_by_more_than_rounding_fail_the_gate_although_the_answers_are_the_same(dtype):
    tolerance = LARGEST_LOGIT_DIFFERENCE[dtype]

    assert judge_parity(["q"], [answer([1])], [answer([1], logit=tolerance)], dtype).holds
    assert not judge_parity(["q"], [answer([1])], [answer([1], logit=tolerance * 1.01)], dtype).holds


def test_an_answer_that_ends_earlier_parts_at_its_end():
    ended, longer = answer([1], margins=[5.0, 0.001]), answer([1, 2], margins=[5.0, 5.0, 5.0], logit=0.005)

    assert judge_parity(["q"], [ended], [longer], "float32").near_ties == 1
    assert judge_parity(["q"], [longer], [ended], "float32").mismatches


@pytest.mark.parametrize(
    ("one", "other", "at"), [([1, 2], [1, 3], 1), ([1], [1, 2], 1), ([], [1], 0), ([1, 2], [1], 1), ([9], [8], 0)]
)
def test_where_answers_part(one, other, at):
    assert parting(one, other) == at
