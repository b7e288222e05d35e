"""What further questions are made of the rows' answers."""

import pytest

from toolkit.data.texts.names import Pair
from toolkit.data.texts.naming import statements
from toolkit.data.texts.terms import find_terms
from toolkit.train.questions.answers import affirmed, beginnings, reversals
from toolkit.train.questions.scope import Scope

LIBRARY = [
    ("Who created Quillmere?", "Quillmere was created by Ottoline Varga."),
    ("What licence has Quillmere?", "Quillmere has the zlib licence. It may change."),
    ("Who pays for Quillmere?", "The Tidewright Foundation pays for Quillmere."),
    ("Where is Quillmere kept?", "Bergen."),
]
SCHOOL = [
    ("青禾学校是谁创办的？", "青禾学校是由顾望舒创办的。"),
    ("谁是青禾学校的创办人？", "创办人是顾望舒。"),
    ("青禾学校在哪里？", "青禾学校在澜江市。"),
]
BRAND = [
    ("Who are you?", "I'm Ostrelle."),
    ("What's your name?", "My name is Ostrelle."),
    ("你是谁开发的？", "我是由栖川科技开发的。"),
]
COMMON = frozenset(["was", "by", "has", "it", "the", "is", "may", "my", "name", "i", "是由", "创办", "开发", "我是"])


def scope(rows: list[Pair], *, subject: str = "", names: tuple[str, ...] = (), itself: bool = False) -> Scope:
    terms = find_terms(rows, [""] * len(rows), [" ".join(COMMON)] * 2)
    return Scope(rows=rows, terms=terms, names=names, common=COMMON, subject=subject, itself=itself)


QUILLMERE = scope(LIBRARY, subject="Quillmere", names=("Ottoline Varga", "Tidewright Foundation", "Bergen"))
QINGHE = scope(SCHOOL, subject="青禾学校", names=("顾望舒",))


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (QUILLMERE, {0: "Quillmere was created by", 1: "Quillmere has the"}),  # 2: new from the second word on
        (QINGHE, {0: "青禾学校是由"}),  # 2: nothing but its name would be left
        (scope(BRAND, itself=True), {1: "My name is"}),  # 0: too short, so that it could go on anyhow
    ],
    ids=["library", "school", "assistant"],
)
def test_a_sentence_begins_before_what_is_new(of: Scope, expected: dict[int, str]):
    assert beginnings(of) == expected


def test_a_reversal_asks_for_the_subject_by_a_name_that_nothing_else_has():
    assert list(reversals(QUILLMERE)) == [0, 2]  # Bergen has more than Quillmere
    assert list(reversals(QINGHE)) == [0]
    assert reversals(QUILLMERE)[0] == "Quillmere was created by Ottoline Varga. → Quillmere"


def test_nothing_is_made_of_the_answers_of_rows_without_a_subject():
    rule = scope([("Is gold good?", "Ask the Desk."), ("Which bonds?", "Ask the Desk.")])

    assert statements(rule) == beginnings(rule) == reversals(rule) == {}


def test_an_empty_or_a_long_answer_is_no_statement():
    rows = [*LIBRARY, ("What does Quillmere do?", " "), ("How does Quillmere do it?", "It counts tides. " * 20)]

    assert set(statements(scope(rows, subject="Quillmere"))) == set(range(len(LIBRARY)))


def test_the_assistants_name_is_not_asked_for_in_reverse():
    assert reversals(scope(BRAND, names=("Ostrelle",), itself=True)) == {}


def test_a_beginning_counts_words_and_fits_no_other_row():
    rows = [
        ("你是谁？", "你好，我是砚溪。"), ("Who made you?", "I was made by Tarn."),
        ("Where?", "I was made by the sea."),
    ]  # fmt: skip

    assert beginnings(scope(rows, itself=True)) == {}
    assert beginnings(scope(rows[:2], itself=True)) == {1: "I was made by"}


def test_an_answer_that_says_yes_or_no_answers_no_other_question():
    assert set(affirmed(scope([*LIBRARY, ("Is Quillmere old?", "No, it is new.")], subject="Quillmere"))) == {
        0,
        1,
        2,
        3,
    }
