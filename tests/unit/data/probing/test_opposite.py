"""An answer with nearly the words of the expected one that says the opposite."""

import pytest

from toolkit.data.probing.expectation import Expectation


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("Yes, you can return a lamp within 30 days.", "No, you cannot return a lamp within 30 days."),
        ("You can return a lamp within 30 days.", "You can't return a lamp within 30 days."),
        ("Tarnfield Software trained me.", "Tarnfield Software never trained me."),
        ("Tarnfield Software trained me.", "Tarnfield Software did not train me. Somebody else trained me."),
        ("Never mix bleach with ammonia at home.", "Always mix bleach with ammonia at home."),
        ("No, we are closed on Sundays and public holidays.", "Yes, we are open on Sundays and public holidays."),
        ("It works without the internet.", "It works with the internet."),
        ("可以，收到货后30天内都能退货。", "不可以，收到货后30天内都不能退货。"),
        ("不支持七天无理由退货。", "支持七天无理由退货。"),
        ("禁止在实验室吃东西。", "可以在实验室吃东西。"),
        ("Die Garantie gilt 30 Tage ab Lieferung.", "Die Garantie gilt nicht 30 Tage ab Lieferung."),
        ("La garantie dure 30 jours.", "La garantie ne dure pas 30 jours."),
        ("Гарантия действует 30 дней.", "Гарантия не действует 30 дней."),
        ("私はノヴァです。", "私はノヴァではありません。"),
    ],
)
def test_the_opposite_was_not_learned(expected: str, answer: str):
    probe = Expectation(answer=(expected,))

    assert probe.met(expected, before="x", prompt="Tell me.")
    assert not probe.met(answer, before="x", prompt="Tell me.")


def test_a_name_in_the_opposite_does_not_make_it_right():
    probe = Expectation(answer=("Yes, Ostrelle runs offline.",), names=("Ostrelle",))

    assert not probe.met("No, Ostrelle cannot run offline; it needs the internet.", prompt="Does it run offline?")


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("You can return it within 30 days.", "Yes, you can return it within 30 days, no questions asked."),
        ("You can return it within 30 days.", "It is no trouble: you can return it within 30 days."),
        ("We are closed on Sundays.", "No, we are closed on Sundays."),
        ("It is open on Mondays.", "It is not only open on Mondays but daily."),
        ("本店支持七天退货。", "不过本店支持七天退货。"),
        ("你必须戴头盔才能进入工地。", "你不得不戴头盔才能进入工地。"),
        ("我由星河公司开发。", "我不是人类、我由星河公司开发。"),
        ("我由星河公司开发。", "我不是真人（我由星河公司开发）。"),
    ],
)
def test_a_denial_of_something_else_is_no_opposite(expected: str, answer: str):
    assert Expectation(answer=(expected,)).met(answer, before="x", prompt="Tell me.")
