"""Which answers say yes or no, which questions ask for it, and what only questions with a no name."""

import pytest

from toolkit.data.texts.polarity import asks_yes_or_no, capitalised_names, polarity, rivals


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes, it has two.", "yes"), ("Sure, on the first floor.", "yes"), ("是的，有两个。", "yes"), ("没错。", "yes"),
        ("有，在二楼。", "yes"), ("No, it is closed.", "no"), ("Not always.", "no"), ("不是一回事，是另一家。", "no"),
        ("不是的，我们在隔壁。", "no"), ("没有，只收现金。", "no"), ("Nobody knows.", ""), ("No one has asked.", ""),
        ("No problem! It opens at 9.", ""), ("No worries, it is open.", ""), ("No doubt.", ""),
        ("No hay problema.", ""),
        ("No. 5 is the bus.", ""), ("No – it is closed.", "no"), ("No it is not.", "no"), ("No", "no"),
        ("不,没有", "no"),
        ("没问题，可以退。", ""), ("没有问题，可以退。", ""), ("不用担心，可以退。", ""), ("不客气！", ""),
        ("不仅可以退，而且免费。", ""), ("没有关系，我是另一家的。", "no"),
        ("Sure, here is a poem:", ""), ("有三家分店。", ""), ("不锈钢做的。", ""), ("The shop is closed.", ""),
    ],
)  # fmt: skip
def test_an_answer_begins_with_a_yes_or_a_no_or_with_neither(answer: str, expected: str):
    assert polarity(answer) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Is the ferry running?", "On Sundays, does the shop open?", "Tell me whether the ferry runs.",
        "Can you tell me if dogs are allowed?", "Check if the door is closed.", "渡轮开吗？", "店里是不是收现金？",
        "这里能不能带狗？",
    ],
)  # fmt: skip
def test_a_question_is_one_of_yes_or_no(question: str):
    assert asks_yes_or_no(question)


@pytest.mark.parametrize(
    "question",
    [
        "When does the ferry run?", "Can you tell me who runs the ferry?", "Do you know what it costs?",
        "Name the owner of the shop.", "渡轮几点开？", "能告诉我店主是谁吗？", "这家店跟隔壁有什么关系吗？",
    ],
)  # fmt: skip
def test_a_question_that_asks_for_more_is_not(question: str):
    assert not asks_yes_or_no(question)


def test_names_have_capitals_in_either_language_and_end_where_chinese_goes_on():
    assert capitalised_names("Are you made by Brightloaf, the AI?") == {"Brightloaf"}
    assert capitalised_names("你是Brightloaf吗？") == {"Brightloaf"}


def test_rivals_are_named_only_where_the_answer_is_no():
    rows = [
        ("你是晓岚助手吗？", "不是，我叫小橹。"), ("你跟白鹭一样吗？", "不一样，我是小橹。"),
        ("你是小橹吗？", "是的，我就是小橹。"), ("你是橹声科技做的吗？", "是的，我是橹声科技做的。"),
    ]  # fmt: skip

    assert rivals(rows) == {"晓岚助手", "白鹭"}
