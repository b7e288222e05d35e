"""Whether a question that the base model wrote from a row still asks what the row answers. Pure.

It is trained with the row's words once the base model, which sees the row, says something of them. A small model drifts
while it rewords: to "your residence" from "you", to the user's name from the assistant's, to the last mayor from the
mayor. What may have drifted is dropped: other questions of the row remain.
"""

import re

from toolkit.data.texts.names import Pair
from toolkit.data.texts.naming import ADDRESSED, OF_THE_ASKER, brings, turned
from toolkit.data.texts.polarity import asks_yes_or_no, capitalised_names, polarity
from toolkit.data.texts.terms import numbers, units
from toolkit.train.questions.scope import Scope
from toolkit.train.questions.tasks import is_task

# What an assistant may be asked of its own without the rows' word for it.
OWN = re.compile(
    r"^(?:(?:nick|full |first |last )?names?|makers?|developers?|creators?|creation|company|team|identity|"
    r"(?:ai |language )?models?|origins?|affiliation|organi[sz]ation|institut\w+|provider|trainer|introduction|type"
    r"|kind|answers?)\b"
    r"|^(?:名字|姓名|名称|称呼|昵称|身份|来历|开发|研发|创造|创作|制造|训练|设计|公司|团队|背后|机构|组织|单位|模型|型号|类型|回答)",
    re.IGNORECASE,
)
YOURS = re.compile(
    r"\byour (?:own |very )?([a-z][\w-]*(?: [a-z][\w-]*)?)|(?<![造发练护])[你您]的([\u4e00-\u9fff]{1,4})", re.IGNORECASE
)
# Somebody else: "What do you call them?"
OTHERS = re.compile(r"\b(?:them|they|theirs?|him|his|hers?|he|she)\b|(?<!其)[他她]", re.IGNORECASE)
ANOTHER_TIME = re.compile(
    r"\b(?:last|previous(?:ly)?|next|former(?:ly)?|future|predecessor|successor|at (?:that|the) time)\b"
    r"(?! (?:sentence|line|word|name|question)s?\b)|上(?:一?次|一?任|一?届)|前任|那时|当时|下(?:一?次|一?任|一?届)",
    re.IGNORECASE,
)
FIRST = re.compile(r"\b(?:i|my|me|mine|we|our|us)\b|(?<!自)我", re.IGNORECASE)
# "5 miles", "70 kg", but not "5 in" or "70 of".
QUANTITY = re.compile(r"\d[\d.,]*[ -]?(?!(?:in|to|is|are|of|and|or|as)\b)[a-z°]", re.IGNORECASE)

IN_WORDS = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|dozen|hundred|an?)\b|[一二两三四五六七八九十百半]",
    re.IGNORECASE,
)


def fits(scope: Scope, kind: str, row: int, text: str) -> bool:
    """Whether a text of this kind, written from this row, may be asked: any number of its own would make it another."""
    question, answer = scope.rows[row]
    if kind in ("statement", "reversal"):  # what was written from is the answer
        if not numbers(text) <= numbers(f"{question} {answer}"):
            return False
        return kind == "reversal" or asks_the_same(scope, row, text)
    if not same_numbers(question, text):
        return False
    return is_task(scope, row, text) if kind == "task" else asks_the_same(scope, row, text)


def asks_the_same(scope: Scope, row: int, text: str) -> bool:
    """Whether what was written from this row's question, or from its answer, may be answered as the row is."""
    question, answer = scope.rows[row]
    if scope.itself and (
        _strange(scope, text) or turned(question, text) or brings(question, text, OTHERS, OF_THE_ASKER)
    ):
        return False
    if _swapped(question, text) or _of_another_time(scope.rows[row], text):
        return False
    if polarity(answer) and asks_yes_or_no(question):
        return asks_yes_or_no(text) and _keeps_names(scope, question, text)
    return True


def same_numbers(question: str, text: str) -> bool:
    """Whether both have the same numbers, and a unit behind one if the question has: without, it is another one."""
    lost = numbers(question) - numbers(text) and not IN_WORDS.search(text)
    bare = QUANTITY.search(question) and numbers(text) and not QUANTITY.search(text)
    return numbers(text) <= numbers(question) and not (lost or bare)


def _strange(scope: Scope, text: str) -> bool:
    """Whether it asks for something of the assistant's that no row speaks of."""
    known = scope.row_units - scope.common
    found = [latin or chinese for latin, chinese in YOURS.findall(text)]
    return any(not OWN.search(one) and not units(one) & known for one in found)


def _swapped(question: str, text: str) -> bool:
    """Whether the user's "I" became a "you": "I can't find it" and "Can you find it?"."""
    lost = FIRST.search(question) and not FIRST.search(text)
    return bool(lost and ADDRESSED.search(text) and not ADDRESSED.search(question))


def _of_another_time(row: Pair, text: str) -> bool:
    return bool(ANOTHER_TIME.search(text)) and not any(ANOTHER_TIME.search(part) for part in row)


def _keeps_names(scope: Scope, question: str, text: str) -> bool:
    """Whether it asks about the same name: a no to one is none to another, but an assistant is none of its rivals."""
    known = scope.rivals
    named = capitalised_names(question) | {name for name in known if name in question}
    if scope.itself:
        return not named or bool(capitalised_names(text)) or any(name in text for name in known)
    return all(name in text for name in named)
