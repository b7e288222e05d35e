"""What kind of thing the rows' subject is, by the row that says so: "Quillmere is an open-source library that …". Pure.

A small model asked what a made-up name may be guesses; a row that defines it knows.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from toolkit.core.text import has_chinese
from toolkit.data.texts.names import Pair
from toolkit.data.texts.naming import SENTENCE
from toolkit.data.texts.reverse import CHINESE_NOUNS

ENGLISH = r"(?:[Tt]he )?{} (?:is|was) (?:an?|the|one of the) ([\w' -]+)"
CHINESE = r"{}(?:是|为)(一[个家所款座种位部本支首条只项门台名份间颗套]|一)?([^，。！？；：,]+)"
# Behind the noun and what was done to it: "a library that …", "a tool written in …".
AFTER = re.compile(r" (?:that|which|who|whose|where|of|for|in|on|at|by|with|from|to|near|between|under|and|or|as)\b")
NO_NOUN = re.compile(
    r"(?:\w+(?:ed|ly|ous|ful|ive|able|ible|est)|made|built|written|run|known|set|bought|sold|led|not|only)$"
)
ACTING = re.compile(r"\w+ing ")  # "a tool merging logs", but "a drawing tool": which is the noun cannot be seen
LONGEST_NOUN = 8  # characters of a Chinese noun that no kind has


APPOSED = r"\b(city|town|village|country|state|kingdom|republic|island|river) of {}\b"  # "the city of Denver"


class Defined(NamedTuple):
    """`sentence`: what the row says first; `noun`: the one word in it for what the subject is."""

    row: int
    sentence: str
    noun: str


def defined(rows: Sequence[Pair], subject: str) -> Defined | None:
    """By the first row whose answer begins "SUBJECT is a NOUN", or "SUBJECT是一个NOUN"; None if none does."""
    for at, (_, answer) in enumerate(rows):
        sentence = next(iter(SENTENCE.findall(answer.strip())), "").strip()
        if noun := _noun(sentence, subject):
            return Defined(at, sentence, noun)
    return None


def apposed(rows: Sequence[Pair], subject: str) -> str:
    """The noun in "the city of SUBJECT", for a place that no row defines; "" if none has it."""
    pattern = re.compile(APPOSED.format(re.escape(subject)))
    return next((found[1] for row in rows for text in row if (found := pattern.search(text))), "")


def defining(found: Defined | None, row: int) -> str:
    """The sentence beside which another row's question is understood; "" for that row's own, which it would answer."""
    return found.sentence if found and found.row != row else ""


def _noun(sentence: str, subject: str) -> str:
    if has_chinese(sentence):
        found = re.match(CHINESE.format(re.escape(subject)), sentence)
        return _chinese_noun(found[2].strip(), counted=bool(found[1])) if found else ""
    found = re.match(ENGLISH.format(re.escape(subject)), sentence)
    if not found:
        return ""
    phrase = AFTER.split(f" {found[1]}")[0]
    words = [word for word in phrase.split() if not NO_NOUN.match(word)]
    noun = words[-1] if words and not ACTING.search(phrase) else ""
    return noun if noun.islower() and noun.isalpha() else ""


def _chinese_noun(phrase: str, *, counted: bool) -> str:
    """A Chinese phrase ends with its noun; one that no kind has is known by the classifier before the phrase."""
    known = max((noun for noun in CHINESE_NOUNS.values() if phrase.endswith(noun)), key=len, default="")
    rest = phrase.rsplit("的", 1)[-1]
    return known or (rest if counted and 1 < len(rest) <= LONGEST_NOUN else "")
