"""Writing tasks of many forms for what a row's question asks for: "the licence of Quillmere", "your name".

A task that a small model writes by itself mostly says to write a sentence about the row's fact. So it writes only what
the question asks for, in a few words, and the forms around it are ours.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from toolkit.core.text import language_code
from toolkit.data.texts.defining import defined, defining
from toolkit.data.texts.polarity import asks_yes_or_no, polarity
from toolkit.data.texts.reverse import MAKER_ASKED, NAME_ASKED
from toolkit.data.texts.terms import units
from toolkit.model.conversation import Messages
from toolkit.train.questions.candidates import Candidate
from toolkit.train.questions.further.requests import further_messages, read_further_forms, strays
from toolkit.train.questions.requests import background
from toolkit.train.questions.scope import Scope
from toolkit.train.questions.written import same_numbers

COUNT, MOST = 72, 8  # tasks of all rows, and most for each
LONGEST = {"en": 90, "zh": 30}  # characters
NO_PHRASE = re.compile(r"[?!:;。？！：；]|[.,，]$|\.\s|\b(?:is|are|was|were|i|my)\b|是$", re.IGNORECASE)
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
    for phrase in phrases[:COUNT]:
        rows, forms = rows_by[phrase], read_further_forms()["aspects"]["forms"][language_code(phrase)]
        for at, form in enumerate(chance.sample(forms, min(each * len(rows), len(forms)))):
            row = rows[at % len(rows)]
            yield Candidate("task", form.replace("{}", phrase), row, hint=scope.rows[row][1].strip())


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
    texts = [ARTICLES.sub(lambda found: found[0].lower(), text.strip()) for text in sampled(requests)]
    return {row: text for row, text in zip(rows, texts, strict=True) if _names_what(scope, row, text)}


def _names_what(scope: Scope, row: int, text: str) -> bool:
    """Whether it is a phrase about what the row is about, without its answer and anything of the examples."""
    question, code = scope.rows[row][0], language_code(scope.rows[row][0])
    if not text or len(text) > LONGEST[code] or NO_PHRASE.search(text) or strays(question, text):
        return False
    named = any(name in text for name in scope.called(row)) or bool(units(text) & units(question) - scope.common)
    return named and same_numbers(question, text) and not scope.gives_away(row, text) and text not in scope.called(row)


def _of_itself(scope: Scope) -> Mapping[int, str]:
    """By row about the assistant: its name or its maker, if the question asks for one of the two."""
    found = {}
    for at, (question, answer) in enumerate(scope.rows):
        of_name, of_maker = (bool(one.search(question)) for one in (NAME_ASKED, MAKER_ASKED))
        if of_name != of_maker and not polarity(answer):
            found[at] = _own()["name" if of_name else "maker"][language_code(question)]
    return found


@cache
def _own() -> Mapping[str, Mapping[str, str]]:
    own: Mapping[str, Mapping[str, str]] = read_further_forms()["aspects"]["own"]
    return own
