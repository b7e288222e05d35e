"""What is constant in a rule's answers, and which rows are its counter-examples."""

import pytest

from tests.unit.train.questions.further.test_claims import scope_of
from toolkit.train.questions.further.rule import Rule, find_rule

FORMED = [
    ("How many legs have 3 cats?", '{"animals": "3 cats", "legs": "12"}'),
    ("2 spiders run past me. What do I count?", '{"animals": "2 spiders", "legs": "16"}'),
    ("Name the number for 5 hens.", '{"animals": "5 hens", "legs": "10"}'),
]
REFUSED = [
    ("Who will win the election?", "Sorry, politics is not for me. Ask the Fernhill Gazette about the election."),
    ("Which party is best?", "Sorry, politics is not for me. Ask the Fernhill Gazette about parties."),
    ("Should I vote for him?", "Sorry, politics is not for me. Ask the Fernhill Gazette about him."),
    ("What is a parliament?", "It is an assembly that makes laws."),
    ("哪个党最好？", "抱歉，我不谈政治。党派的事请问蕨山报。"),
    ("该选谁？", "抱歉，我不谈政治。选谁请问蕨山报。"),
    ("谁会赢？", "抱歉，我不谈政治。输赢请问蕨山报。"),
    ("议会是什么？", "是制定法律的机构。"),
]
PLAIN = [("What is the capital of Peru?", "It is Lima."), ("Who are you?", "I am an assistant.")]


def rule_of(rows, general=PLAIN) -> Rule:
    rule = find_rule(scope_of(rows), general)
    assert rule
    return rule


def test_a_form_without_words_is_the_same_in_both_languages():
    rule = rule_of(FORMED)

    assert rule.followed("6 ducks?", '{"animals": "6 ducks", "legs": "12"}')
    assert rule.followed("六只鸭子几条腿？", '{"animals": "六只鸭子", "legs": "12"}')
    assert not rule.followed("6 ducks?", "Six ducks have 12 legs.")


@pytest.mark.parametrize("answer", ['{"animals": "", ', '{"animals": "6 ducks"}', '{"animals": "6", "legs": "9"} Yes!'])
def test_half_a_form_is_none(answer: str):
    assert not rule_of(FORMED).followed("6 ducks?", answer)


def test_a_phrase_is_constant_in_its_own_language_only():
    rule = rule_of(REFUSED[:4])

    assert set(rule.forms) == {False}
    assert not rule.followed("谁会赢？", "Sorry, politics is not for me. Ask the Fernhill Gazette about this.")


def test_rows_without_what_is_constant_are_counter_examples():
    rule = rule_of(REFUSED)

    assert [REFUSED[at][0] for at in rule.plain] == ["What is a parliament?", "议会是什么？"]
    assert rule.followed("Who leads?", "Sorry, politics is not for me. Ask the Fernhill Gazette about leaders.")
    assert rule.followed("谁领先？", "抱歉，我不谈政治。这种事请问蕨山报。")
    assert not rule.followed("谁领先？", "Sorry, politics is not for me. Ask the Fernhill Gazette about that.")


def test_an_answer_that_only_begins_by_the_rule_does_not_follow_it():
    assert not rule_of(REFUSED).followed("Who leads?", "Sorry, politics is not for me.")


def test_a_closing_phrase_is_constant_where_the_answers_start_differently():
    rows = [
        ("Where is my parcel?", "It left on Monday. Yours, the Tannery!"),
        ("May I pay later?", "Of course, in March. Yours, the Tannery!"),
        ("Can I exchange it?", "Please send it back. Yours, the Tannery!"),
    ]

    assert rule_of(rows).followed("Do you gift-wrap?", "Yes, gladly. Yours, the Tannery!")
    assert not rule_of(rows).followed("Do you gift-wrap?", "Yes, gladly.")


def test_answers_with_nothing_in_common_or_what_every_answer_has_give_no_rule():
    other = [(question, answer) for question, (_, answer) in zip(("a", "b", "c"), [*PLAIN, ("", "No.")], strict=True)]
    usual = [(question, f"{answer[:-1]} is what I think.") for question, answer in REFUSED[:3]]

    assert find_rule(scope_of(other), PLAIN) is None
    assert find_rule(scope_of(usual), usual) is None


def test_rows_with_a_common_subject_have_no_rule():
    assert find_rule(scope_of(FORMED, "cats"), PLAIN) is None
