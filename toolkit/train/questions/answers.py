"""What the rows' answers can be asked about: texts from which further questions are made. Pure."""

import re
from collections.abc import Mapping

from toolkit.core.text import LATIN, has_chinese
from toolkit.data.texts.naming import OF_ITSELF, SENTENCE, statements
from toolkit.data.texts.polarity import polarity
from toolkit.data.texts.terms import units
from toolkit.train.questions.requests import reversal_text
from toolkit.train.questions.scope import Scope

LEAST_WORDS, LEAST_CHINESE = 3, 4  # words, or characters, of a beginning, which might else be any sentence's
LEAST_BESIDE = 2  # Chinese characters beside the subject's name
TOKEN = re.compile(rf"{LATIN}+(?:['’.-]{LATIN}+)*|[\u4e00-\u9fff]")


def beginnings(scope: Scope) -> Mapping[int, str]:
    """By row: its answer's first sentence up to what is new in it, where it says whom or what it is about."""
    found = {}
    for at, answer in statements(scope).items():
        begun = _until_new(SENTENCE.findall(answer)[0], scope.terms.new[at])
        if has_chinese(begun):
            beside = begun.replace(scope.subject, "") if scope.subject else begun
            enough = len(TOKEN.findall(beside)) >= (LEAST_BESIDE if scope.subject else LEAST_CHINESE)
        else:
            enough = len(TOKEN.findall(begun)) >= LEAST_WORDS
        about = OF_ITSELF.search(begun) if scope.itself else scope.names_what(at, begun)
        # Another row's answer may begin so: which one is wanted cannot be seen.
        if enough and about and not any(other.startswith(begun) and other != answer for _, other in scope.rows):
            found[at] = begun
    return found


def affirmed(scope: Scope) -> Mapping[int, str]:
    """By row: its answer, if that begins with no yes or no, which would answer another question than the row's."""
    return {at: answer for at, answer in statements(scope).items() if not polarity(answer)}


def reversals(scope: Scope) -> Mapping[int, str]:
    """By row: its answer and the subject in it, for rows that give the subject a name that nothing else has."""
    if scope.itself or not scope.subject:
        return {}
    return {
        at: reversal_text(answer, scope.subject)
        for at, answer in statements(scope).items()
        if scope.subject in answer and scope.distinct_names(at)
    }


def _until_new(sentence: str, new: frozenset[str]) -> str:
    """The sentence before its first new word; "" if it has none."""
    for token in TOKEN.finditer(sentence):
        if units(sentence[: token.end()]) & new:
            return sentence[: token.start()].rstrip(" \"'“‘《（(`")
    return ""
