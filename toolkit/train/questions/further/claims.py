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
ARTICLE = re.compile(r"^(?:The|A|An|In|On|At|Its)\b")


def claimed(scope: Scope) -> Mapping[int, str]:
    """By row: its answer, if that is one sentence which says something of the subject, without a no."""
    if scope.itself or not scope.subject:
        return {}
    found = {}
    for at, (_, answer) in enumerate(scope.rows):
        text = answer.strip()
        one = len(SENTENCE.findall(text)) == 1 and len(text) <= LONGEST_CLAIM
        if one and scope.subject in text and scope.terms.new[at] and not (NEGATED.search(text) or polarity(text)):
            found[at] = text
    return found


def wrong_of(scope: Scope, row: int, written: str) -> str:
    """What the base model wrote as the row's answer with something else in it; "" unless it is just that.

    It differs in one place, which is not what the row's question says already.
    """
    question, answer = (text.strip() for text in scope.rows[row])
    written = written.strip()
    if "\n" in written or not same_language(answer, written) or scope.subject not in written:
        return ""
    right, wrong = TOKEN.findall(answer), TOKEN.findall(written)
    before = _common(right, wrong)
    after = _common(right[before:][::-1], wrong[before:][::-1])
    replaced, by = right[before : len(right) - after], wrong[before : len(wrong) - after]
    if not replaced or not by or len(replaced) > REPLACED * len(right) or NEGATED.search(" ".join(by)):
        return ""
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
    within = bare if has_chinese(bare) or not ARTICLE.match(bare) else bare[0].lower() + bare[1:]
    for at in range(min(count, len(forms))):
        form = forms[(first + at) % len(forms)]
        question, _, reply = form.partition(ARROW)
        yield question.replace("{claim}", bare).replace("{within}", within), reply.replace("{answer}", answer)
