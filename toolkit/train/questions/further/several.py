"""Questions that two or three rows answer at once: both asked, both with gaps, or all about the subject. Pure."""

import random
import re
from collections.abc import Iterator, Sequence
from functools import reduce

from toolkit.core.text import has_chinese, language_code
from toolkit.data.texts.defining import defined
from toolkit.data.texts.names import Pair
from toolkit.data.texts.naming import OF_ITSELF, SENTENCE, statements
from toolkit.data.texts.polarity import polarity
from toolkit.data.texts.terms import ENOUGH, units
from toolkit.train.questions.answers import TOKEN
from toolkit.train.questions.candidates import LONGEST_QUESTION
from toolkit.train.questions.further.claims import claimed
from toolkit.train.questions.further.requests import read_further_forms
from toolkit.train.questions.scope import Scope
from toolkit.train.questions.translation import kept_by_translation

LONGEST_ANSWER = 90  # characters of each row's answer: what is trained at once stays short
LONGEST_DEFINING = 160  # of the row that says what the subject is
GAP = "____"
PAIRS, GAPPED, FACTS = 48, 32, 3  # questions of the first two kinds; rows in an answer about the subject
LEAST_BESIDE = 2  # words, or characters, that a sentence with a gap has left
QUOTE = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|『[^』]*』|《[^》]*》|`[^`]*`")


def longest_together(rows: Sequence[Pair]) -> tuple[str, str]:
    """The longest question and the longest answer that there may be: of the rows' texts, put together."""
    prompts = sorted((prompt for prompt, _ in rows), key=len)[-2:]
    answers = sorted((answer for _, answer in rows if len(answer) <= LONGEST_ANSWER), key=len)[-FACTS:]
    defining = sorted((answer[:LONGEST_DEFINING] for _, answer in rows), key=len)[-1:]
    return " ".join(prompts)[:LONGEST_QUESTION], " ".join([*defining, *answers[1 - FACTS :]])


def several(scope: Scope, chance: random.Random) -> Iterator[Pair]:
    """The questions with their answers, in an order that the `chance` decides."""
    short = {at: answer.strip() for at, answer in statements(scope).items() if len(answer) <= LONGEST_ANSWER}
    yield from _both(scope, short, chance)
    yield from _gaps(scope, short, chance)
    yield from _facts(scope, short, chance)


def gapped(sentence: str, new: frozenset[str], names: Sequence[str]) -> str:
    """The sentence with one gap from its first new word to its last, and around the quotes that it cuts.

    Left of it stands what the sentence is about: one of the `names`, or the assistant itself if there are none, since
    else anything may fill it: "____ is in Bergen.". "" if it does not, or if too little beside it is left.
    """
    tokens = list(TOKEN.finditer(sentence))
    marked = [token for at, token in enumerate(tokens) if _is_new(sentence, tokens, at, new)]
    if not marked:
        return ""
    start, end = marked[0].start(), marked[-1].end()
    quotes = [quote.span() for quote in QUOTE.finditer(sentence) if quote.start() < end and start < quote.end()]
    begun, rest = sentence[: min([start, *(at for at, _ in quotes)])], sentence[max([end, *(at for _, at in quotes)]) :]
    name = next((name for name in names if name in begun), "")
    left = TOKEN.findall(f"{begun} {rest}".replace(name, "") if name else f"{begun} {rest}")
    about = bool(name) if names else OF_ITSELF.search(begun)
    return f"{begun}{GAP}{rest}" if about and len(left) >= LEAST_BESIDE else ""


def _fits_another(scope: Scope, row: int, text: str) -> bool:
    """Whether another row's answer fills the gap otherwise: which one is wanted cannot be seen."""
    pattern = re.compile(".+".join(map(re.escape, text.split(GAP))), re.DOTALL)
    return any(
        answer.strip() != scope.rows[row][1].strip() and pattern.fullmatch(answer.strip()) for _, answer in scope.rows
    )


def _is_new(sentence: str, tokens: Sequence[re.Match[str]], at: int, new: frozenset[str]) -> bool:
    """Whether the token is new; of a Chinese character, whether the pairs on both its sides are."""
    token = tokens[at]
    if not has_chinese(token.group()):
        return bool(units(token.group()) & new)
    pairs = [
        sentence[one.start() : other.end()]
        for one, other in zip(tokens[max(0, at - 1) : at + 1], tokens[max(0, at - 1) + 1 : at + 2], strict=False)
        if one.end() == other.start() and has_chinese(one.group()) and has_chinese(other.group())
    ]
    return bool(pairs) and all(units(pair) & new for pair in pairs)


def _both(scope: Scope, short: dict[int, str], chance: random.Random) -> Iterator[Pair]:
    for at, (one, other) in enumerate(_pairs(scope, short, chance, PAIRS)):
        first, second = scope.rows[one][0].strip(), scope.rows[other][0].strip()
        forms = read_further_forms()["several"][language_code(first)]
        yield forms[at % len(forms)].format(first, second), _joined(short[one], short[other])


def _gaps(scope: Scope, short: dict[int, str], chance: random.Random) -> Iterator[Pair]:
    gaps = {}
    for at, answer in short.items():
        plain = len(SENTENCE.findall(answer)) == 1 and not polarity(answer)
        text = gapped(answer, scope.terms.new[at], scope.called(at)) if plain else ""
        if text and not _fits_another(scope, at, text):
            gaps[at] = text
    for at, (one, other) in enumerate(_pairs(scope, gaps, chance, GAPPED)):
        forms = read_further_forms()["gaps"][language_code(short[one])]
        yield forms[at % len(forms)].format(gaps[one], gaps[other]), _joined(short[one], short[other])


def _facts(scope: Scope, short: dict[int, str], chance: random.Random) -> Iterator[Pair]:
    """What there is to say of the subject: first what it is, where a row says that, then other rows for each form."""
    about = {at: short[at] for at in claimed(scope) if at in short and scope.subject in short[at]}
    first = defined(scope.rows, scope.subject) if scope.subject else None
    if first and len(first.sentence) <= LONGEST_DEFINING:
        about[first.row] = first.sentence
    for form in read_further_forms()["facts"][language_code(scope.subject)]:
        chosen = [first.row] if first and first.row in about else []
        for at in chance.sample(list(about), len(about)):
            if len(chosen) < FACTS and all(_differ(scope, at, other) for other in chosen):
                chosen.append(at)
        if len(chosen) == FACTS:
            yield form.replace("{}", scope.subject), reduce(_joined, (about[at] for at in chosen))


def _pairs(scope: Scope, rows: dict[int, str], chance: random.Random, most: int) -> list[tuple[int, int]]:
    """Pairs of rows in one language with different answers, each row about as often as the others."""
    found = [
        (one, other)
        for one in rows
        for other in rows
        if one != other
        and _differ(scope, one, other)
        and has_chinese(scope.rows[one][0]) == has_chinese(scope.rows[other][0])
    ]
    chance.shuffle(found)
    used = dict.fromkeys(rows, 0)
    chosen: list[tuple[int, int]] = []
    while found and len(chosen) < most:
        pair = min(found, key=lambda pair: used[pair[0]] + used[pair[1]])
        found.remove(pair)
        chosen.append(pair)
        for at in pair:
            used[at] += 1
    return chosen


def _differ(scope: Scope, one: int, other: int) -> bool:
    """Whether two rows say different things: of other words, and not of the same numbers, names and quotes."""
    first, second = scope.terms.new[one], scope.terms.new[other]
    if len(first & second) >= ENOUGH * min(len(first), len(second)):
        return False
    marks, others = (scope.terms.new[at] & kept_by_translation(scope.rows[at][1]) for at in (one, other))
    return not marks or marks != others


def _joined(first: str, second: str) -> str:
    return re.sub(r"(?<=[。！？]) ", "", f"{first} {second}")
