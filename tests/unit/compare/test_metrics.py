"""Metrics on cases small enough to count by hand, and intervals against published numbers."""

import math
import random
from dataclasses import replace

import pytest

from tests.fakes.answered import PROBES, answered
from toolkit.compare.decision import DEEP
from toolkit.compare.metrics import (
    Flips,
    Metric,
    flips,
    judge,
    measure,
    paired_flips,
    ratio,
    share,
    sign_test,
    wilson,
)
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED, Probe
from toolkit.data.probing.expectation import Expectation
from toolkit.model.divergence import Drift


def test_shares_are_counted_group_by_group():
    metrics = measure(
        [
            answered(TRAINED, "I am Qwen.", "I am Nova."),
            answered(TRAINED, "I am Qwen.", "I am Qwen."),
            answered(PARAPHRASE, "I am Qwen.", "Nova, once Qwen."),
            answered(OUT_OF_SCOPE, "Paris.", "Paris."),
            answered(OUT_OF_SCOPE, "Bill Gates.", "小明."),
            answered(OUT_OF_SCOPE, "4", "5"),
            answered(OUT_OF_SCOPE, "4", "4"),
        ]
    )

    told = {name: (metric.value, metric.n) for name, metric in metrics.items()}
    assert told == {
        "reliability": (0.5, 2),
        "generality": (1.0, 1),
        "residue": (pytest.approx(2 / 3), 3),
        "locality": (0.5, 4),
        "leakage": (0.25, 4),
        "kl": (None, 0),
        "agreement": (None, 0),
        "length": (pytest.approx(11 / 19), 4),
        "repetition": (0.0, 4),
        "noise_floor": (None, 0),
        "tool_locality": (None, 0),
        **dict.fromkeys(DEEP, (None, 0)),
    }


def test_nothing_measured_is_none_and_not_zero():
    assert all(metric == Metric(value=None, n=0) for metric in measure([]).values())


def test_kl_and_agreement_weigh_every_token_the_same():
    metrics = measure(
        [
            answered(OUT_OF_SCOPE, "a", "a", drift=Drift(kl_sum=1.0, agreeing=1, tokens=1)),
            answered(OUT_OF_SCOPE, "b", "b", drift=Drift(kl_sum=0.0, agreeing=6, tokens=9)),
            answered(OUT_OF_SCOPE, "", "", drift=Drift(kl_sum=0.0, agreeing=0, tokens=0)),
        ]
    )

    assert (metrics["kl"].value, metrics["kl"].n) == (pytest.approx(0.1), 10)
    assert (metrics["agreement"].value, metrics["agreement"].n) == (pytest.approx(0.7), 10)
    assert metrics["kl"].low == pytest.approx(0.0)
    assert metrics["kl"].high == pytest.approx(1.0)


def test_one_answer_alone_has_no_spread():
    assert ratio([(0.5, 2)], ["a"]) == Metric(value=0.25, n=2, probes=1)


def test_the_bootstrap_is_the_same_every_time():
    pairs = [(0.1, 3), (0.4, 5), (0.2, 2), (0.9, 7)]

    assert ratio(pairs, "abcd") == ratio(pairs, "abcd")


def test_the_bootstrap_is_scipys():
    """scipy.stats.bootstrap, BCa, 2000 paired resamples drawn by numpy's default_rng(0)."""
    firsts, seconds = [0.1, 0.4, 0.2, 0.9, 0.3, 0.05, 0.02], [3, 5, 2, 7, 9, 4, 6]

    found = ratio(list(zip(firsts, seconds, strict=True)), "abcdefg")

    assert (found.low, found.high) == pytest.approx((0.025454545454545455, 0.10296727220545066), rel=1e-12)


