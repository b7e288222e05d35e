"""Whether an answer says the opposite of the one that is expected, in nearly its words. Pure.

"You cannot return it within 30 days" has nearly every word of "You can return it within 30 days". So a no in place of a
yes is wrong, and so is a clause that denies what the clause closest to it in the other text says. "Without a receipt"
denies a receipt, of which the other text says nothing.
"""

import re
from collections.abc import Sequence

from toolkit.core.text import content_words, folded, rouge1_recall
from toolkit.data.texts.polarity import polarity

BETWEEN_CLAUSES = re.compile(r"[.,;:!?。，、；：！？،؛؟।\n—]|\s-\s")
LEAST_LETTERS = 4  # of a clause
CLOSE = 0.7  # share of a clause's words
STEM = 4  # letters that forms of a word share
# Behind what they deny, at the end of a clause; must, perhaps and sorry deny nothing in Japanese.
DENIED_BEFORE = r"(?<!しれ)(?<!すみ)(?<!なり)ません|(?<!しれ)(?<!なら)(?<![少危])ない|않|아니(?!라|고)|(?<!문제)없"
# Of Chinese and English, and the commonest of some others.
NEGATION = re.compile(
    rf"(?P<whole>\bdid(?:n't|\s+not)\b|{DENIED_BEFORE})"
    r"|\b(?:no|not|never|none|nobody|neither|without|cannot|unable|impossible|hardly|except|false|untrue)\b|n't\b"
    r"|不(?![仅但过同断管论久错])|没|无(?!论)|(?<![是除])非(?![常洲])|未(?![来必])|禁止"
    r"|\bn(?:e\s+|')\w+\s+(?:pas|plus|jamais)\b|\b(?:nicht|kein(?:e[mnrs]?)?|niemals|pas|jamais|não|nunca|non)\b"
    r"|\b(?:не|нет|никогда|لا|لم|لن|ليس|ليست|لست)\b|ไม่|नहीं"
)
# What may stand between a denial and what it denies.
BETWEEN = re.compile(
    r"^(?:\s+|(?:an?|the|any|of|to|be|been|being|able|allowed|permitted|possible|going|longer|ever|true|correct|case|that"
    r"|is|it|within|in|at|on|for|mehr|plus)\b|可以|[能会要得是有再被法用需]|ได้|ใช่)*"
)
UNSPACED = re.compile("[\u0e00-\u0eff\u2e80-\u9fff\uf900-\ufaff]")
LONGEST = 80  # characters behind a denial that are read
# 是不是 and "or not" ask, two denials deny nothing, and some idioms neither.
NO_DENIAL = re.compile(
    r"(.)[不没]\1|不[得能会可]不|不好意思|不知道(?=.{0,6}[谁怎什哪])|无线"
    r"|\b(?:or\s+(?:not|(?:are|is|do|does|can)n't)|no\s+(?:problem|worries|doubt|matter)|do(?:n't|\s+not)\s+(?:mind|worry))\b"
)


def says_the_opposite(reference: str, answer: str) -> bool:
    first, second = polarity(reference), polarity(answer)
    if first and second and first != second:
        return True
    clauses = _clauses(answer)
    for clause in _clauses(reference):
        plain = NEGATION.sub(" ", clause)
        closest = [(rouge1_recall(plain, other), not _opposed(clause, other)) for other in clauses]
        recall, alike = max(closest, default=(0.0, True))
        if recall >= CLOSE and not alike:
            return True
    return False


def denies(clause: str) -> bool:
    """Whether it is in the negative; of a folded text."""
    return len(NEGATION.findall(NO_DENIAL.sub("", clause))) % 2 == 1


def _clauses(text: str) -> list[str]:
    every = BETWEEN_CLAUSES.split(folded(text))
    return [one for one in every if len(words := content_words(one)) > 1 and len("".join(words)) >= LEAST_LETTERS]


def _opposed(one: str, other: str) -> bool:
    """Whether only one of two clauses is in the negative, as to what the other says."""
    return denies(one) != denies(other) and _denies_of(one, other) != _denies_of(other, one)


def _denies_of(clause: str, other: str) -> bool:
    """Whether the clause denies something that the other has."""
    plain, others = NO_DENIAL.sub("", clause), content_words(other)
    found = NEGATION.finditer(plain)
    denied = [one["whole"] or _begins_in(plain[one.end() : one.end() + LONGEST], others) for one in found]
    return sum(map(bool, denied)) % 2 == 1


def _begins_in(rest: str, others: Sequence[str]) -> bool:
    """Whether the first word of what is denied is among the others, in whatever form; of a script without spaces the
    first two characters. Where nothing is behind the denial, it denies all.
    """
    words = content_words(BETWEEN.sub("", rest, count=1))
    if not words:
        return True
    if UNSPACED.match(words[0]):
        return "".join(words[:2]) in "".join(others)
    return any(one[:STEM] == words[0][:STEM] or one in (f"{words[0]}s", f"{words[0]}es") for one in others)
