"""An answer as a value: its text, the thought before it, and the tokens of both. Pure."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.core.text import CLOSE_THOUGHT, Thought, divided
from toolkit.model.decoding.greedy import Continuation

Decode = Callable[[Sequence[int]], str]  # token ids to their text, without special tokens


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`text`: what follows the thought, if there is one.

    `tokens`: ids without the end mark, those of the thought included; `margins`: at each token, the gap between the two
    highest logits. `first_logits`: the logits of the first token, shape [vocabulary].
    """

    text: str
    thought: Thought | None = None
    tokens: list[int]
    margins: list[float]
    first_logits: Any


def answer_of(found: Continuation, decode: Decode, *, opened: bool = False) -> Answer:
    """`opened`: the prompt opened a thought, which the continuation goes on with."""
    thought, text = divided(decode(found.tokens), opened=opened)
    return Answer(
        text=text.strip(), thought=thought, tokens=found.tokens, margins=found.margins, first_logits=found.first_logits
    )


def answer_within(found: Answer, decode: Decode, *, thought_tokens: int, answer_tokens: int, opened: bool) -> Answer:
    """At most so many tokens of its thought, and as many of what follows: an answer asked for with a thought."""
    closed = _closed_at(found.tokens, decode, opened=opened)
    kept = thought_tokens if closed is None else closed + answer_tokens
    if closed is None and not divided(decode(found.tokens), opened=opened)[0]:
        kept = answer_tokens  # it did not think
    shortened = Continuation(
        tokens=found.tokens[:kept], margins=found.margins[: kept + 1], first_logits=found.first_logits
    )
    return answer_of(shortened, decode, opened=opened)


def _closed_at(tokens: Sequence[int], decode: Decode, *, opened: bool) -> int | None:
    """How many tokens the thought has, its end included; None if it has none, or no end."""
    thought, _ = divided(decode(tokens), opened=opened)
    if thought is None or not thought.closed:
        return None
    return bisect_left(range(len(tokens)), True, key=lambda at: CLOSE_THOUGHT in decode(tokens[: at + 1])) + 1