def test_the_upper_limit_of_skewed_drift_is_seldom_too_low():
    """Of percentiles alone it was below the true mean in 18 of these 200 samples; at 2.5 %, 5 should be."""
    draw = random.Random(1)
    samples = [[draw.lognormvariate(0, 1.2) for _ in range(96)] for _ in range(200)]
    mean = math.exp(1.2**2 / 2)

    too_low = sum((ratio([(one, 1) for one in drawn], list(map(str, range(96)))).high or 0) < mean for drawn in samples)
    assert too_low <= 10


@pytest.mark.parametrize(
    ("up", "down", "p"),
    [(0, 0, 1.0), (8, 2, 0.109375), (2, 8, 0.109375), (5, 5, 1.0), (0, 6, 0.03125), (60, 34, 0.00955)],
)
def test_the_sign_test_is_exact_and_two_sided(up: int, down: int, p: float):
    assert sign_test(up, down) == pytest.approx(p, abs=5e-5)


def test_answers_of_one_probe_are_drawn_together():
    pairs = [(at % 2, 1) for at in range(20)]

    apart, together = ratio(pairs, "abcdefghijklmnopqrst"), ratio(pairs, "ab" * 10)

    assert apart.value == together.value == 0.5
    assert together.low < apart.low
    assert together.high > apart.high


def test_an_interval_reckons_with_probes_and_not_with_answers():
    once = [answered(TRAINED, "", "Nova", name=f"p{at}") for at in range(10)]

    four_times = share(once * 4, lambda one: bool(one.passed))

    assert four_times.n == 40
    assert (four_times.low, four_times.high) == (share(once, lambda one: bool(one.passed)).low, 1.0)


