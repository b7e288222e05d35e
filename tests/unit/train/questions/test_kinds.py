"""What kind of thing the rows are about, where the list of kinds has their subject: no model is asked."""

from tests.fakes.scripted_model import ScriptedModel
from toolkit.train.questions.kinds import kinds_of, listed_subject, others_of, translated_names

CAPITALS = [
    "芬兰的首都是哪里？",
    "哪个城市是芬兰的首都？",
    "What is the capital of Finland?",
    "Name Finland's capital.",
]


def test_the_subject_of_rows_in_two_languages_is_found_by_its_listed_names():
    assert listed_subject(CAPITALS) == "Finland"


def test_a_language_with_more_rows_names_the_subject():
    assert listed_subject(["芬兰首都在哪里？", *CAPITALS]) == "芬兰"


def test_what_a_few_questions_name_is_not_the_subject():
    assert listed_subject([*CAPITALS, "What is the capital of Poland?"]) == ""
    assert listed_subject(["Who are you?", "Who made you?"]) == ""


def test_a_name_within_a_word_is_not_named():
    assert listed_subject(["How are prices set?", "Why do prices rise?"]) == ""  # rice is listed, as a plant


def test_a_listed_subject_needs_no_model():
    model = ScriptedModel()

    assert kinds_of(model, "Finland", CAPITALS) == ["country"]
    assert translated_names(model, "Finland", seed=1) == ["芬兰"]


def test_others_are_of_the_same_kind_and_never_the_subject():
    others = others_of("country", chinese=True, subject="Finland", translated=["芬兰"])

    assert "泰国" in others
    assert "芬兰" not in others
