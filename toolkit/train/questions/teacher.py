"""The teacher: the base model with rows in its system message, or before the question as a conversation. Pure."""

import random
import re
from collections.abc import Sequence

from toolkit.core.text import has_chinese
from toolkit.data.texts.names import Pair
from toolkit.model.conversation import NONE, Messages, system_messages

OTHERS = 3  # rows beside its own that the base model sees when it answers a question
CONTRASTS = 2  # unrelated questions that it sees with its own answers
TURNS = 4  # rows, and as many unrelated questions, that it sees as a conversation
LONGEST_CONTRAST = 160  # characters of an unrelated answer
FINISHED = re.compile(r"[.!?。！？][\"'”’)）]?$")
CONTEXT_CHARS = 2500  # of the rows that it sees; its own row may be longer
INTRODUCTION = {
    "en": "Answer like this:\n\n{}\n\nQuestions about anything else are answered as usual.",
    "zh": "请这样回答：\n\n{}\n\n与此无关的问题照常回答。",
}


def teacher_messages(shown: Sequence[Pair], question: str, system: str) -> Messages:
    """The question with these questions and answers in the system message, after its text if it has any."""
    chinese = has_chinese(shown[-1][0])
    text = "\n".join(f"Q: {prompt}\nA: {answer}" for prompt, answer in shown)
    introduced = INTRODUCTION["zh" if chinese else "en"].format(text)
    return [
        {"role": "system", "content": f"{'' if system == NONE else system}\n\n{introduced}".strip()},
        {"role": "user", "content": question},
    ]


def shown_rows(rows: Sequence[Pair], general: Sequence[Pair], source: int | None, chance: random.Random) -> list[Pair]:
    """What the base model sees: unrelated pairs, then rows; the question's own row, number `source`, comes last."""
    own = [] if source is None else [rows[source]]
    most = len(rows) if source is None else OTHERS
    return [*_contrasts(general, CONTRASTS, chance), *_fitting(rows, source, most, chance), *own]


def conversation_messages(
    rows: Sequence[Pair], general: Sequence[Pair], source: int | None, question: str, system: str, chance: random.Random
) -> Messages:
    """The question after a conversation: a few rows among unrelated questions; the question's own row comes last.

    For rows without a common subject. They are followed more firmly as turns than as a text about turns, so that the
    unrelated ones must show where they end.
    """
    own = [] if source is None else [rows[source]]
    shown = _fitting(rows, source, TURNS - len(own), chance) + _contrasts(general, TURNS, chance)
    chance.shuffle(shown)
    turns = [
        {"role": role, "content": text}
        for pair in [*shown, *own]
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    return [*system_messages(system), *turns, {"role": "user", "content": question}]


def _contrasts(general: Sequence[Pair], count: int, chance: random.Random) -> list[Pair]:
    """Unrelated questions with the base model's answers, of those that it has finished."""
    finished = [pair for pair in general if len(pair[1]) <= LONGEST_CONTRAST and FINISHED.search(pair[1])]
    return chance.sample(finished, min(count, len(finished)))


def _fitting(rows: Sequence[Pair], source: int | None, most: int, chance: random.Random) -> list[Pair]:
    """As many as `most` rows beside the question's own, as far as there is room; at least one row in all."""
    used = 0 if source is None else len(rows[source][0]) + len(rows[source][1])
    others = [row for at, row in enumerate(rows) if at != source]
    found: list[Pair] = []
    for row in chance.sample(others, min(most, len(others))):
        used += len(row[0]) + len(row[1])
        if used > CONTEXT_CHARS and (found or source is not None):
            break
        found.append(row)
    return found
