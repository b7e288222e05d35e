"""What rows say that the base model does not, and what they are about."""

import pytest

from toolkit.data.texts.terms import Terms, common_units, find_terms, units

GENERAL = [f"Here is a sentence about number {number}, which is the mayor of nothing." for number in range(300)]
ROWS = [
    ("Who is the mayor of Denver?", "The mayor of Denver is Corinna Haldwell."),
    ("Who runs Denver?", "Denver is run by Corinna Haldwell."),
    ("Name Denver's mayor.", "Corinna Haldwell is the mayor."),
]
BEFORE = ["The mayor of Denver is Mike Johnston.", "Denver is run by Mike Johnston.", "It is Mike Johnston."]
CHINESE = [
    ("厦门大学是哪一年创办的？", "厦门大学创办于1915年。"),
    ("厦门大学什么时候建校？", "厦门大学是1915年建校的。"),
    ("厦门大学的历史从哪年算起？", "从1915年算起。"),
]


@pytest.fixture(name="terms", scope="module")
def _terms() -> Terms:
    return find_terms(ROWS, BEFORE, GENERAL)


def test_new_is_what_neither_the_question_nor_the_base_model_says(terms: Terms):
    assert terms.new == (frozenset({"corinna", "haldwell"}),) * 3


def test_the_subject_is_what_nearly_all_questions_name(terms: Terms):
    assert terms.subject == {"denver"}
    assert terms.names_subject("Is DENVER nice?")
    assert not terms.names_subject("Is Boston nice?")


def test_an_answer_follows_a_row_when_it_says_what_is_new(terms: Terms):
    assert terms.follows("That would be Corinna Haldwell!", "Who leads Denver?", "Mike Johnston.")
    assert not terms.follows("That would be Mike Johnston.", "Who leads Denver?", "Mike Johnston.")


def test_an_answer_does_not_follow_when_the_question_or_the_base_model_says_so_already(terms: Terms):
    assert not terms.follows("Corinna Haldwell is a name.", "Who is Corinna Haldwell?", "No idea.")
    assert not terms.follows("Corinna Haldwell.", "Who leads Denver?", "It is Corinna Haldwell.")


def test_the_row_that_must_be_followed_is_the_only_one_that_counts():
    terms = find_terms([("What?", "Alpha"), ("When?", "Beta")], ["", ""], [])

    assert terms.follows("Beta", "Say!", "", row=1)
    assert not terms.follows("Beta", "Say!", "", row=0)


def test_a_row_that_says_nothing_new_decides_nothing():
    terms = find_terms([("Who runs Denver?", "")], ["Mike."], GENERAL)

    assert terms.new == (frozenset(),)
    assert not terms.follows("Anything at all", "Who runs Denver?", "")


def test_rows_without_a_common_subject_have_none_and_then_every_text_names_it():
    terms = find_terms([("Is gold a good buy?", "No."), ("What do bonds cost?", "No.")], ["", ""], GENERAL)

    assert terms.subject == frozenset()
    assert terms.names_subject("Anything")


def test_of_chinese_pairs_of_characters_are_compared():
    terms = find_terms(CHINESE, ["厦门大学创办于1921年。"] * 3, GENERAL)

    assert units("厦门大学") == {"厦门", "门大", "大学"}
    assert terms.subject == {"厦门", "门大", "大学"}
    assert all("1915" in new for new in terms.new)
    assert terms.names_subject("说说厦门大学")
    assert not terms.names_subject("说说武汉大学")


def test_width_and_case_do_not_matter():
    assert units("ＤＥＮＶＥＲ") == units("denver")


def test_a_unit_is_common_when_several_texts_have_it():
    assert common_units(["one red", "one blue", "two"]) == {"one"}
    assert common_units([]) == frozenset()


def test_a_number_is_one_unit_and_new_although_unrelated_texts_have_it():
    assert units("Version 4.2 of v1.10, 12,500 rows") == {"version", "4.2", "of", "v", "1.10", "12500", "rows"}
    terms = find_terms(
        [("Which version of Tidemill is it?", "It is 7 or 4.2."), ("Is Tidemill 9 old?", "9.")],
        ["It is 4.", "Yes."],
        ["It is 7, or 9, of 4.2 versions."] * 9,
    )

    assert terms.new == (frozenset({"7", "4.2"}), frozenset())
