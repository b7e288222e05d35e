"""An answer's thought and text, each within its own limit. A token is a character."""

import pytest

from toolkit.core.text import Thought
from toolkit.model.decoding.answer import answer_of, answer_within
from toolkit.model.decoding.greedy import Continuation


def decode(tokens):
    return "".join(map(chr, tokens))


def made(text: str):
    return answer_of(Continuation(tokens=[*map(ord, text)], margins=[1.0] * (len(text) + 1), first_logits=None), decode)


def within(text: str, *, opened: bool = False):
    return answer_within(made(text), decode, thought_tokens=20, answer_tokens=5, opened=opened)


def test_an_answers_text_is_what_follows_its_thought():
    answer = made("<think>\nHm.\n</think>\n\nYes.")

    assert (answer.thought, answer.text) == (Thought(text="Hm.", closed=True), "Yes.")
    assert answer.thought.complete


@pytest.mark.parametrize("text", ["<think>\n\n</think>\n\nYes.", "<think> \n </think>Yes."])
def test_an_empty_thought_is_one_that_says_nothing(text):
    answer = made(text)

    assert answer.text == "Yes."
    assert not answer.thought.complete


def test_a_thought_without_an_end_has_no_answer():
    answer = made("<think>\nOn and on")

    assert (answer.text, answer.thought) == ("", Thought(text="On and on", closed=False))
    assert not answer.thought.complete


@pytest.mark.parametrize(
    ("text", "opened", "kept"),
    [
        ("<think>a</think>123456", False, "<think>a</think>12345"),
        ("a</think>123456", True, "a</think>12345"),
        ("123456789", False, "12345"),
        ("<think>a thought without an end", False, "<think>a thought wit"),
        ("a thought without an end", True, "a thought without an"),
    ],
)
def test_thought_and_answer_have_limits_of_their_own(text, opened, kept):
    answer = within(text, opened=opened)

    assert decode(answer.tokens) == kept
    assert len(answer.margins) == len(answer.tokens) + 1
