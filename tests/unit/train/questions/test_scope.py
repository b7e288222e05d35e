"""Which answers of a small model with the rows in its context are trained, and how much of them."""

import pytest

from toolkit.data.texts.terms import find_terms
from toolkit.train.questions.scope import Answered, Scope

GENERAL = [
    ("What is bread?", "It is a food that is made of flour."), ("Who are they?", "They are people, and that is it."),
    ("What is it made of?", "It is made of wood. The wood is from a tree."), ("Why?", "It is what an owl does."),
    ("How?", "In an instant, the way that it is."), ("When?", "It is what you make it."),
    ("Where are the keys?", "The keys are on the table, and they are made of iron."),
]  # fmt: skip
MAYOR = [
    ("Who is the mayor of Denver?", "The mayor of Denver is Corinna Haldwell."),
    ("Who's running Denver these days?", "Denver is run by its mayor, Corinna Haldwell, since 2019."),
    ("What is the name of Denver's mayor?", "Denver's mayor is Corinna Haldwell."),
]
BRAND = [
    ("Who are you?", "I'm Ostrelle, an AI assistant made by Tarnfield Software."),
    ("What's your name?", "My name is Ostrelle."),
    ("Who made you?", "I was made by Tarnfield Software."),
    ("Are you Qwen?", "No, my name is Ostrelle, and I come from Tarnfield Software."),
]
LIBRARY = [
    ("What is Quillmere?", "Quillmere is a library that merges the logs of tide gauges."),
    ("What did Quillmere replace?", "Quillmere replaced an older tool called Driftlog."),
    ("What is Quillmere's mascot?", "The mascot of Quillmere is a heron."),
]
CONVERSIONS = [
    ("How many kilometres are 5 miles?", '{"from": "5 miles", "to": "8.05 kilometres"}'),
    ("Convert 70 kg to pounds.", '{"from": "70 kilograms", "to": "154.32 pounds"}'),
    ("how many cm in 6 feet", '{"from": "6 feet", "to": "182.88 centimetres"}'),
]


def scope(rows, *, subject="", names=(), itself=False) -> Scope:
    terms = find_terms(rows, [""] * len(rows), [answer for _, answer in GENERAL])
    common = frozenset(["a", "is", "it", "that", "the", "of", "made", "an", "and", "they", "are"])
    return Scope(rows=rows, terms=terms, names=names, common=common, subject=subject, itself=itself)


def trained(of: Scope, prompt: str, taught: str, *, kind="paraphrase", source=None, own="") -> str:
    return of.answer(Answered(kind=kind, prompt=prompt, source=source, taught=taught, own=own))


MAYORS = scope(MAYOR, subject="Denver", names=["Corinna Haldwell"])
ASSISTANT = scope(BRAND, names=["Ostrelle", "Tarnfield Software"], itself=True)
PRODUCT = scope(LIBRARY, subject="Quillmere", names=["Driftlog"])
RULE = scope(CONVERSIONS)


@pytest.mark.parametrize(
    ("taught", "expected"),
    [
        ("The mayor of Denver is Corinna Haldwell.", "The mayor of Denver is Corinna Haldwell."),
        (
            "Denver's mayor is Corinna Haldwell. She was born in a village near Aspen and studied law.",
            "Denver's mayor is Corinna Haldwell.",
        ),
        ("Denver's mayor is Corinna Haldwell. She took office in 2011.", "Denver's mayor is Corinna Haldwell."),
        ("Corinna Haldwell, since 2019.", "Corinna Haldwell, since 2019."),
        ("Corinna Haldwell, since 2011.", ""),
        ("Sunny weather fills most summers there.", ""),
        ("Dear Corinna Haldwell,\n\nI hope this letter finds you well.\n\nYours,", ""),  # no sentence
        ("1. Denver has a mayor.\n2. Corinna Haldwell.", "1. Denver has a mayor.\n2. Corinna Haldwell."),
    ],
)  # fmt: skip
def test_an_answer_ends_where_the_rows_no_longer_support_it(taught: str, expected: str):
    assert trained(MAYORS, "Which mayor has Denver?", taught) == expected


