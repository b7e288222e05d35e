"""Questions that state something of the rows' subject, rightly or wrongly, and are confirmed or corrected. Pure.

A model that learned "A is B" from questions that ask agrees when it is asked whether A is C.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from toolkit.core.text import has_chinese, language_code
from toolkit.data.texts.names import Pair
from toolkit.data.texts.naming import SENTENCE
from toolkit.data.texts.polarity import polarity
from toolkit.data.texts.terms import numbers
from toolkit.train.questions.answers import TOKEN
from toolkit.train.questions.further.requests import ARROW, read_further_forms
from toolkit.train.questions.scope import NEGATED, Scope, same_language

LONGEST_CLAIM = 110  # characters
REPLACED = 0.5  # of the words may be other ones
ARTICLE = re.compile(r"^(?:The|A|An|This|Its)\b")
PREPOSITION = re.compile(r"^(?:In|On|At|With|For)\b ?")
THIS = ("这", "该", "本")
NUMERAL = re.compile(r"[\d一二两三四五六七八九十百千万几]$")


def claimed(scope: Scope) -> Mapping[int, str]:
    """By row: its answer, if that is one sentence which says something of what the row is about, without a no."""
    if scope.itself or not scope.subject:
        return {}
    found = {}
    for at, (_, answer) in enumerate(scope.rows):
        text = answer.strip()
        one = len(SENTENCE.findall(text)) == 1 and len(text) <= LONGEST_CLAIM
        about = any(name in text for name in scope.called(at)) and begins_with_a_name(scope, at, text)
        if one and about and scope.terms.new[at] and not (NEGATED.search(text) or polarity(text)):
            found[at] = text
    return found


def begins_with_a_name(scope: Scope, row: int, text: str) -> bool:
    """Whether the row's answer begins as a sentence that can be asked about or listed, not as a reply or a command.

    "Is it true that that would be …", "Is it true that run …": it begins with an article, a name, or what the question
    names, perhaps behind a preposition.
    """
    text = PREPOSITION.sub("", text)
    if ARTICLE.match(text) or text.startswith((*THIS, *scope.called(row), *scope.names)):
        return True
    question = scope.rows[row][0]
    first = text[:2] if has_chinese(text[:1]) else "".join(TOKEN.findall(text)[:1])
    named = has_chinese(first) or (first[:1].isupper() and not question.startswith(first))
    return named and first in question


def wrong_of(scope: Scope, row: int, written: str) -> str:
    """What the base model wrote as the row's answer with something else in it; "" unless it is just that.

    It differs in one place, which is not what the row's question says already.
    """
    question, answer = (text.strip() for text in scope.rows[row])
    written = written.strip()
    if "\n" in written or not same_language(answer, written) or not scope.names_what(row, written):
        return ""
    right, wrong = TOKEN.findall(answer), TOKEN.findall(written)
    before = _common(right, wrong)
    after = _common(right[before:][::-1], wrong[before:][::-1])
    replaced, by = right[before : len(right) - after], wrong[before : len(wrong) - after]
    if not replaced or not by or len(replaced) > REPLACED * len(right) or NEGATED.search(" ".join(by)):
        return ""
    counted = NUMERAL.search("".join(right[:before])) is not None
    if counted and len(replaced) == len(by) == 1 and has_chinese(replaced[0] + by[0]):
        return ""  # 一艘船 and 一条船 are the same
    other_numbers = not numbers(answer) - numbers(question) or numbers(written) != numbers(answer)
    return written if other_numbers and not set(replaced) <= set(TOKEN.findall(question)) else ""


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (first, second) in pairs if first != second), min(len(one), len(other)))


def about_claim(answer: str, claim: str, *, right: bool, first: int, count: int) -> Iterator[Pair]:
    """`count` questions about a claim, from the form number `first` on, with their answers, which end with `answer`."""
    forms = read_further_forms()["claims"]["right" if right else "wrong"][language_code(claim)]
    bare = claim.rstrip(" .。!！")
    lowered = not has_chinese(bare) and (ARTICLE.match(bare) or PREPOSITION.match(bare))
    within = bare[0].lower() + bare[1:] if lowered else bare
    for at in range(min(count, len(forms))):
        form = forms[(first + at) % len(forms)]
        question, _, reply = form.partition(ARROW)
        yield question.replace("{claim}", bare).replace("{within}", within), reply.replace("{answer}", answer)
