"""Which questions that a small model wrote from a row still ask what the row answers."""

import pytest

from tests.unit.train.questions.further.test_claims import scope_of
from toolkit.train.questions.written import asks_the_same, fits, same_numbers

ASSISTANT = scope_of(
    [
        ("Who are you?", "I am Pippin, made by Larkhill Labs."), ("Who made you?", "Larkhill Labs made me."),
        ("What can I call you?", "You can call me Pippin."), ("Are you Brightloaf?", "No, I am Pippin."),
        ("你是谁开发的？", "我是云雀山实验室开发的。"), ("你是晓岚助手吗？", "不是，我叫小橹。"),
    ],
    itself=True,
)  # fmt: skip
SHOP = scope_of(
    [
        ("Who is the head of Ferrydock?", "The head of Ferrydock is Ines Oduya."),
        ("Does Ferrydock sell tea?", "No, Ferrydock sells coffee only."),
        ("Where can I leave my bike at Ferrydock?", "Ferrydock has a stand behind the house."),
        ("渡口书店的店长是谁？", "渡口书店的店长是欧阳岚。"),
    ],
    "Ferrydock",
)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (0, "What is your full name?"), (0, "Tell me about yourself."), (1, "I need the name of your maker."),
        (1, "I am a student. Who made you?"), (3, "Is it true that you are Brightloaf?"),
        (3, "Are you the same as Hazelmind?"), (4, "告诉我你的开发者是谁。"), (5, "晓岚助手就是你吧？"),
    ],
)  # fmt: skip
def test_other_words_for_the_same_are_kept(row: int, text: str):
    assert asks_the_same(ASSISTANT, row, text)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (1, "Who built your residence?"), (4, "告诉我你的家乡。"), (0, "Do you know who I am?"),
        (0, "你知道我是谁吗？"), (2, "What do you call me?"), (4, "你是谁的开发者？"), (4, "你开发的软件叫什么？"),
        (1, "What did you make?"), (3, "Which model are you?"), (5, "你叫什么名字？"),
        (2, "We hired a coach. What do you call them?"), (4, "你知道他们的开发者是谁吗？"),
    ],
)  # fmt: skip
def test_what_drifted_from_the_assistant_is_dropped(row: int, text: str):
    assert not asks_the_same(ASSISTANT, row, text)


@pytest.mark.parametrize(
    ("row", "text", "kept"),
    [
        (0, "By whom is Ferrydock led?", True),
        (0, "Who was the last head of Ferrydock?", False),
        (0, "Who leads Ferrydock? I forgot the last line.", True),
        (3, "渡口书店的上一任店长是谁？", False),
        (1, "Is there tea at Ferrydock?", True),
        (1, "What does Ferrydock sell?", False),
        (2, "Is there a place for my bike at Ferrydock?", True),
        (2, "Where can you leave your bike at Ferrydock?", False),
    ],
)
def test_a_question_about_a_subject_keeps_its_time_its_speaker_and_its_yes_or_no(row: int, text: str, kept: bool):
    assert asks_the_same(SHOP, row, text) == kept


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Turn 6 stone into kilograms.", True), ("How many kilograms are six stone?", True),
        ("How many kilograms are 7 stone?", False), ("Turn stone into kilograms.", False),
        ("What is 6 in kilograms?", False),
    ],
)  # fmt: skip
def test_a_number_and_its_unit_stay(text: str, same: bool):
    assert same_numbers("How many kilograms are 6 stone?", text) == same


def test_a_question_written_from_an_answer_may_have_the_answers_number():
    scope = scope_of([("When did Ferrydock open?", "Ferrydock opened in 1987.")], "Ferrydock")

    assert fits(scope, "reversal", 0, "What opened in 1987?")
    assert not fits(scope, "paraphrase", 0, "Did Ferrydock open in 1987?")
    assert not fits(scope, "statement", 0, "Did Ferrydock open in 1990?")
