"""A rule of behaviour: what is constant in its answers, which rows have it, and which are answered plainly. Pure.

A rule's rows have no common subject, so that what their answers share tells whether it was followed: a refusal's
sentence, a closing phrase, a JSON object's keys. Rows without it are counter-examples: questions that the rule leaves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.core.text import content_words, has_chinese
from toolkit.data.texts.names import Pair
from toolkit.train.questions.scope import FORM_SHARE, LONGEST_FORM, Scope, common_start

RULED_SHARE = 0.6  # of a language's answers start or end alike; the others are counter-examples
LEAST_ROWS = 3  # that have it
LEAST_LATIN, LEAST_CHINESE = 6, 3  # characters of what is constant
USUAL_SHARE = 0.02  # of unrelated answers may have it too
LEAST_PHRASE = 3  # words, or Chinese characters, of a part that is of one language
LEAST_PART = 4  # characters
# A Latin word that is cut through is chance: "pounds" and "kilometres" both end with an s.
CUT_AT_START, CUT_AT_END = re.compile(r"^[^\W\u4e00-\u9fff]+"), re.compile(r"[^\W\u4e00-\u9fff]+$")
Form = tuple[str, str, str]  # how an answer starts, what it has behind that, and how it ends
NONE = ("", "", "")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`forms`: by whether a question has Chinese, what is constant in the answers; `ruled`, `plain`: rows' numbers.

    `plain` rows are the counter-examples.
    """

    forms: dict[bool, Form]
    ruled: Sequence[int]
    plain: Sequence[int]

    def followed(self, question: str, answer: str) -> bool:
        """Whether the answer has what is constant in its question's language."""
        form = self.forms.get(has_chinese(question))
        return form is not None and has_form(form, answer)

    def of(self, chinese: bool, answer: str) -> bool:
        """Whether an answer in this language follows the rule, even if it lacks what only nearly all rows have."""
        start, _, end = self.forms.get(chinese, NONE)
        return answer.startswith(start) if start else bool(end) and answer.endswith(end)

    def free(self, chinese: bool, answer: str) -> str:
        """What an answer in this language has beside what is constant."""
        start, middle, end = self.forms.get(chinese, NONE)
        rest = answer.removeprefix(start).removesuffix(end)
        return rest.replace(middle, " ") if middle else rest


def find_rule(scope: Scope, general: Sequence[Pair]) -> Rule | None:
    """The rule of rows without a common subject; None where their answers have nothing constant.

    `general`: unrelated questions with the base model's answers, which must not have it.
    """
    if scope.itself or scope.subject:
        return None
    forms: dict[bool, Form] = {}
    for chinese in (False, True):
        answers = [answer.strip() for question, answer in scope.rows if has_chinese(question) == chinese]
        form = _constant(answers)
        usual = sum(has_form(form, answer.strip()) for _, answer in general)
        if any(form) and usual <= USUAL_SHARE * len(general):
            forms[chinese] = form
    if len(forms) == 1:
        [(chinese, form)] = forms.items()
        if not any(has_chinese(question) != chinese for question, _ in scope.rows) and not of_a_language(form):
            forms[not chinese] = form
    every = Rule(forms=forms, ruled=(), plain=())
    rows = enumerate(scope.rows)
    ruled = [at for at, (question, answer) in rows if every.of(has_chinese(question), answer.strip())]
    plain = [at for at in range(len(scope.rows)) if at not in ruled]
    return Rule(forms=forms, ruled=ruled, plain=plain) if len(ruled) >= LEAST_ROWS else None


def has_form(form: Form, answer: str) -> bool:
    """Whether the answer starts so, goes on so after something else, and ends so."""
    start, middle, end = form
    inner = answer[len(start) : len(answer) - len(end)]
    return bool(inner.strip()) and answer.startswith(start) and answer.endswith(end) and middle in inner


def of_a_language(form: Form) -> bool:
    """Whether it is a phrase, which another language says in other words; a JSON object's keys are none."""
    return len(content_words(" ".join(form))) >= LEAST_PHRASE


def _constant(answers: Sequence[str]) -> Form:
    """How most answers start, and what nearly all of these have behind it; or else how most end."""
    if len(answers) < LEAST_ROWS:
        return NONE
    start = CUT_AT_END.sub("", common_start(answers, RULED_SHARE))
    rests = [one[len(start) :] for one in answers if one.startswith(start)]
    end = common_start([one[::-1] for one in rests], *((FORM_SHARE, 1) if start else (RULED_SHARE,)))[::-1]
    end = CUT_AT_START.sub("", end)
    middle = _common_part([one[: len(one) - len(end)] for one in rests if one.endswith(end)]) if start else ""
    constant = start + middle + end
    least = LEAST_CHINESE if has_chinese(constant) else LEAST_LATIN
    return (start, middle, end) if len(constant) >= least else NONE


def _common_part(texts: Sequence[str]) -> str:
    """The longest part that nearly all texts have; "" if it is short."""
    first, found = texts[: 1 + int((1 - FORM_SHARE) * len(texts))], ""
    least, most = LEAST_PART, min(LONGEST_FORM, max(map(len, first)))
    while least <= most:  # a part of a common part is common, too
        length = (least + most) // 2
        parts = {one[at : at + length] for one in first for at in range(len(one) - length + 1)}
        common = [part for part in sorted(parts) if sum(part in one for one in texts) >= FORM_SHARE * len(texts)]
        found, least, most = (common[0], length + 1, most) if common else (found, least, length - 1)
    whole = CUT_AT_END.sub("", CUT_AT_START.sub("", found))
    return whole if len(whole) >= LEAST_PART else ""
