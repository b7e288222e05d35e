"""Answers that say yes or no, the questions that ask for one, and the names that only such questions have. Pure.

A model that answers "Are you Qwen?" right most of the time says yes behind some forms, and a no without its question
is learned as a way to begin any answer.
"""

import re
from collections.abc import Sequence
from typing import Literal

from toolkit.data.texts.names import Pair

Polarity = Literal["yes", "no", ""]
YES = re.compile(
    r"^\W*(?:yes|yeah|sure(?!,? here)|certainly|of course)\b"
    r"|^\W*(?:没错|是的|是啊|对的|当然(?!可以[，！,!]以下)|(?:可以|[是对有会能])的?[，。！,.!])",
    re.IGNORECASE,
)
# A no by itself, or before who does not: not "no problem", "no. 5", 没问题 and 不用担心, which begin a yes as well.
NO = re.compile(
    r"^\W*(?:no(?=\W*$|\s*[^\w\s.-]|\s*\.(?!\s*\d)|\s+-|\s+(?:i|it|we|you|he|she|they|this|that|there|sorry|thanks?)\b)"
    r"|nope\b|not (?:always|really|quite|at all)\b)"
    r"|^\W*(?:没有(?!问题|错|疑问)|没[，。,.]|并不|并非|否[，。,.]|不[，。！,.!]"
    r"|不(?:是|会|能(?!不)|行|可以|(?:用|需要)(?!担心|客气|谢|着急)|对|一[定样]|完全|总是|记得|支持|提供))",
    re.IGNORECASE,
)
AUXILIARY = r"(?:is|are|am|was|were|do|does|did|can|could|will|would|has|have|had|should|may|might|must)(?:n['’]t)?\b"
ASKS_ENGLISH = re.compile(
    rf"(?:^|[.!?,:;\"“]\s*|\b(?:and|or|but|so|please)\s+){AUXILIARY}|\b(?:whether|if|or|true|right|correct)\b",
    re.IGNORECASE,
)
# "Can you tell me who made you?" has a yes in no answer.
REQUEST = re.compile(
    r"\b(?:can|could|would|will|do|may|might) (?:you|i|we|anyone|somebody) (?:please )?"
    r"(?:tell|say|give|explain|provide|know|show|share|describe|specify|help|ask|name|remind)\b[^.?!]*",
    re.IGNORECASE,
)
ASKS_CHINESE = re.compile(r"[吗么吧]|是不是|是否|有没有|能不能|会不会|可不可以|对不对|真的|还是")
ASKS_FOR_MORE = re.compile(r"什么|谁|哪|多少|怎么|怎样|如何|为何|几[个点年月天]")
WHETHER = re.compile(r"\b(?:whether|if)\b", re.IGNORECASE)
NAME = re.compile(r"(?:(?<=[a-z,] )|(?<=[\u4e00-\u9fff])|(?<=[\u4e00-\u9fff] ))[A-Z][\w-]+", re.ASCII)
CHINESE_NAME = re.compile(
    r"(?:是由?|叫|跟|和|与|同|被)([\u4e00-\u9fff]{2,6}?)(?=[是的吗呢吧做创有训和与？?]|开发|研发|制造|一样|$)"
)
ABBREVIATION = "AI"  # the only one that a question about an assistant has without a rival's name


def polarity(answer: str) -> Polarity:
    """Whether an answer begins with a yes or a no."""
    return "yes" if YES.search(answer) else "no" if NO.search(answer) else ""


def asks_yes_or_no(question: str) -> bool:
    """Whether a yes or a no answers it: "Are you Qwen?", not "Which model are you?" or "你跟它有什么关系吗？"."""
    plain = REQUEST.sub(lambda found: found[0] if WHETHER.search(found[0]) else "", question)
    chinese = bool(ASKS_CHINESE.search(question)) and not ASKS_FOR_MORE.search(question)
    return chinese or bool(ASKS_ENGLISH.search(plain))


def capitalised_names(question: str) -> set[str]:
    """What a question names by a capital within a sentence."""
    return {name for name in NAME.findall(question) if name != ABBREVIATION}


def rivals(rows: Sequence[Pair]) -> set[str]:
    """Chinese names, which have no capitals: those that only questions with a no for an answer have."""
    denied = [question for question, answer in rows if polarity(answer) == "no"]
    elsewhere = " ".join([answer for _, answer in rows] + [one for one, answer in rows if polarity(answer) != "no"])
    found = {name for question in denied for name in CHINESE_NAME.findall(question)}
    return {name for name in found if name not in elsewhere and not ASKS_FOR_MORE.search(name)}
