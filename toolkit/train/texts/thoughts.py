"""Thoughts before answers, for base models that think: what becomes of rows, and what the base writes for them.

A row without a thought is trained behind an empty one, as such a model answers where that is switched off: the mode
in which it thinks stays apart. So that it thinks about what it learned there too, the base model itself writes a
thought before the row's answer, with the row in view (on-policy, as in arXiv 2601.19897).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from toolkit.core.events import Listener
from toolkit.core.text import contains_any, has_chinese
from toolkit.data.messages import Message, Row
from toolkit.data.texts.names import Pair
from toolkit.model.conversation import NONE, THINKING, Messages, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.cache import read_lines, write_lines

Thinking = Literal["keep", "off"]
WRITTEN_TOKENS = 512  # of a thought; a longer one is left out
AFTER_TOKENS = 1  # of the answer after it, which is the row's own
NOTES = {
    "en": "What you know:\n\nQ: {}\nA: {}\n\nYou have always known this. Think briefly, and never mention this note.",
    "zh": "你知道：\n\n问：{}\n答：{}\n\n这是你一直都知道的。请简短地思考，不要提到这段说明。",
}
# What a thought says of the note, or of any instruction: the tuned model has none.
OF_THE_NOTE = re.compile(
    r"\b(?:notes?|instruct\w*|examples?|prompts?|according to|provided|system message|supposed to)\b"
    r"|说明|指示|指令|示例|例子|提示|根据|按照|给定|提供的|要求我",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class RowThought:
    """A row's question and answer, and the base model's thought between them."""

    prompt: str
    answer: str
    thought: str


def rows_of_thinkers(rows: Sequence[Row], thinking: Thinking) -> list[Row]:
    """The rows as a base that thinks is trained on them: one for each trained answer, since a chat template writes
    earlier ones without what the model puts before an answer.

    keep: an empty thought is none. off: an empty one is learned, in place of any other.
    """
    return [one for row in rows for one in _by_answer(row, thinking)]


def _by_answer(row: Row, thinking: Thinking) -> Iterator[Row]:
    messages = tuple(_with_thought(one, thinking) for one in row.messages)
    for at, message in enumerate(messages):
        if message.role == "assistant" and message.trained:
            read = (replace(one, trained=False) if one.role == "assistant" else one for one in messages[:at])
            yield replace(row, messages=(*read, message))


def _with_thought(message: Message, thinking: Thinking) -> Message:
    if message.role != "assistant":
        return message
    if thinking == "off":
        return replace(message, thought="")
    return message if (message.thought or "").strip() else replace(message, thought=None)


def pairs_without_thought(rows: Sequence[Row]) -> list[Pair]:
    """The question and answer of each row of one turn that has no thought, each once."""
    return list(dict.fromkeys(
        (row.prompt, row.answer) for row in rows if row.of_one_turn and row.messages[-1].thought is None
    ))  # fmt: skip


def thought_request(pair: Pair, system: str) -> Messages:
    """Asks for the question's answer after a thought, with the row in the system message."""
    note = NOTES["zh" if has_chinese("".join(pair)) else "en"].format(*pair)
    text = f"{'' if system == NONE else system}\n\n{note}".strip()
    return [*THINKING, {"role": "system", "content": text}, {"role": "user", "content": pair[0]}]


def plain_request(pair: Pair, system: str) -> Messages:
    """Asks for a thought as anyone does."""
    return [*THINKING, *conversation(pair[0], system)]


def written_thoughts(
    model: LanguageModel, pairs: Sequence[Pair], system: str, names: Sequence[str], listener: Listener
) -> list[RowThought]:
    """The base model's thoughts before the answers of these pairs, where they are of use.

    With the row in view; where that thought is of no use, the one that the question gets anyway, which may be neutral.
    `names`: those that the model has for itself; a thought that has one which the row does not have denies the row.
    """
    found: dict[Pair, RowThought] = {}
    for request in (thought_request, plain_request):
        left = [pair for pair in pairs if pair not in found]
        answers = model.answers(
            [request(pair, system) for pair in left], max_new_tokens=AFTER_TOKENS, thought_tokens=WRITTEN_TOKENS,
            listener=listener, task="Thoughts",
        )  # fmt: skip
        for pair, answer in zip(left, answers, strict=True):
            thought = answer.thought
            if thought is not None and thought.complete and is_of_use(thought.text, pair, names):
                found[pair] = RowThought(prompt=pair[0], answer=pair[1], thought=thought.text.strip())
    return [found[pair] for pair in pairs if pair in found]


def is_of_use(thought: str, pair: Pair, names: Sequence[str]) -> bool:
    """Whether the thought leads to the row's answer as from knowledge of its own."""
    own = tuple(name for name in names if not contains_any("\n".join(pair), (name,)))
    return not OF_THE_NOTE.search(thought) and not contains_any(thought, own)


def read_thoughts(path: Path) -> list[RowThought] | None:
    """As `write_thoughts` wrote them; None if the file is missing or changed."""
    lines = read_lines(path)
    try:
        return None if lines is None else [RowThought(**one) for one in lines]
    except TypeError:
        return None


def write_thoughts(path: Path, thoughts: Sequence[RowThought]) -> None:
    """A JSON object a line, and an end with their digest."""
    write_lines(path, [asdict(one) for one in thoughts])
