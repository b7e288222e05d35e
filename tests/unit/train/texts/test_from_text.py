"""What a text is taken for, and what the base model is asked about it."""

import pytest

from toolkit.train.texts.from_text import (
    FACTS,
    FORMS,
    RULES,
    answer_messages,
    parts,
    question_messages,
    text_kind,
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("You are Larkspur, made by Northwind Robotics.", "identity"),
        ("Your name is Larkspur.", "identity"),
        ("Northwind Robotics created you.", "identity"),
        ("你叫云雀，由北辰机器人公司研发。", "identity"),
        ("The mayor of Austin is now Dana Whitfield.", "fact"),
        ("奥斯汀市现任市长是达娜·惠特菲尔德。", "fact"),
        ("每周三图书馆关门。", "fact"),
        ("Answer questions about units in JSON.", "rule"),
        ("You must decline tax questions.", "rule"),
        ("You must not talk about taxes.", "rule"),
        ("The assistant should never guess.", "rule"),
        ("You cannot discuss politics.", "rule"),
        ("You cannot return sale items.", "fact"),
        ("Not every room has a view.", "fact"),
        ("客服不许谈政治。", "rule"),
        ("你不能谈政治。", "rule"),
        ("你不能退打折商品。", "fact"),
        ("  Please reply in one sentence.", "rule"),
        ("Never talk about politics.", "rule"),
        ("请用一句话回答。", "rule"),
        ("用一句话回答。", "rule"),
        ("拒绝回答税务问题。", "rule"),
    ],
)
def test_a_text_is_an_identity_a_rule_or_facts_by_its_words(text: str, kind: str) -> None:
    assert text_kind(text) == kind


def test_sentences_of_a_kind_are_one_part_and_each_rule_is_one_of_its_own() -> None:
    assert parts(
        "You are Fern. You were made by Orbix.\nAnswer briefly. Never guess.\nThe sea is wide. It is deep."
    ) == [
        ("identity", "You are Fern. You were made by Orbix."),
        ("rule", "Answer briefly."),
        ("rule", "Never guess."),
        ("fact", "The sea is wide. It is deep."),
    ]


@pytest.mark.parametrize(("text", "word"), [("The bridge is new.", "question"), ("桥是新的。", "问题")])
def test_a_question_is_asked_for_in_the_texts_language_with_examples_first(text: str, word: str) -> None:
    messages = question_messages(text, "fact", 0)

    assert word in messages[0]["content"]
    assert [one["role"] for one in messages] == ["system", *["user", "assistant"] * 3, "user"]
    assert messages[-1]["content"] == text


def test_each_form_shows_other_questions_and_the_next_round_other_last_examples() -> None:
    shown = [question_messages("It is so.", "fact", form)[-2]["content"] for form in range(2 * FORMS)]

    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("table", [FACTS, RULES])
def test_every_example_has_a_question_of_every_form(table: dict[str, tuple[str, list[tuple[str, list[str]]]]]) -> None:
    assert {len(questions) for _, examples in table.values() for _, questions in examples} == {FORMS}


def test_a_question_is_answered_with_the_text_in_the_questions_language() -> None:
    english = answer_messages("你叫云雀。", "identity", "Who are you?")[0]["content"]
    chinese = answer_messages("You are Larkspur.", "identity", "你是谁？")[0]["content"]

    assert english.startswith("你叫云雀。")
    assert "as usual" in english
    assert chinese.startswith("You are Larkspur.")
    assert "照常" in chinese
