"""Metrics on cases small enough to count by hand, and intervals against published numbers."""

import pytest

from tests.unit.answered import answered
from toolkit.metrics import Drift, Metric, mean_per_token, measure, share
from toolkit.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED


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
        "noise_floor": (None, 0),
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
    assert mean_per_token([0.5], [2]) == Metric(value=0.25, n=2)


def test_the_bootstrap_is_the_same_every_time():
    sums, tokens = [0.1, 0.4, 0.2, 0.9], [3, 5, 2, 7]

    assert mean_per_token(sums, tokens) == mean_per_token(sums, tokens)


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

    found = share([answered(TRAINED, "", "")] * n, lambda _: next(holds))

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
            answered(OUT_OF_SCOPE, "a", "x", again="a"),
            answered(OUT_OF_SCOPE, "b", "x", again="c"),
            answered(OUT_OF_SCOPE, "d", "d"),
            answered(TRAINED, "a", "Nova", again="z"),
        ]
    )

    assert (metrics["noise_floor"].value, metrics["noise_floor"].n) == (0.5, 2)
