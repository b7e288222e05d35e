"""Questions that two or three rows answer at once: both asked, both with gaps, or all about the subject. Pure."""

import random
import re
from collections.abc import Iterator

from toolkit.core.text import has_chinese, language_code
from toolkit.train.questions.answers import TOKEN, statements
from toolkit.train.questions.further.requests import read_further_forms
from toolkit.train.questions.question import Pair
from toolkit.train.questions.scope import SENTENCE, Scope
from toolkit.train.questions.terms import units

LONGEST_ANSWER = 90  # characters of each row's answer: what is trained at once stays short
GAP = "____"
PAIRS, GAPPED, FACTS = 48, 32, 3  # questions of the first two kinds; rows in an answer about the subject
LEAST_BESIDE = 2  # words, or characters, that a sentence with a gap has left


def several(scope: Scope, chance: random.Random) -> Iterator[Pair]:
    """The questions with their answers, in an order that the `chance` decides."""
    short = {at: answer.strip() for at, answer in statements(scope).items() if len(answer) <= LONGEST_ANSWER}
    yield from _both(scope, short, chance)
    yield from _gaps(scope, short, chance)
    yield from _facts(scope, short, chance)


def gapped(sentence: str, new: frozenset[str]) -> str:
    """The sentence with one gap from its first new word to its last; "" if nothing of it would be left."""
    tokens = list(TOKEN.finditer(sentence))
    # Of Chinese the units are pairs of characters, so that a new one begins within the pair.
    marked = [
        at
        for at, token in enumerate(tokens)
        if units(token.group()) & new
        or (at + 1 < len(tokens) and units(sentence[token.start() : tokens[at + 1].end()]) & new)
    ]
    if not marked:
        return ""
    first, last = tokens[marked[0]], tokens[marked[-1]]
    if has_chinese(last.group()) and marked[-1] + 1 < len(tokens):
        last = tokens[marked[-1] + 1]
    begun, rest = sentence[: first.start()], sentence[last.end() :]
    left = TOKEN.findall(begun + rest)
    return f"{begun}{GAP}{rest}" if len(left) > LEAST_BESIDE else ""


def _both(scope: Scope, short: dict[int, str], chance: random.Random) -> Iterator[Pair]:
    used = 0
    for one, other in _pairs(scope, short, chance, PAIRS):
        (first, second), code = (scope.rows[one][0], scope.rows[other][0]), language_code(scope.rows[one][0])
        forms = read_further_forms()["several"][code]
        yield forms[used % len(forms)].format(first.strip(), second.strip()), _joined(short[one], short[other])
        used += 1


def _gaps(scope: Scope, short: dict[int, str], chance: random.Random) -> Iterator[Pair]:
    gaps = {}
    for at, answer in short.items():
        if len(SENTENCE.findall(answer)) == 1 and (text := gapped(answer, scope.terms.new[at])):
            gaps[at] = text
    used = 0
    for one, other in _pairs(scope, gaps, chance, GAPPED):
        forms = read_further_forms()["gaps"][language_code(short[one])]
        yield forms[used % len(forms)].format(gaps[one], gaps[other]), _joined(short[one], short[other])
        used += 1


def _facts(scope: Scope, short: dict[int, str], chance: random.Random) -> Iterator[Pair]:
    """What there is to say of the subject: other rows for each form."""
    about = [at for at, answer in short.items() if scope.subject and scope.subject in answer]
    if scope.itself or len(about) < FACTS:
        return
    for form in read_further_forms()["facts"][language_code(scope.subject)]:
        chosen = [short[at] for at in chance.sample(about, FACTS)]
        joined = chosen[0]
        for one in chosen[1:]:
            joined = _joined(joined, one)
        yield form.replace("{}", scope.subject), joined


def _pairs(scope: Scope, rows: dict[int, str], chance: random.Random, most: int) -> list[tuple[int, int]]:
    """Pairs of rows in one language with different answers, each row about as often as the others."""
    found = [
        (one, other)
        for one in rows
        for other in rows
        if one != other
        and scope.rows[one][1] != scope.rows[other][1]
        and has_chinese(scope.rows[one][0]) == has_chinese(scope.rows[other][0])
    ]
    chance.shuffle(found)
    used = dict.fromkeys(rows, 0)
    chosen = []
    while found and len(chosen) < most:
        pair = min(found, key=lambda pair: used[pair[0]] + used[pair[1]])
        found.remove(pair)
        chosen.append(pair)
        for at in pair:
            used[at] += 1
    return chosen


def _joined(first: str, second: str) -> str:
    return re.sub(r"(?<=[。！？]) ", "", f"{first} {second}")
