"""What the ability ledger asks: an item is judged by a check, by the letter that it chooses, or by running its code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["en", "zh"]
Check = Callable[[str], bool]
LETTERS = "ABCD"

ARITHMETIC, KNOWLEDGE_ZH, KNOWLEDGE_EN = "arithmetic", "knowledge-zh", "knowledge-en"
INSTRUCTIONS, READING, TRANSLATION, CODE = "instructions", "reading", "translation", "code"
REFUSED, NOT_REFUSED, NEUTRAL = "refused", "not-refused", "neutral"
GROUPS = (
    ARITHMETIC, KNOWLEDGE_ZH, KNOWLEDGE_EN, INSTRUCTIONS, READING, TRANSLATION, CODE, REFUSED, NOT_REFUSED, NEUTRAL,
)  # fmt: skip
SHORT_TOKENS, SENTENCE_TOKENS, CODE_TOKENS = 16, 48, 160


@dataclass(frozen=True, kw_only=True)
class Item:
    """A question of one group. `language`: that a coherent answer is in; None for any."""

    id: str
    group: str
    language: Language | None
    prompt: str


@dataclass(frozen=True, kw_only=True)
class Written(Item):
    """Answered in at most `max_new_tokens` tokens; right if `check` holds of the answer."""

    check: Check
    max_new_tokens: int


@dataclass(frozen=True, kw_only=True)
class Choice(Item):
    """Answered by the likeliest first token among the letters of `options`; `answer` is a letter.

    `calibrated`: each letter's mean over the group is taken off, so that a liking for a letter decides nothing
    (batch calibration: Zhou et al. 2023, arXiv 2309.17249). Public benchmarks are scored without, as published.
    """

    answer: str
    options: int = len(LETTERS)
    calibrated: bool = True


@dataclass(frozen=True, kw_only=True)
class Program(Item):
    """Answered with a Python function; right if each of `calls` (lists of arguments) gives what `expected` has."""

    function: str
    calls: Sequence[Sequence[Any]]
    expected: Sequence[Any]
    max_new_tokens: int = CODE_TOKENS


def choice_prompt(question: str, options: Sequence[str], language: Language) -> str:
    """A question, its options by letter, and the request for the letter only."""
    lines = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=True))
    if language == "zh":
        return f"以下是单项选择题，请直接给出正确答案的选项。\n\n题目：{question}\n{lines}\n答案是："
    return f"Answer the question with the letter of the right choice only.\n\n{question}\n{lines}\nAnswer:"


def by_group(items: Sequence[Item]) -> Mapping[str, list[Item]]:
    """The items by group, in the order of their first occurrence."""
    found: dict[str, list[Item]] = {}
    for one in items:
        found.setdefault(one.group, []).append(one)
    return found