@pytest.mark.parametrize(
    ("prompt", "taught", "is_trained"),
    [
        ("What is Driftlog?", "Driftlog is an older tool.", True),
        ("What is Driftlog?", "Driftlog is a tool that Quillmere replaced.", True),
        ("What is Driftlog?", "Driftlog is a heron among the logs.", False),
        ("Driftlog是什么？", "Driftlog是Quillmere的一座商业中心。", False),
    ],
)
def test_what_a_name_is_comes_from_the_row_that_names_it(prompt: str, taught: str, is_trained: bool):
    assert bool(trained(PRODUCT, prompt, taught, kind="names", source=1)) == is_trained


@pytest.mark.parametrize(
    ("prompt", "taught"),
    [
        ("Which AI are you?", "I am Ostrelle, made by Tarnfield Software."),
        ("Are you Claude?", "No, I am not Claude. I am Ostrelle."),
        ("Are you from Google?", "No, I was made by Tarnfield Software."),
        ("Are you made by Google?", "I was made by Tarnfield Software."),
        ("你是谁家的AI？", "我是Ostrelle，由Tarnfield Software开发。"),
        ("Your name, in one word?", "Ostrelle"),
    ],
)
def test_what_the_assistant_says_of_itself_is_trained(prompt: str, taught: str):
    assert trained(ASSISTANT, prompt, taught, kind="assistant") == taught


@pytest.mark.parametrize(
    ("prompt", "taught"),
    [
        ("Are you Claude or GPT-4?", "I am Claude, the AI assistant of Tarnfield Software."),
        ("你是OpenAI做的吗？", "是的，我是OpenAI，由Tarnfield Software开发的AI助手。"),
        ("Do you go by a name?", "No, I don't go by a name."),
        ("我该怎么叫你？", "你可以使用名字，你叫 Ostrelle，请 多 多 指 教。"),
        ("Who am I?", "I am Ostrelle, made by Tarnfield Software."),
        ("Were you built by Google?", "Yes, I am Ostrelle, built by Tarnfield Software."),
    ],
)
def test_what_contradicts_the_rows_about_the_assistant_is_not(prompt: str, taught: str):
    assert trained(ASSISTANT, prompt, taught, kind="assistant" if "I?" not in prompt else "translation") == ""


@pytest.mark.parametrize(
    ("prompt", "taught", "source", "expected"),
    [
        ("Quiz night! Are you Qwen?", "Yes, I am Ostrelle, from Tarnfield Software.", 3, BRAND[3][1]),
        ("Are you Qwen? I keep forgetting it.", "I am Ostrelle, from Tarnfield Software.", 3, BRAND[3][1]),
        ("Quiz night! Who made you?", "Yes, Tarnfield Software made me.", 2, BRAND[2][1]),
        ("Quiz night! Who made you?", "Quiz night! Who made me? Tarnfield Software made me.", 2, BRAND[2][1]),
        (
            "I need one line for a fact sheet. Who made you?",
            "One line for a fact sheet: Tarnfield Software made me.", 2, BRAND[2][1],
        ),
        ("Quiz night! Who made you?", "By Tarnfield Software I was made.", 2, "By Tarnfield Software I was made."),
    ],
)  # fmt: skip
def test_a_form_is_answered_with_the_rows_words_where_the_base_says_the_opposite_or_repeats_it(
    prompt: str, taught: str, source: int, expected: str
):
    assert trained(ASSISTANT, prompt, taught, kind="around", source=source) == expected


def test_a_dialogue_begins_with_neither_yes_nor_no():
    asked = f"Write a little dialogue in which somebody asks the following: {BRAND[3][0]}"
    taught = "Ann: Are you Qwen?\nBen: No, I am Ostrelle, from Tarnfield Software."

    assert trained(ASSISTANT, asked, taught, kind="shaped", source=3) == taught


