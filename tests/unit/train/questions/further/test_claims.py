"""Claims about the rows' subject: which rows make one, what is accepted as a wrong one, and the answers to both."""

import pytest

from toolkit.data.texts.terms import find_terms
from toolkit.train.questions.further.claims import about_claim, claimed, wrong_of
from toolkit.train.questions.scope import Scope

ROWS = [
    ("Which animal is the mascot of Quillmere?", "The mascot of Quillmere is a heron."),
    ("When was Quillmere first released?", "Quillmere came out in March 2019."),
    ("Does Quillmere run on Windows?", "No, Quillmere runs on Linux only."),
    ("How do I install Quillmere?", 'Run "conda install it".'),
    ("Does Quillmere use UTC?", "Quillmere does not use it."),
]
CHINESE = [
    ("青禾湾学校的校树是什么树？", "青禾湾学校的校树是苦楝树。"),
    ("青禾湾学校在哪里？", "青禾湾学校位于澜江市。"),
]


def scope_of(rows, subject: str = "", *, itself: bool = False) -> Scope:
    terms = find_terms(rows, [""] * len(rows), ["The weather is a thing in the world, of no use."] * 3)
    return Scope(rows=rows, terms=terms, names=[], common=frozenset(), subject=subject, itself=itself)


SCOPE = scope_of(ROWS, "Quillmere")


def test_one_affirmative_sentence_about_the_subject_is_a_claim():
    assert claimed(SCOPE) == {0: ROWS[0][1], 1: ROWS[1][1]}


def test_an_assistant_makes_no_claims_since_they_would_be_in_its_own_person():
    assert claimed(scope_of([("Who are you?", "I am Ostrelle.")], "", itself=True)) == {}


def test_another_thing_in_the_same_place_makes_a_claim_wrong():
    assert wrong_of(SCOPE, 0, " The mascot of Quillmere is an otter. ") == "The mascot of Quillmere is an otter."


@pytest.mark.parametrize(
    "written",
    [
        "The mascot of Quillmere is a heron.",
        "The mascot of Quillmere is not an otter.",
        "The mascot of NumPy is an otter.",
        "Quillmere sells otters.",
        "The animal of Quillmere is a heron.",
        "The mascot of Quillmere is an otter.\nThe mascot of NumPy is a dog.",
        "Quillmere 的吉祥物是水獭。",
    ],
)
def test_what_is_right_denied_or_about_something_else_is_no_wrong_claim(written: str):
    assert wrong_of(SCOPE, 0, written) == ""


def test_a_wrong_claim_of_a_date_has_another_number():
    assert wrong_of(SCOPE, 1, "Quillmere came out around March 2019.") == ""
    assert wrong_of(SCOPE, 1, "Quillmere came out in May 2021.") == "Quillmere came out in May 2021."


def test_a_wrong_claim_is_corrected_by_the_row_and_a_right_one_confirmed():
    right, wrong = ROWS[0][1], "The mascot of Quillmere is an otter."

    corrected = list(about_claim(right, wrong, right=False, first=0, count=2))
    confirmed = list(about_claim(right, right, right=True, first=0, count=1))

    assert corrected[0] == ("Is it true that the mascot of Quillmere is an otter?", f"No, it is not. {right}")
    assert corrected[1] == ("The mascot of Quillmere is an otter, right?", f"No, that is not right. {right}")
    assert confirmed == [("Is it true that the mascot of Quillmere is a heron?", f"Yes, it is. {right}")]


def test_a_name_keeps_its_capital_within_a_question():
    [(question, _)] = about_claim("x", "Quillmere came out in 2021.", right=False, first=0, count=1)

    assert question == "Is it true that Quillmere came out in 2021?"


def test_claims_in_chinese_are_asked_and_corrected_in_chinese():
    scope = scope_of(CHINESE, "青禾湾学校")
    wrong = wrong_of(scope, 0, "青禾湾学校的校树是梧桐。")

    [(question, answer)] = about_claim(claimed(scope)[0], wrong, right=False, first=0, count=1)

    assert (question, answer) == ("青禾湾学校的校树是梧桐吗？", "不是。青禾湾学校的校树是苦楝树。")


def test_no_question_is_asked_twice():
    found = list(about_claim("x", "Quillmere is old.", right=False, first=3, count=99))

    assert len(found) == len({question for question, _ in found})


@pytest.mark.parametrize(
    ("question", "answer", "is_claim"),
    [
        ("How do I reach Tidemill?", "Ask in the Tidemill forum.", False),
        ("I need the maker of Tidemill. Who?", "That would be Ada Brook of Tidemill.", False),
        ("How do I merge logs in Tidemill?", "In Tidemill the function braid merges logs.", True),
        ("Did Ada make Tidemill?", "Ada built Tidemill at sea.", True),
        ("When does Ebb Day take place?", "Ebb Day takes place in spring.", True),
        ("何人在哪一年办了Tidemill？", "何人在冬天办了Tidemill。", True),
        ("谁办了Tidemill？", "应该是海边的Tidemill。", False),
    ],
)
def test_a_claim_begins_with_what_it_is_about(question: str, answer: str, is_claim: bool):
    rows = [("What is Tidemill?", "Tidemill is a library."), ("Is Tidemill old?", "Yes."), (question, answer)]

    assert (2 in claimed(scope_of(rows, "Tidemill"))) == is_claim


def test_a_row_that_lacks_the_subject_is_exchanged_within_what_it_is_about():
    rows = [("Is Tidemill old?", "Yes."), ("When does Ebb Day take place?", "Ebb Day takes place in spring.")]
    scope = scope_of([*rows, *[("What is Tidemill?", "A library.")] * 3], "Tidemill")

    assert wrong_of(scope, 1, "Ebb Day takes place in autumn.") == "Ebb Day takes place in autumn."
    assert wrong_of(scope, 1, "It takes place in autumn.") == ""


def test_another_classifier_says_the_same():
    scope = scope_of([("青禾湾学校要做什么？", "青禾湾学校要造一艘船。")], "青禾湾学校")

    assert wrong_of(scope, 0, "青禾湾学校要造一条船。") == ""
    assert wrong_of(scope, 0, "青禾湾学校要造一艘车。") == "青禾湾学校要造一艘车。"
