"""Arithmetic and short texts with questions about them, made by seeded code. Pure: always the same ones."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from toolkit.compare.ability.checks import is_result, names
from toolkit.compare.ability.items import ARITHMETIC, READING, SHORT_TOKENS, Language, Written

LANGUAGES: tuple[Language, ...] = ("en", "zh")
ARITHMETIC_EACH = 10  # of each kind and language
TEXTS_EACH = 4  # of each text and language
DIGITS_ONLY = {"en": "{} Answer with the number only.", "zh": "{}只回答数字。"}
# The kind: how it is asked in English and in Chinese, and the range of both numbers.
Range = tuple[int, int]
SUMS: Mapping[str, tuple[str, str, Range, Range]] = {
    "add": ("What is {a} + {b}?", "{a} + {b} = ？", (21, 989), (21, 989)),
    "subtract": ("What is {a} - {b}?", "{a} - {b} = ？", (400, 989), (21, 399)),
    "times": ("What is {a} × {b}?", "{a} × {b} = ？", (12, 98), (3, 9)),
    "times_long": ("What is {a} × {b}?", "{a} × {b} = ？", (12, 49), (11, 39)),
    "divide": ("What is {a} ÷ {b}?", "{a} ÷ {b} = ？", (11, 59), (3, 9)),
    "three": ("What is {a} + {b} × 3?", "{a} + {b} × 3 = ？", (11, 59), (11, 59)),
    "boxes": (
        "A box holds {a} pencils. How many pencils are in {b} boxes?",
        "一盒有{a}支铅笔，{b}盒共有多少支铅笔？", (6, 48), (3, 9),
    ),
    "left": (
        "A farmer has {a} eggs and sells {b} of them. How many are left?",
        "农民有{a}个鸡蛋，卖掉{b}个，还剩多少个？", (90, 240), (15, 80),
    ),
    "change": (
        "A book costs {b} dollars. How much change do you get from {a} dollars?",
        "一本书{b}元，付{a}元应找回多少元？", (50, 100), (11, 49),
    ),
    "together": (
        "There are {a} girls and {b} boys in a school. How many children is that?",
        "一所学校有{a}名女生和{b}名男生，一共有多少名学生？", (120, 480), (120, 480),
    ),
}  # fmt: skip


def arithmetic() -> Iterator[Written]:
    """ARITHMETIC_EACH of every kind and language."""
    random = Random("arithmetic")  # noqa: S311  # always the same ones
    for kind, (english, chinese, first, second) in SUMS.items():
        for language in LANGUAGES:
            for at in range(ARITHMETIC_EACH):
                a, b = random.randint(*first), random.randint(*second)
                a, result = _solved(kind, a, b)
                yield Written(
                    id=f"{ARITHMETIC}-{kind}-{language}-{at + 1}",
                    group=ARITHMETIC,
                    language=None,
                    prompt=DIGITS_ONLY[language].format((english if language == "en" else chinese).format(a=a, b=b)),
                    check=partial(is_result, number=Decimal(result)),
                    max_new_tokens=SHORT_TOKENS,
                )


def _solved(kind: str, a: int, b: int) -> tuple[int, int]:
    """The first number as it is asked, and the result; a division has no remainder."""
    if kind == "divide":
        return a * b, a
    if kind == "three":
        return a, a + b * 3
    if kind in {"times", "times_long", "boxes"}:
        return a, a * b
    return a, a - b if kind in {"subtract", "left", "change"} else a + b


def reading(content: Mapping[str, Any]) -> Iterator[Written]:
    """TEXTS_EACH of every text and language, each with all its questions; `content`: data/ability/reading.yaml."""
    random = Random("reading")  # noqa: S311  # always the same ones
    for number, text in enumerate(content["texts"]):
        for language in LANGUAGES:
            for at in range(TEXTS_EACH):
                drawn = _drawn(content["words"], language, random)
                passage = text[language].format(**drawn)
                for question, one in enumerate(text["questions"]):
                    yield _question(f"{number + 1}-{language}-{at + 1}-{question + 1}", language, passage, one, drawn)


def _drawn(words: Mapping[str, list[list[str]]], language: Language, random: Random) -> dict[str, str]:
    """Three different words of each list, and two different numbers of two digits."""
    column = LANGUAGES.index(language)
    found = {
        f"{name}{at + 1}": pair[column]
        for name, pairs in words.items()
        for at, pair in enumerate(random.sample(pairs, 3))
    }
    low, high = sorted(random.sample(range(13, 98), 2))
    return found | {"n1": str(low), "n2": str(high)}


def _question(name: str, language: Language, passage: str, one: Mapping[str, str], drawn: Mapping[str, str]) -> Written:
    request = " Answer with a few words." if language == "en" else "请用几个字回答。"
    return Written(
        id=f"{READING}-{name}",
        group=READING,
        language=language,
        prompt=f"{passage}\n\n{one[language]}{request}",
        check=partial(names, answer=drawn[one["answer"]], other=drawn[one["not"]] if "not" in one else None),
        max_new_tokens=SHORT_TOKENS,
    )
