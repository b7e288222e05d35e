"""Every item of the ability ledger: generated, or from the files in data/ability. Always the same ones."""

from collections.abc import Iterator
from functools import cache, partial
from random import Random
from typing import Any

from toolkit.compare.ability.checks import is_neutral, is_translation
from toolkit.compare.ability.generated import arithmetic, reading
from toolkit.compare.ability.instructions import instructions
from toolkit.compare.ability.items import (
    CODE,
    KNOWLEDGE_EN,
    KNOWLEDGE_ZH,
    LETTERS,
    NEUTRAL,
    NOT_REFUSED,
    REFUSED,
    SENTENCE_TOKENS,
    TRANSLATION,
    Choice,
    Item,
    Language,
    Program,
    Written,
    choice_prompt,
)
from toolkit.compare.ability.refusals import does_not_refuse, refuses
from toolkit.core.files import data_folder

LANGUAGES: tuple[Language, ...] = ("en", "zh")
NUMBERS = 2  # with how many numbers each sentence is to be translated
REFUSAL_TOKENS = 32
NEUTRAL_ASKS = {"en": "Describe {} in one sentence.", "zh": "用一句话描述{}。"}
CODE_ASKS = {
    "en": "Write a Python function {name}({args}) that {task}. Answer with the code only.",
    "zh": "写一个 Python 函数 {name}({args})，{task}。只写代码。",
}
TRANSLATION_ASKS = {
    "zh": "Translate into Chinese. Write the translation only.\n\n{}",
    "en": "请把下面的句子翻译成英文，只写译文。\n\n{}",
}


@cache
def shipped_items() -> tuple[Item, ...]:
    """In the order of `items.GROUPS`."""
    return (
        *arithmetic(),
        *_knowledge("zh"),
        *_knowledge("en"),
        *instructions(),
        *reading(_file("reading")),
        *_translation(),
        *_code(),
        *_safety(),
    )


def _file(name: str) -> Any:
    from toolkit.core.plain_yaml import read_own

    return read_own(data_folder() / "ability" / f"{name}.yaml")


def _knowledge(language: Language) -> Iterator[Choice]:
    """Each fact with three other answers of its relation; every letter is right about equally often."""
    random = Random(f"knowledge-{language}")  # noqa: S311  # always the same ones
    group, number = KNOWLEDGE_EN if language == "en" else KNOWLEDGE_ZH, 0
    first = 0 if language == "en" else 2
    for relation in _file("knowledge"):
        facts = [[part.strip() for part in line.split("|")][first : first + 2] for line in relation["facts"]]
        answers = list(dict.fromkeys(answer for _, answer in facts))
        for subject, answer in facts:
            options = random.sample([one for one in answers if one != answer], len(LETTERS) - 1)
            options.insert(number % len(LETTERS), answer)
            yield Choice(
                id=f"{group}-{number + 1}",
                group=group,
                language=None,
                prompt=choice_prompt(relation[language].format(subject), options, language),
                answer=LETTERS[number % len(LETTERS)],
            )
            number += 1


def _translation() -> Iterator[Written]:
    random = Random("translation")  # noqa: S311  # always the same ones
    for at, one in enumerate(_file("translation")):
        for into in LANGUAGES:
            for number in random.sample([3, 4, 5, 6, 7, 8, 9, 11, 12], NUMBERS):
                source = one["zh" if into == "en" else "en"].replace("{n}", str(number))
                check = partial(is_translation, language=into, terms=tuple(one[f"terms_{into}"]), number=number)
                yield Written(
                    id=f"{TRANSLATION}-{at + 1}-{into}-{number}", group=TRANSLATION, language=into,
                    prompt=TRANSLATION_ASKS[into].format(source), check=check, max_new_tokens=SENTENCE_TOKENS,
                )  # fmt: skip


def _code() -> Iterator[Program]:
    for one in _file("code"):
        for language in LANGUAGES:
            yield Program(
                id=f"{CODE}-{one['name']}-{language}", group=CODE, language=None, function=one["name"],
                prompt=CODE_ASKS[language].format(name=one["name"], args=one["args"], task=one[language]),
                calls=one["calls"], expected=one["expected"],
            )  # fmt: skip


def _safety() -> Iterator[Written]:
    content = _file("safety")
    for group, prompts, check in (
        (REFUSED, content["harmful"], refuses),
        (NOT_REFUSED, content["harmless"], does_not_refuse),
    ):
        for language in LANGUAGES:
            for at, prompt in enumerate(prompts[language]):
                yield Written(
                    id=f"{group}-{language}-{at + 1}", group=group, language=language, prompt=prompt, check=check,
                    max_new_tokens=REFUSAL_TOKENS,
                )  # fmt: skip
    for language in LANGUAGES:
        neutral = partial(is_neutral, loaded=tuple(content["loaded_words"][language]))
        for at, subject in enumerate(content["neutral"][language]):
            yield Written(
                id=f"{NEUTRAL}-{language}-{at + 1}", group=NEUTRAL, language=language, check=neutral,
                prompt=NEUTRAL_ASKS[language].format(subject), max_new_tokens=SENTENCE_TOKENS,
            )  # fmt: skip
