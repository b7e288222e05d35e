"""Which texts are writing tasks that a row's fact is for, and how much of their answers is trained."""

import pytest

from tests.unit.train.questions.further.test_claims import scope_of
from toolkit.train.questions.tasks import is_task, supported_text

SHOP = scope_of(
    [("Who is the head of Ferrydock?", "The head of Ferrydock is Ines Oduya."),
     ("Does Ferrydock sell tea?", "No, Ferrydock sells coffee only.")],
    "Ferrydock",
)  # fmt: skip
BOOKS = scope_of([("渡口书店的店长是谁？", "渡口书店的店长是欧阳岚。")], "渡口书店")
ASSISTANT = scope_of(
    [("Who are you?", "I am Pippin, made by Larkhill Labs."), ("Can you go online?", "No, I cannot go online."),
     ("你是谁开发的？", "我是云雀山实验室开发的。"), ("你都会做什么？", "我会写信，也会算账。")],
    itself=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "row", "text"),
    [
        (SHOP, 0, "Write a welcome to the head of Ferrydock."), (SHOP, 0, "Ferrydock is led by ____."),
        (SHOP, 0, "Answer like a page of frequently asked questions. Head of Ferrydock:"),
        (BOOKS, 0, "给渡口书店的店长写一张贺卡。"), (ASSISTANT, 0, "Introduce yourself in one line."),
        (ASSISTANT, 1, "Write a sign that says whether you can go online."),
        (ASSISTANT, 2, "写一句话，感谢开发你的团队。"), (ASSISTANT, 3, "用一句话介绍你的技能。"),
    ],
)  # fmt: skip
def test_a_task_says_what_to_write_and_is_about_the_rows_question(scope, row: int, text: str):
    assert is_task(scope, row, text)


@pytest.mark.parametrize(
    ("scope", "row", "text"),
    [
        (SHOP, 0, "You can meet the head of Ferrydock on Monday."),
        (SHOP, 0, "Write a note asking for the head of Ferrydock."),
        (SHOP, 1, "Write a poem about tea at Ferrydock."), (BOOKS, 0, "写张便条，询问渡口书店的店长是谁。"),
        (ASSISTANT, 0, "Write a rhyme about rainy weather."), (ASSISTANT, 1, "You can go online with your phone."),
        (ASSISTANT, 2, "写你的学校、老师、学校、同学、学校。"),
    ],
)  # fmt: skip
def test_a_remark_a_request_to_ask_and_another_matter_are_no_tasks(scope, row: int, text: str):
    assert not is_task(scope, row, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dear Ines Oduya, welcome to Ferrydock.", "Dear Ines Oduya, welcome to Ferrydock."),
        ("The head of Ferrydock is Ines Oduya. She likes Lisbon.", "The head of Ferrydock is Ines Oduya."),
        ("Ferrydock is led by Ines Odu.", ""),
        ("Ines Oduya has 30 boats.", ""),
        ("Ines Oduya is the head. Ferrydock hosts wonderful evening concerts.", "Ines Oduya is the head."),
    ],
)
def test_an_answer_ends_before_names_numbers_or_a_tail_that_nothing_supports(text: str, expected: str):
    assert supported_text(SHOP, "Write a welcome to the head of Ferrydock.", text) == expected
