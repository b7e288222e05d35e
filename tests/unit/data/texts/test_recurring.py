"""Names and texts that many answers share."""

import pytest

from toolkit.data.texts.recurring import recurring


@pytest.mark.parametrize(
    ("answers", "shared"),
    [
        (["I am Ostrelle.", "My name is Ostrelle.", "Call me Ostrelle."], ["Ostrelle"]),
        (["我是小舟，由星河公司开发。", "星河公司开发了我。", "我由星河公司研发。"], ["星河公司"]),
        (
            ["It ships today. Thank you for being with us!", "Yes. Thank you for being with us!"] * 2,
            ["Thank you for being with us"],
        ),
        (["Yes, it does.", "No, it does not.", "Only on Mondays.", "The Museum opens.", "On Monday it is."], []),
        (["Sure.", "Sure.", "Sure."], []),
        (["I like Bergen."] * 2, []),
        ([], []),
    ],
)
def test_what_many_answers_share(answers: list[str], shared: list[str]):
    assert recurring([("?", answer) for answer in answers]) == shared


def test_what_their_questions_are_about_is_shared_too():
    assert recurring([(f"What does Quillmere cost in {place}?", "Ask us.") for place in "abc"]) == ["Quillmere"]


def test_of_many_rows_some_tell():
    assert recurring([("?", f"The {at}th answer names Quillmere.") for at in range(50_000)]) == ["Quillmere"]


def test_a_long_sentence_of_all_rows_is_one_text_without_what_is_within_it():
    long = "".join(chr(ord("一") + at) for at in range(400))
    rows = [("问？", f"{long}。{'好' * (at % 4)}。{long[100:200]}也。") for at in range(400)]

    assert recurring(rows) == [long, f"{long[100:200]}也"]
