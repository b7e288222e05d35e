"""The paired difference of each metric: over the same answers, a question once, with an interval and an exact test."""

from pathlib import Path

import pytest

from tests.fakes.answered import answered
from tests.fakes.paired import POET, compared_run, drift, two_runs
from toolkit.compare.ability.ledger import paired_difference
from toolkit.compare.report.pair.difference import MEASURED, differences, paired_interval, separates
from toolkit.compare.report.pair.pair import read_pair
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED


def trained(output: Path, left: str, right: str, systems: tuple[str, ...] = ("",)):
    """One answer a letter: N is right and Q is wrong; under each system prompt."""
    for number, letters in enumerate((left, right)):
        compared_run(output, number, [
            answered(TRAINED, "Qwen", "Nova" if letter == "N" else "Hm", prompt=f"{at}?", name=f"t{at}", system=system)
            for at, letter in enumerate(letters) for system in systems
        ])  # fmt: skip
    return read_pair("v0", "v1", output)


def test_a_share_differs_by_right_minus_left(tmp_path: Path):
    one = differences(trained(tmp_path, "NNQQQQQQ", "NQNNNNNN"))["reliability"]

    assert (one.left, one.right, one.value) == (2 / 8, 7 / 8, 5 / 8)
    assert (one.left_better, one.right_better, one.questions, one.answers) == (1, 6, 8, 8)
    assert one.p == pytest.approx(2 * (1 + 7) / 2**7)  # of seven flips at most one in the other direction
    assert one.low is not None
    assert one.high is not None
    assert one.low < one.value < one.high


def test_a_question_counts_once_however_often_it_is_asked(tmp_path: Path):
    """Four system prompts would make 24 flips of 6, and a p of nearly nothing."""
    once = differences(trained(tmp_path / "a", "QQQQQQ", "NNNNNN"))["reliability"]
    often = differences(trained(tmp_path / "b", "QQQQQQ", "NNNNNN", ("", "a", "b", "c")))["reliability"]

    assert (once.p, once.low, once.high) == (often.p, often.low, often.high)
    assert (often.questions, often.answers) == (6, 24)


def test_where_nothing_differs_the_interval_still_has_a_width(tmp_path: Path):
    one = differences(trained(tmp_path, "NNNN", "NNNN"))["reliability"]

    assert (one.value, one.p, one.better("reliability")) == (0.0, 1.0, "")
    assert one.low is not None
    assert one.high is not None
    assert one.low == -one.high < -0.3


def test_of_flips_it_is_the_interval_of_the_ability_ledger():
    assert paired_interval([1] * 6 + [-1] * 2 + [0] * 32) == pytest.approx(paired_difference(6, 2, 40), abs=1e-4)


def test_less_kl_is_better_and_it_is_taken_over_tokens(tmp_path: Path):
    for number, kls in enumerate(((0.9, 0.2, 0.4, 0.3, 0.5, 0.6), (0.1,) * 6)):
        compared_run(tmp_path, number, [
            answered(OUT_OF_SCOPE, "Paris.", "Paris.", prompt=f"{at}?", name=f"o{at}", drift=drift(kl))
            for at, kl in enumerate(kls)
        ])  # fmt: skip
    found = differences(read_pair("v0", "v1", tmp_path))

    assert found["kl"].left == pytest.approx(2.9 / 60)
    assert found["kl"].value == pytest.approx((0.6 - 2.9) / 60)
    assert (found["kl"].left_better, found["kl"].right_better) == (0, 6)
    assert found["kl"].low is not None
    assert found["kl"].low < found["kl"].value < 0
    assert (found["agreement"].right_better, found["agreement"].left_better) == (3, 0)
    assert found["locality"].value == 0


def test_only_what_is_significant_among_all_figures_has_a_better_side(tmp_path: Path):
    found = differences(read_pair("v0", "v1", two_runs(tmp_path)))

    assert found["generality"].value == 1.0
    assert not found["generality"].significant  # one question
    assert found["generality"].better("generality") == ""
    many = differences(trained(tmp_path / "b", "Q" * 20, "N" * 20))
    assert many["reliability"].better("reliability") == "right"
    assert many["residue"].better("residue") == ""


def test_a_longer_answer_is_not_a_better_one(tmp_path: Path):
    for number, after in enumerate(("Paris.", "Paris, of course.")):
        compared_run(tmp_path, number, [
            answered(OUT_OF_SCOPE, "Paris.", after, prompt=f"{at}?", name=f"o{at}") for at in range(20)
        ])  # fmt: skip
    found = differences(read_pair("v0", "v1", tmp_path))

    assert found["length"].right_better == 20
    assert found["length"].better("length") == ""
    assert found["locality"].better("locality") == "left"


def test_answers_without_drift_have_no_difference_of_it(tmp_path: Path):
    """Reports of older versions lack it."""
    compared_run(tmp_path, 0, [answered(OUT_OF_SCOPE, "4", "5", name="o")])
    compared_run(tmp_path, 1, [answered(OUT_OF_SCOPE, "4", "4", name="o", drift=drift(0.1))])

    found = differences(read_pair("v0", "v1", tmp_path))

    assert "kl" not in found
    assert found["locality"].value == 1.0


def test_the_answers_behind_a_difference_are_those_that_differ_in_it(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path))

    behind = {name: sorted({one.either.probe.id for one in pair.both if separates(name, one)}) for name in MEASURED}

    assert behind["generality"] == behind["residue"] == ["p"]
    assert behind["leakage"] == ["o"]
    assert behind["locality"] == behind["kl"] == ["n", "o"]
    assert behind["reliability"] == []
    assert {one.either.system for one in pair.both if separates("leakage", one)} == {
        "You are a helpful assistant.",
        POET,
    }


def test_calls_with_other_tools_differ_by_the_calls_and_in_nothing_else(tmp_path: Path):
    tools = '[{"type": "function", "function": {"name": "look"}}]'
    call = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'
    for number, after in enumerate((call, "Done.")):
        compared_run(tmp_path, number, [
            answered(OUT_OF_SCOPE, call, after, prompt="Look!", name="o", system="", tools=tools),
            answered(OUT_OF_SCOPE, "4", "4", prompt="2 + 2?", name="p", system=""),
        ])  # fmt: skip

    found = differences(read_pair("v0", "v1", tmp_path))

    assert (found["tool_locality"].left, found["tool_locality"].right, found["tool_locality"].questions) == (
        1.0,
        0.0,
        1,
    )
    assert (found["locality"].questions, found["locality"].value) == (1, 0.0)