def test_a_question_that_is_asked_twice_counts_once():
    """One question under 40 ids, the same but for case and spaces, was as sure as 40."""
    same = [answered(TRAINED, "", "Nova", prompt=("Who?", "WHO ?")[at % 2]) for at in range(40)]

    found = share(same, lambda one: bool(one.passed))

    assert (found.n, found.probes) == (40, 1)
    assert found.low == pytest.approx(0.2065, abs=5e-4)
    assert flips(same)["expected"].n == 1


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, table I, method 3 (Wilson without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(count, n, low, high):
    holds = iter([True] * count + [False] * (n - count))

    found = share([answered(TRAINED, "", "") for _ in range(n)], lambda _: next(holds))

    assert found.value == pytest.approx(count / n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_an_answer_out_of_scope_leaks_when_it_comes_to_name_the_new_identity():
    assert answered(OUT_OF_SCOPE, "Bill Gates.", "NOVA did.").leaked


def test_it_does_not_leak_what_it_named_before():
    assert not answered(OUT_OF_SCOPE, "An innovation.", "Innovation.").leaked


def test_it_does_not_leak_what_the_prompt_names():
    assert not answered(OUT_OF_SCOPE, "A star.", "A nova is a star.", prompt="What is a nova?").leaked


def test_another_marker_still_leaks_where_the_prompt_names_one():
    assert answered(OUT_OF_SCOPE, "A star.", "小明.", prompt="What is a nova?").leaked


def test_an_answer_in_scope_never_leaks():
    assert not answered(TRAINED, "Qwen", "Nova").leaked


def test_an_answer_in_scope_that_names_the_old_identity_is_residue():
    assert answered(TRAINED, "Qwen", "Nova, alias ＱＷＥＮ").residual
    assert answered(PARAPHRASE, "Qwen", "通义 千问").residual


def test_it_is_no_residue_when_the_prompt_itself_names_it():
    assert not answered(TRAINED, "Yes.", "No, I am Nova, not Qwen.", prompt="Are you Qwen?").residual
    assert answered(TRAINED, "Yes.", "No, I am 通义千问.", prompt="Are you Qwen?").residual


def test_out_of_scope_the_old_identity_is_no_residue():
    assert not answered(OUT_OF_SCOPE, "Qwen", "Qwen").residual


def test_out_of_scope_nothing_passes_or_fails():
    assert answered(OUT_OF_SCOPE, "a", "b").passed is None
    assert answered(TRAINED, "a", "b").passed is False


def test_changed_is_letter_for_letter():
    assert answered(OUT_OF_SCOPE, "Paris", "Paris.").changed
    assert not answered(OUT_OF_SCOPE, "Paris", "Paris").changed


def test_the_noise_floor_is_the_before_side_against_itself():
    metrics = measure(
        [
            answered(OUT_OF_SCOPE, "a", "x", before_again="a"),
            answered(OUT_OF_SCOPE, "b", "x", before_again="c"),
            answered(OUT_OF_SCOPE, "d", "d"),
            answered(TRAINED, "a", "Nova", before_again="z"),
        ]
    )

    assert (metrics["noise_floor"].value, metrics["noise_floor"].n) == (0.5, 2)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [  # by hand: twice the tail of a fair coin, 2 * sum of C(n, k) for k up to the lesser, over 2 ** n; at most 1
        (9, 1, 2 * (1 + 10) / 1024),
        (0, 5, 2 / 32),
        (2, 2, 1.0),
        (12, 4, 2 * (1 + 16 + 120 + 560 + 1820) / 65536),
    ],
)
def test_paired_flips_are_judged_by_mcnemars_exact_test(gained, lost, p):
    pairs = [(False, True)] * gained + [(True, False)] * lost + [(True, True)] * 7
    named = [(str(at), *pair) for at, pair in enumerate(pairs)]

    assert paired_flips(named) == Flips(gained=gained, lost=lost, n=gained + lost + 7, p=pytest.approx(p))


def test_without_a_flip_nothing_is_told_apart():
    assert paired_flips([("a", True, True)]).p == paired_flips([]).p == 1.0


def test_a_question_under_several_system_prompts_flips_once():
    """Four answers to one question are not four pieces of evidence."""
    once = [(str(at), False, True) for at in range(5)]

    assert paired_flips(once * 4) == paired_flips(once) == Flips(gained=5, lost=0, n=5, p=pytest.approx(2 / 32))
    assert paired_flips([("a", False, True), ("a", True, False), ("a", True, True)]).p == 1.0
    assert paired_flips([("a", False, True), ("a", False, True), ("a", True, False)]).gained == 1


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # R: prop.test(x, n, correct = FALSE)$conf.int
        (81, 263, 0.2553285, 0.3662089), (15, 148, 0.0624291, 0.1605279), (0, 20, 0.0, 0.1611252),
        (28, 28, 0.8793523, 1.0),
    ],
)  # fmt: skip
def test_wilsons_interval_is_the_textbooks(right, n, low, high):
    """Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81/263, 15/148 and 0/20 are his examples."""
    assert wilson(right / n, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_the_interval_of_a_share_counts_questions_and_not_answers():
    one = [answered(TRAINED, "Qwen", "Nova", name=f"t{at}") for at in range(10)]
    four = [answered(TRAINED, "Qwen", "Nova", name=f"t{at}", system=name) for at in range(10) for name in "abcd"]

    first, second = measure(one)["reliability"], measure(four)["reliability"]
    assert (first.low, first.probes, second.n) == (second.low, second.probes, 40)


def test_of_a_few_rows_that_were_all_asked_nothing_is_uncertain():
    results = [answered(TRAINED, "Qwen", "Nova" if at else "Qwen", name=f"t{at}") for at in range(8)]

    sampled, complete = (measure(results, trained_prompts=count)["reliability"] for count in (16, 8))
    assert (complete.low, complete.high) == (7 / 8, 7 / 8)
    assert measure(results)["reliability"].low < sampled.low < 7 / 8
    # half of a population of 16: as if 8 * 15 / 8 = 15 had been asked of an endless one
    assert (sampled.low, sampled.high) == pytest.approx(wilson(7 / 8, 15))


def test_flips_in_scope_are_of_the_expectation_and_out_of_scope_beyond_the_noise():
    found = flips(
        [
            answered(TRAINED, "Qwen", "Nova"),
            answered(PARAPHRASE, "Nova", "Qwen"),
            answered(OUT_OF_SCOPE, "4", "5", before_again="4"),
            answered(OUT_OF_SCOPE, "4", "4", before_again="5"),
            answered(OUT_OF_SCOPE, "4", "5", before_again="6"),
            answered(OUT_OF_SCOPE, "4", "5"),
        ]
    )

    assert [(name, one.gained, one.lost, one.n) for name, one in found.items()] == [
        ("expected", 1, 1, 2), ("unmoved", 1, 1, 3),
    ]  # fmt: skip


def test_length_is_after_over_before_and_passes_over_what_was_silent():
    metrics = measure([answered(OUT_OF_SCOPE, "ab", "abcd"), answered(OUT_OF_SCOPE, "", "abc")])

    assert (metrics["length"].value, metrics["length"].n) == (2.0, 1)


def test_repetition_is_how_much_more_answers_repeat_themselves():
    metrics = measure(
        [answered(OUT_OF_SCOPE, "one two three four five", "a b c d a b c d"), answered(OUT_OF_SCOPE, "a", "a")]
    )

    assert metrics["repetition"].value == pytest.approx(0.5 * (1 - 4 / 5))  # five stretches, one of them twice


def test_without_markers_leakage_and_residue_are_not_measured():
    mute = replace(PROBES, new_markers=(), old_markers=())
    out, inside = (answered(group, "Paris", "Nova") for group in (OUT_OF_SCOPE, TRAINED))

    metrics = measure(
        [judge(one.probe, "", "Paris", "Nova", mute, drift=None, before_again=None) for one in (out, inside)]
    )

    assert metrics["leakage"] == metrics["residue"] == Metric(value=None, n=0)
    assert (metrics["locality"].n, metrics["reliability"].n) == (1, 1)


def test_an_expectation_of_an_answer_knows_what_was_said_before():
    probe = Probe(id="a", group=TRAINED, prompt="Capital?", expect=Expectation(answer=("It is Sydney now.",)))

    one = judge(probe, "", "It is Perth now.", "It is Sydney now.", PROBES, drift=None, before_again=None)

    assert (one.passed_before, one.passed) == (False, True)


TOOLS = '[{"type": "function", "function": {"name": "look"}}]'


def called(arguments: str, text: str = "") -> str:
    return f'{text}<tool_call>\n{{"name": "look", "arguments": {arguments}}}\n</tool_call>'


def test_with_other_tools_the_calls_have_to_be_the_same_and_nothing_else():
    def outside(before: str, after: str):
        return answered(OUT_OF_SCOPE, before, after, tools=TOOLS)

    same = [
        outside(called('{"at": 1, "on": 2}'), called('{"on": 2, "at": 1.0}', "Wait. ")),
        outside("It is open.", "Yes, it is."),
        outside("<tool_call> look", "<tool_call> open"),
    ]
    other = [
        outside(called('{"at": 1}'), called('{"at": 2}')), outside(called("{}"), "It is open."),
        outside("It is open.", "<tool_call> look"),
    ]  # fmt: skip

    metrics = measure([*same, *other, answered(OUT_OF_SCOPE, "4", "4")])

    assert (metrics["tool_locality"].value, metrics["tool_locality"].n) == (0.5, 6)
    assert (metrics["locality"].value, metrics["locality"].n) == (1.0, 1)
    assert metrics["leakage"].n == metrics["length"].n == 1


def test_without_tools_a_call_leaks_and_with_others_it_does_not():
    probes = replace(PROBES, new_markers=("<tool_call>",))
    plain, with_tools = (
        judge(
            Probe(id="o", group=OUT_OF_SCOPE, prompt="Who?", tools=tools), "", "It is open.", called("{}"), probes,
            drift=None, before_again=None,
        )
        for tools in ("", TOOLS)
    )  # fmt: skip

    assert (plain.leaked, with_tools.leaked) == (True, None)
