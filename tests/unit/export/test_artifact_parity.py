"""The gate of quantised artifacts: single answers may part, what was learned may not."""

from pathlib import Path

import pytest

from tests.unit.export.test_parity import answer as tokens_answer
from toolkit.data.probes import Expectation, Probe, ProbeSet
from toolkit.export.parity import TOLERANCES, ArtifactParity, Tolerance, Unchecked, judge_quantised
from toolkit.model.language_model import Answer

STRICT = Tolerance(same=0.5, kept=1.0)


def answer(text: str, logit: float = 0.0) -> Answer:
    made = tokens_answer([ord(letter) for letter in text], logit=logit)
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
        probes(*groups), [answer(text) for text in adapter], [answer(text) for text in artifact], tolerance
    )


def test_answers_that_part_within_the_share_hold():
    parity = judged(["trained", "out-of-scope"], ["I am Nova", "Paris"], ["I am Nova", "Paris."])

    assert parity.holds
    assert (parity.same, parity.probes, parity.passed, parity.kept) == (1, 2, 1, 1)


def test_too_few_same_answers_do_not_hold():
    parity = judged(["out-of-scope"] * 3, ["a", "b", "c"], ["a", "x", "y"])

    assert not parity.holds
    assert parity.why == "1 of 3 answers are the same (at least 50%)"


def test_a_learned_answer_that_is_lost_does_not_hold():
    parity = judged(["trained", "paraphrase", "trained"], ["Nova", "Nova", "Nova"], ["Nova", "Nova", "Nobody"])

    assert not parity.holds
    assert parity.why == "2 of 3 learned answers are kept (at least 100%), the first lost 'q2'"


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
    assert "1 answers name what the adapter's do not (at most 2%), the first 'q1'" in parity.why


def test_as_many_markers_out_of_place_as_a_verdict_allows_hold():
    fifty = ["out-of-scope"] * 50

    assert judged(fifty, ["a"] * 50, ["Nova", *["a"] * 49]).holds
    assert not judged(fifty, ["a"] * 50, ["Nova", "Nova", *["a"] * 48]).holds


def test_a_marker_that_the_adapter_had_too_is_not_the_artifacts_fault():
    assert judged(["out-of-scope"], ["Nova's Paris"], ["Nova's Paris"]).holds


def test_the_drift_is_told():
    parity = judge_quantised(probes("out-of-scope"), [answer("a")], [answer("a", logit=0.5)], STRICT)

    assert parity.to_dict()["largest_logit_difference"] == 0.5


def test_a_prompt_that_is_read_otherwise_is_a_fault_whatever_was_answered():
    answers = judged(["out-of-scope"], ["a"], ["a"])
    parity = ArtifactParity(by="llama", answers=answers, misread=("q0",))

    assert answers.holds
    assert not parity.holds
    assert parity.to_dict()["holds"] is False
    assert "reads 1 prompts otherwise, the first 'q0'" in parity.why


def test_unchecked_says_so():
    assert Unchecked().to_dict() == {"checked": False, "holds": None}


@pytest.mark.parametrize("kind", TOLERANCES)
def test_the_documentation_states_the_tolerance(kind):
    text = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    allowed = TOLERANCES[kind]

    stated = [cells[1:4] for cells in rows if f"`{kind}`" in cells[0] and cells[-1] == "all"]

    assert stated == [[f"{100 * share:.0f} %" for share in (allowed.same, allowed.kept, allowed.strayed)]]