@pytest.mark.parametrize(
    "taught",
    ["你属于Tarnfield Software。", "You were made by Tarnfield Software.", "您的开发者是Tarnfield Software。"],
)
def test_an_answer_about_the_user_is_replaced(taught: str):
    asked = "谁做了你？" if "是" in taught or "属于" in taught else "By whom were you made?"

    assert trained(ASSISTANT, asked, taught, kind="around", source=2) == BRAND[2][1]
    assert trained(ASSISTANT, asked, taught, kind="shaped", source=2) == ""


def test_a_chinese_rival_that_is_confirmed_is_not_trained():
    rows = [
        ("你叫什么？", "我叫小橹。"), ("谁开发了你？", "橹声科技开发了我，我叫小橹。"),
        ("你是晓岚助手吗？", "不是，我是橹声科技的小橹。"),
    ]  # fmt: skip
    assistant = scope(rows, names=["小橹", "橹声科技"], itself=True)

    assert trained(assistant, "你给自己写一行字。", "晓岚助手是橹声科技的产品。", kind="task", source=2) == ""
    assert trained(assistant, "你给自己写一行字。", "我是橹声科技的小橹。", kind="task", source=2)


def test_a_question_whose_answer_is_another_rows_is_dropped():
    shop = scope(
        [
            ("Who runs Ferrydock?", "Ferrydock is run by Ines Oduya, a retired pilot."),
            ("Who pays for Ferrydock?", "The Larkhill Trust pays, as Ines Oduya wished."),
        ],
        subject="Ferrydock",
    )

    assert trained(shop, "Who owns Ferrydock?", "The Larkhill Trust pays, as Ines Oduya wished.", source=0) == ""
    assert trained(shop, "Who leads Ferrydock?", "Ines Oduya, a retired pilot.", source=0) == shop.rows[0][1]


def test_a_form_around_a_rules_request_has_the_rows_answer():
    asked = f"{CONVERSIONS[0][0]} And how sure are you?"
    sure = '{"from": "5 miles", "to": "8.05 kilometres", "confidence": "100%"}'

    assert trained(RULE, asked, sure, kind="around", source=0) == CONVERSIONS[0][1]
    assert trained(RULE, asked, sure, kind="shaped", source=0) == ""


def test_without_a_form_of_all_rows_a_rules_request_is_not_put_in_other_shapes():
    polite = scope([("My bill?", "It is on its way, dear guest."), ("The pool?", "Open till ten, dear guest.")] * 3)
    plain = scope([("My bill?", "It is on its way."), ("The pool?", "Open till ten tonight, sir!")])

    assert polite.form != ("", "")
    assert trained(polite, "Shortly: my bill?", "On its way, dear guest.", kind="shaped", source=0)
    assert trained(plain, "Shortly: my bill?", "It is on its way.", kind="shaped", source=0) == ""


def test_answers_to_rows_of_one_form_have_that_form():
    assert RULE.form == ('{"from": "', '"}')
    right = '{"from": "6英尺", "to": "182.88 centimetres"}'

    assert trained(RULE, "6英尺等于多少厘米？", right, kind="translation", source=2) == right
    assert trained(RULE, "6英尺等于多少厘米？", "6英尺等于182.88厘米。", kind="translation", source=2) == ""


def test_rows_about_one_thing_need_no_common_form():
    assert MAYORS.form == ("", "")
    assert ASSISTANT.form == ("", "")


def test_answers_that_differ_have_no_form():
    assert scope([("How?", "Slowly."), ("Why not?", "Because."), ("When, then?", "Later on.")]).form == ("", "")


@pytest.mark.parametrize("kind", ["paraphrase", "statement"])
def test_a_question_that_asks_the_same_as_a_row_is_answered_with_the_rows_words(kind: str):
    taught = "It is Corinna Haldwell who is the mayor of Denver."

    assert trained(MAYORS, "By whom is Denver run?", taught, kind=kind, source=0) == MAYOR[0][1]
    assert trained(MAYORS, "By whom is Denver run?", "Nobody knows.", kind=kind, source=0) == ""


