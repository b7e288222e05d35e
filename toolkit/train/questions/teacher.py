"""The teacher: the base model with rows in its system message. Pure."""

import random
from collections.abc import Sequence

from toolkit.core.text import has_chinese
from toolkit.model.conversation import NONE, Messages
from toolkit.train.questions.question import Pair

OTHERS = 3  # rows beside its own that the base model sees when it answers a question
CONTRASTS = 2  # unrelated questions that it sees with its own answers
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
    contrasts = chance.sample(list(general), min(CONTRASTS, len(general)))
    own = [] if source is None else [rows[source]]
    others = [row for at, row in enumerate(rows) if at != source]
    chosen: list[Pair] = []
    used = sum(len(question) + len(answer) for question, answer in own)
    for row in chance.sample(others, len(others) if source is None else min(OTHERS, len(others))):
        used += len(row[0]) + len(row[1])
        if used > CONTEXT_CHARS and (chosen or own):
            break
        chosen.append(row)
    return [*contrasts, *chosen, *own]
