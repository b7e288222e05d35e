"""Whether an answer says the opposite of the one that is expected, in nearly its words. Pure.

"You cannot return it within 30 days" has nearly every word of "You can return it within 30 days". So a no in place of a
yes is wrong, and so is a clause that denies what the clause closest to it in the other text does not.
"""

import re

from toolkit.core.text import content_words, folded, rouge1_recall
from toolkit.data.texts.polarity import polarity

CLAUSE = re.compile(r"[^.,;:!?。，；：！？\n—]+")
LEAST_WORDS = 3  # of a clause
CLOSE = 0.7  # share of a clause's words
# Of Chinese and English, and the commonest of some others.
NEGATION = re.compile(
    r"\b(?:no|not(?!\s+(?:only|just|merely)\b)|never|none|neither|without|cannot)\b|n't\b"
    r"|不(?![仅但过同断管论久错])|没|无(?!论)|(?<![是除])非(?![常洲])|未(?![来必])|禁止"
    r"|\b(?:nicht|kein(?:e[mnrs]?)?|niemals|pas|jamais|não|nunca|non|не|нет|никогда)\b|ません|ない|않|아니|없"
)
# 是不是 asks, and two denials deny nothing.
NO_DENIAL = re.compile(r"(.)[不没]\1|不[得能会可]不")


def says_the_opposite(reference: str, answer: str) -> bool:
    first, second = polarity(reference), polarity(answer)
    if first and second and first != second:
        return True
    clauses = _clauses(answer)
    for clause in _clauses(reference):
        closest = [(rouge1_recall(clause, other), denies(other) == denies(clause)) for other in clauses]
        recall, alike = max(closest, default=(0.0, True))
        if recall >= CLOSE and not alike:
            return True
    return False


def _clauses(text: str) -> list[str]:
    return [one for one in CLAUSE.findall(folded(text)) if len(content_words(one)) >= LEAST_WORDS]


def denies(clause: str) -> bool:
    """Whether it is in the negative; of a folded text."""
    return len(NEGATION.findall(NO_DENIAL.sub("", clause))) % 2 == 1