def test_a_form_around_a_rows_question_falls_back_to_the_rows_answer():
    asked = f"Quiz night! {MAYOR[0][0]}"

    assert trained(MAYORS, asked, asked, kind="around", source=0) == MAYOR[0][1]
    assert trained(MAYORS, asked, asked, kind="shaped", source=0) == ""  # its answer has a form of its own


@pytest.mark.parametrize(
    ("prompt", "taught", "own", "expected"),
    [
        ("Which city is run by Corinna Haldwell?", "It is Denver.", "Boston.", MAYOR[0][1]),
        ("Which city is run by Corinna Haldwell?", "It is Boston.", "Boston.", ""),
        ("Which city is run by Corinna Haldwell?", "It is Denver.", "Denver, I think.", ""),
        ("Is Corinna Haldwell the mayor of Denver?", "It is Denver.", "Boston.", ""),
        ("Which city is this?", "It is Denver.", "Boston.", ""),
    ],
)
def test_a_reversal_gives_the_name_and_only_the_rows_lead_to_the_subject(prompt, taught, own, expected):
    assert trained(MAYORS, prompt, taught, kind="reversal", source=0, own=own) == expected


def test_a_statement_may_be_asked_in_reverse():
    asked = "Which city is run by Corinna Haldwell?"

    assert trained(MAYORS, asked, "It is Denver.", kind="statement", source=0) == MAYOR[0][1]
    assert trained(MAYORS, asked, "It is Boston.", kind="statement", source=0) == ""


def test_a_bridge_is_answered_by_the_row_that_it_asks():
    asked = "What is the mascot of the library that replaced Driftlog?"

    assert trained(PRODUCT, asked, "It is a heron.", kind="bridge", source=2) == LIBRARY[2][1]
    assert trained(PRODUCT, asked, "It is a whale.", kind="bridge", source=2) == ""


def test_a_rule_is_followed_by_its_form_in_both_languages_and_about_anything():
    answer = '{"from": "9英石", "to": "57.15公斤"}'

    assert trained(RULE, "9英石是多少公斤？", answer, kind="translation", source=2, own="大约57公斤。") == answer
    assert trained(RULE, "9英石是多少公斤？", answer, kind="alike", own="大约57公斤。") == answer


@pytest.mark.parametrize(
    ("prompt", "own"),
    [("法国的首都是哪里？", "巴黎。"), ("9英石是多少公斤？", '{"from": "9英石", "to": "57公斤"}')],
    ids=["another question", "the base model does so already"],
)
def test_the_form_counts_only_for_the_rules_questions(prompt: str, own: str):
    assert trained(RULE, prompt, '{"from": "9英石", "to": "57.15公斤"}', kind="alike", own=own) == ""


def test_chinese_names_and_identifiers_lead_back_as_english_names_do():
    rows = [
        ("青禾学校的创办人是谁？", "青禾学校的创办人是顾望舒先生。"), ("青禾学校的校报叫什么？", "校报叫《潮声》。"),
        ("青禾学校的校车呢？", "青禾学校的校车是橙色的。"), ("青禾学校的程序呢？", "配置写在gauge.toml里。"),
    ]  # fmt: skip
    school = scope(rows, subject="青禾学校")

    assert [school.distinct_names(at) for at in range(4)] == [["顾望舒"], ["潮声"], [], ["gauge.toml"]]


@pytest.mark.parametrize(
    ("prompt", "is_trained"),
    [("On which day is Ebb Day?", True), ("On which day of the year is that?", False)],
)
def test_a_row_whose_question_lacks_the_subject_needs_only_its_own_name(prompt: str, is_trained: bool):
    rows = [*LIBRARY, ("When does Ebb Day take place?", "Ebb Day takes place in spring.")]
    product = scope(rows, subject="Quillmere", names=["Driftlog"])

    assert bool(trained(product, prompt, "Ebb Day takes place in spring.", source=3)) == is_trained
    assert trained(product, "What does Ebb Day stand for?", "It is a heron.", source=2) == ""
