"""Writing tasks of many forms for what a row's question asks for: "the licence of Quillmere", "your name".

A task that a small model writes by itself mostly says to write a sentence about the row's fact. So it writes only what
the question asks for, in a few words, and the forms around it are ours.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest

from toolkit.core.text import language_code
from toolkit.data.texts.defining import defined, defining
from toolkit.data.texts.polarity import asks_yes_or_no
from toolkit.data.texts.reverse import MAKER_ASKED, NAME_ASKED, roles
from toolkit.data.texts.terms import units
from toolkit.model.conversation import Messages
from toolkit.train.questions.candidates import Candidate
from toolkit.train.questions.further.requests import further_messages, read_further_forms, strays
from toolkit.train.questions.requests import background
from toolkit.train.questions.scope import Scope
from toolkit.train.questions.translation import named_in
from toolkit.train.questions.written import same_numbers

COUNT, MOST = 72, 8  # tasks of all rows, and most for each
LONGEST = {"en": 90, "zh": 30}  # characters
AROUND_PHRASE = " .。\"'“”‘’"
NO_PHRASE = re.compile(
    r"[?!:;。？！：；]|[,，]$|\.\s|\b(?:is|are|was|were|i|my)\b|是$|^(?:(?:which|what|who|how|write)\b|[哪谁怎写])",
    re.IGNORECASE,
)
ARTICLES = re.compile(r"^(?:The|An?|Your)\b")

Sampled = Callable[[Sequence[Messages]], list[str]]


def aspect_tasks(scope: Scope, sampled: Sampled, chance: random.Random) -> Iterator[Candidate]:
    """Each with the row's answer, which the base model is given as what has to be in the text."""
    phrase_of = _of_itself(scope) if scope.itself else _written(scope, sampled, chance)
    rows_by: dict[str, list[int]] = {}
    for row, phrase in phrase_of.items():
        rows_by.setdefault(phrase, []).append(row)
    phrases = list(rows_by)
    chance.shuffle(phrases)
    each = min(MOST, -(-COUNT // max(1, len(phrase_of))))
    several = [_tasks(scope, phrase, rows_by[phrase], each * len(rows_by[phrase]), chance) for phrase in phrases]
    # One of each phrase before another of one.
    yield from islice((one for one in chain.from_iterable(zip_longest(*several)) if one), COUNT)


def _tasks(scope: Scope, phrase: str, rows: Sequence[int], count: int, chance: random.Random) -> list[Candidate]:
    forms = read_further_forms()["aspects"]["forms"][language_code(scope.rows[rows[0]][0])]
    chosen = chance.sample(forms, min(count, len(forms)))
    sources = [rows[at % len(rows)] for at in range(len(chosen))]
    return [
        Candidate("task", form.replace("{}", phrase), row, hint=scope.rows[row][1].strip())
        for form, row in zip(chosen, sources, strict=True)
    ]


def _written(scope: Scope, sampled: Sampled, chance: random.Random) -> Mapping[int, str]:
    """By row, of at most `COUNT`: what its question asks for, as the base model writes it."""
    about = defined(scope.rows, scope.subject) if scope.subject else None
    rows = [
        at
        for at, (question, _) in enumerate(scope.rows)
        if not asks_yes_or_no(question) and not (about and about.row == at)
    ]
    rows = sorted(chance.sample(rows, min(COUNT, len(rows))))
    requests = [
        further_messages("aspect", "plain", scope.rows[row][0], background(defining(about, row))) for row in rows
    ]
    texts = [_bare(text) for text in sampled(requests)]
    return {row: text for row, text in zip(rows, texts, strict=True) if _names_what(scope, row, text)}


def _bare(text: str) -> str:
    """Its first line, as it stands within a sentence."""
    line = text.strip().partition("\n")[0].strip(AROUND_PHRASE)
    return ARTICLES.sub(lambda found: found[0].lower(), line)


def _names_what(scope: Scope, row: int, text: str) -> bool:
    """Whether it is a phrase about what the row is about, without its answer and anything of the examples."""
    question = scope.rows[row][0]
    code = language_code(question)
    if not text or len(text) > LONGEST[code] or NO_PHRASE.search(text) or strays(question, text):
        return False
    if scope.is_chinese(text) != scope.is_chinese(question) or text in scope.called(row):
        return False
    words = units(text) - units(scope.subject) - scope.common
    if not words & units(question) and any(words & units(other) for other, _ in scope.rows):  # another row's
        return False
    named = any(name in text for name in scope.called(row)) or bool(words & units(question))
    return named and same_numbers(question, text) and not scope.gives_away(row, text)


def _of_itself(scope: Scope) -> Mapping[int, str]:
    """By row about the assistant: its name or its maker, if the question asks for one of the two and the answer has it.

    "What languages were you trained on?" asks for neither.
    """
    own: Mapping[str, Mapping[str, str]] = read_further_forms()["aspects"]["own"]
    found = {}
    for code in own["name"]:
        by_role = dict(zip(own, roles(*named_in(code, scope.rows, scope.terms, scope.ordinary)), strict=True))
        for at, (question, answer) in enumerate(scope.rows):
            asked_for = {"name": NAME_ASKED, "maker": MAKER_ASKED}
            wanted = [role for role, asking in asked_for.items() if asking.search(question)]
            if language_code(question) == code and len(wanted) == 1 and not asks_yes_or_no(question):
                name = by_role[wanted[0]]
                if name and name in answer:
                    found[at] = own[wanted[0]][code]
    return found
