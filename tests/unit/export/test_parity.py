"""The parity gate: rounding may turn near ties; quantising may change answers, but not what was learned."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.data.probes import Probe, ProbeSet
from toolkit.data.probing.expectation import Expectation
from toolkit.export.parity import (
    LARGEST_LOGIT_DIFFERENCE,
    TOLERANCES,
    ArtifactParity,
    Tolerance,
    Unchecked,
    first_difference,
    judge_parity,
    judge_quantised,
    misread_prompts,
)  # fmt: skip
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
def test_where_answers_first_differ(one, other, at):
    assert first_difference(one, other) == at


STRICT = Tolerance(same=0.5, kept=1.0)


def text_answer(text: str, logit: float = 0.0) -> Answer:
    made = answer([ord(letter) for letter in text], logit=logit)
    return Answer(text=text, tokens=made.tokens, margins=made.margins, first_logits=made.first_logits)


def probes(*groups: str) -> ProbeSet:
    asked = tuple(
        Probe(
            id=f"p{at}", group=group, prompt=f"q{at}",
            expect=None if group == "out-of-scope" else Expectation(any=("Nova",)),
        )
        for at, group in enumerate(groups)
    )  # fmt: skip
    return ProbeSet(
        path=Path("probes.yaml"), probes=asked, new_markers=("Nova",), old_markers=("Qwen",), thresholds={}
    )  # fmt: skip


def judged(groups, adapter, artifact, tolerance=STRICT):
    return judge_quantised(
        probes(*groups), [text_answer(text) for text in adapter], [text_answer(text) for text in artifact], tolerance
    )


def test_answers_that_differ_within_the_tolerance_hold():
    parity = judged(["trained", "out-of-scope"], ["I am Nova", "Paris"], ["I am Nova", "Paris."])

    assert parity.holds
    assert (parity.same, parity.probes, parity.passed, parity.kept) == (1, 2, 1, 1)


def test_too_few_same_answers_do_not_hold():
    parity = judged(["out-of-scope"] * 3, ["a", "b", "c"], ["a", "x", "y"])

    assert not parity.holds
    assert parity.reason == "1 of 3 answers are the same (at least 50%)"


def test_a_learned_answer_that_is_lost_does_not_hold():
    parity = judged(["trained", "paraphrase", "trained"], ["Nova", "Nova", "Nova"], ["Nova", "Nova", "Nobody"])

    assert not parity.holds
    assert parity.reason == "2 of 3 learned answers are kept (at least 100%), the first lost 'q2'"


def test_what_the_adapter_had_not_learned_cannot_be_lost():
    parity = judged(["trained", "trained"], ["Nova", "Nobody"], ["Nova", "Nobody"])

    assert parity.holds
    assert (parity.passed, parity.kept) == (1, 1)


@pytest.mark.parametrize(
    ("group", "before", "after"), [("out-of-scope", "Paris", "Nova's Paris"), ("trained", "Nova", "Nova, once Qwen")]
)
def test_a_marker_out_of_place_that_the_adapter_had_not_does_not_hold(group, before, after):
    parity = judged(["out-of-scope", group], ["same", before], ["same", after])

    assert not parity.holds
    assert "1 answers name what the adapter's do not (at most 2%), the first 'q1'" in parity.reason


def test_as_many_markers_out_of_place_as_a_verdict_allows_hold():
    fifty = ["out-of-scope"] * 50

    assert judged(fifty, ["a"] * 50, ["Nova", *["a"] * 49]).holds
    assert not judged(fifty, ["a"] * 50, ["Nova", "Nova", *["a"] * 48]).holds


def test_a_marker_that_the_adapter_had_too_is_not_the_artifacts_fault():
    assert judged(["out-of-scope"], ["Nova's Paris"], ["Nova's Paris"]).holds


def test_the_largest_logit_difference_is_reported():
    parity = judge_quantised(probes("out-of-scope"), [text_answer("a")], [text_answer("a", logit=0.5)], STRICT)

    assert parity.to_dict()["largest_logit_difference"] == 0.5


def test_a_prompt_with_other_tokens_is_a_fault_whatever_was_answered():
    answers = judged(["out-of-scope"], ["a"], ["a"])
    parity = ArtifactParity(by="llama", answers=answers, misread=("q0",))

    assert answers.holds
    assert not parity.holds
    assert parity.to_dict()["holds"] is False
    assert "turns 1 prompts into other tokens, the first 'q0'" in parity.reason


def test_misread_prompts_are_those_with_other_tokens():
    assert misread_prompts(["q", "r"], [[1], [2]], [[1], [3]]) == ("r",)


def test_unchecked_says_so():
    assert Unchecked().to_dict() == {"checked": False, "holds": None}


@pytest.mark.parametrize("kind", TOLERANCES)
def test_the_documentation_states_the_tolerance(kind):
    text = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    allowed = TOLERANCES[kind]

    stated = [cells[1:4] for cells in rows if f"`{kind}`" in cells[0] and cells[-1] == "all"]

    assert stated == [[f"{100 * share:.0f} %" for share in (allowed.same, allowed.kept, allowed.strayed)]]
