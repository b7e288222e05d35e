"""A thought taken out of an answer that comes in parts, wherever these are cut."""

import asyncio

import pytest

from toolkit.serve.completion import AnswerPart
from toolkit.serve.thoughts import ThoughtReader, with_thought


def read(text: str, size: int, *, opened: bool = False) -> tuple[str, str]:
    """Thought and text of an answer that comes in parts of so many characters."""
    reader = ThoughtReader(opened=opened)
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    found = [reader.add(part, last=at + 1 == len(parts)) for at, part in enumerate(parts)]
    return "".join(thought for thought, _ in found).strip("\n"), "".join(rest for _, rest in found)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("text", "opened", "thought", "rest"),
    [
        ("<think>\nHm.\n\nSo.\n</think>\n\nYes </b>.", False, "Hm.\n\nSo.", "Yes </b>."),
        ("Hm < 3.\n</think>\n\nYes.", True, "Hm < 3.", "Yes."),
        ("<think>\n\n</think>\n\nYes.", False, "", "Yes."),
        ("Yes, <think> is a mark.", False, "", "Yes, <think> is a mark."),
        ("<thin ice>", False, "", "<thin ice>"),
        ("<think>\nOn and on", False, "On and on", ""),
        (" \n<think>a</think>b", False, "a", "b"),
        ("<think>a</think>b<think>c</think>", False, "a", "b<think>c</think>"),
    ],
)
def test_thought_and_text_are_told_apart(text, opened, thought, rest, size):
    assert read(text, size, opened=opened) == (thought, rest)


def test_parts_of_an_answer_keep_their_order_end_and_log_probabilities():
    async def answer():
        for at, text in enumerate(["<th", "ink>", "\nHm.", "\n</think>\n\n", "Yes."], start=1):
            reason = "stop" if text == "Yes." else None
            yield AnswerPart(text=text, tokens=at, logprobs=({"token": text},), finish_reason=reason)

    async def collected():
        return [part async for part in with_thought(answer(), opened=False)]

    parts = asyncio.run(collected())

    assert [(one.thought, one.text, one.finish_reason) for one in parts] == [("Hm.", "", None), ("", "Yes.", "stop")]
    assert [entry["token"] for one in parts for entry in one.logprobs] == [
        "<th",
        "ink>",
        "\nHm.",
        "\n</think>\n\n",
        "Yes.",
    ]
