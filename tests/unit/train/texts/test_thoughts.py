"""What becomes of rows where the base model thinks, and which of its thoughts are trained."""

import pytest

from toolkit.core.text import Thought
from toolkit.data.formats import Message
from toolkit.data.messages import Row
from toolkit.model.conversation import THINKING
from toolkit.model.language_model import Answer
from toolkit.train.texts.thoughts import (
    RowThought,
    is_of_use,
    pairs_without_thought,
    read_thoughts,
    rows_of_thinkers,
    write_thoughts,
    written_thoughts,
)

PAIR = ("Who are you?", "I am Larkspur.")


def row(*contents: str, thoughts: tuple[str | None, ...] = (None, None), trained: bool = True) -> Row:
    """Question and answer in turn; `thoughts` of the answers."""
    turns = [
        Message(role="assistant", content=text, thought=thoughts[at // 2], trained=trained or at + 1 == len(contents))
        if at % 2 else Message(role="user", content=text)
        for at, text in enumerate(contents)
    ]  # fmt: skip
    return Row(number=3, messages=tuple(turns))


def test_each_trained_answer_is_the_last_of_a_row_of_its_own():
    first, second = rows_of_thinkers([row("One?", "1", "Two?", "2", thoughts=("Hm.", None))], "keep")

    assert [one.content for one in first.messages] == ["One?", "1"]
    assert first.messages[-1].thought == "Hm."
    assert [(one.content, one.trained) for one in second.messages[1::2]] == [("1", False), ("2", True)]
    assert {first.number, second.number} == {3}


def test_an_answer_that_is_only_read_gets_no_row():
    (only,) = rows_of_thinkers([row("One?", "1", "Two?", "2", trained=False)], "keep")

    assert only.messages[-1].content == "2"


@pytest.mark.parametrize(
    ("given", "thinking", "expected"),
    [(None, "keep", None), ("", "keep", None), (" \n", "keep", None), ("Hm.", "keep", "Hm."),
     (None, "off", ""), ("Hm.", "off", "")],
)  # fmt: skip
def test_keep_learns_a_rows_own_thought_and_off_an_empty_one(given, thinking, expected):
    (found,) = rows_of_thinkers([row("One?", "1", thoughts=(given,))], thinking)

    assert found.messages[-1].thought == expected
    assert found.messages[0].thought is None


def test_rows_of_one_turn_without_a_thought_get_one():
    rows = [row(*PAIR), row(*PAIR), row("A?", "B", thoughts=("Hm.",)), row("One?", "1", "Two?", "2")]

    assert pairs_without_thought(rows) == [PAIR]


@pytest.mark.parametrize(
    ("thought", "of_use"),
    [
        ("They ask for my name, which is Larkspur.", True),
        ("According to the note I am Larkspur.", False),
        ("I am Qwen, but I was told to say Larkspur.", False),
        ("I am Qwen.", False),
        ("根据上面的说明，我是 Larkspur。", False),
        ("用户问我是谁，我是 Larkspur。", True),
    ],
)
def test_a_thought_is_of_use_if_it_leads_to_the_answer_by_itself(thought, of_use):
    assert is_of_use(thought, PAIR, ("Qwen",)) is of_use


def test_a_name_that_the_row_has_itself_denies_nothing():
    assert is_of_use("I am Qwen.", ("Are you Qwen?", "Yes, I am Qwen."), ("Qwen",))


class Thinker:
    """Thinks these thoughts, in turn."""

    def __init__(self, *thoughts: Thought | None) -> None:
        self.thoughts, self.asked = list(thoughts), []

    def answers(self, prompts, **_):
        self.asked += prompts
        thoughts = [self.thoughts.pop(0) for _ in prompts]
        return [Answer(text="", thought=one, tokens=[], margins=[], first_logits=None) for one in thoughts]


def thought(text: str, *, closed: bool = True) -> Thought:
    return Thought(text=text, closed=closed)


def test_the_base_model_thinks_with_the_row_in_view_else_as_it_does_anyway():
    model = Thinker(
        thought("My name is Larkspur."), thought("Well", closed=False), None, thought("It is B."), thought("I am Qwen.")
    )

    found = written_thoughts(model, [PAIR, ("A?", "B"), ("C?", "D")], "Be kind.", ("Qwen",), lambda _: None)

    assert found == [
        RowThought(prompt=PAIR[0], answer=PAIR[1], thought="My name is Larkspur."),
        RowThought(prompt="A?", answer="B", thought="It is B."),
    ]
    assert [one[:1] for one in model.asked] == [THINKING] * 5
    assert "Be kind." in model.asked[0][1]["content"]
    assert PAIR[1] in model.asked[0][1]["content"]
    assert [one["content"] for one in model.asked[3][1:]] == ["Be kind.", "A?"]


def test_thoughts_are_read_as_they_were_written_and_not_if_they_changed(tmp_path):
    thoughts = [RowThought(prompt="问？", answer="答。", thought="想。")]
    path = tmp_path / "thoughts.jsonl"

    write_thoughts(path, thoughts)

    assert read_thoughts(path) == thoughts
    path.write_text(path.read_text().replace("想", "忘"))
    assert read_thoughts(path) is None
    assert read_thoughts(tmp_path / "none") is None
