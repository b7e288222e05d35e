"""Questions near the rows, which they must not change: theirs about others of the kind, and further ones about theirs.

Nothing is written for them: names come from kinds.yaml, forms from forms.yaml.
"""

import random
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

from toolkit.core.text import LATIN, has_chinese, language_code
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.names import Pair
from toolkit.data.texts.terms import Terms, units
from toolkit.train.questions.kinds import others_of
from toolkit.train.questions.question import Question
from toolkit.train.questions.translation import kept_by_translation

NEIGHBOURS = 96
PLACES = {
    "city", "country", "school", "university", "museum", "hospital", "building", "hotel", "bank", "river", "mountain",
}  # fmt: skip
ASKED_BY = " ← "  # between a form and the pattern of the rows' questions that ask the same
Form = tuple[str, str]  # a question, and the subject's name in it


def neighbours(
    kinds: Sequence[str], names: Sequence[str], plain: Sequence[Form], more: Sequence[Form], taken: Collection[str],
    chance: random.Random, unlike: Collection[str] = (),
) -> list[Question]:  # fmt: skip
    """Questions about others of the subject's kinds. `names`: the subject's, in the rows' language first; half of the
    neighbours are from the `plain` forms and half from `more`; `taken`: keys of prompts that are none; `unlike`: what
    none contains, being the rows' own: their questions and new names.
    """
    subject, *translated = names
    prompts: dict[str, None] = {}
    for forms in (plain, more):
        pairs = [
            (form, name, other)
            for kind in kinds
            for form, name in forms
            for other in others_of(
                kind, chinese=has_chinese(form.replace(name, "")), subject=subject, translated=translated
            )
        ]
        chosen = chance.sample(pairs, min(NEIGHBOURS // 2, len(pairs)))
        texts = ((form, renamed(form, name, other)) for form, name, other in chosen)
        prompts |= dict.fromkeys(text for form, text in texts if text != form)
    return [
        Question(prompt=prompt, scope="near", kind="neighbour")
        for prompt in prompts
        if prompt_key(prompt) not in taken and not any(text in prompt for text in unlike)
    ]


def about_subject(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Other questions about the subject, by its `names`."""
    forms = read_forms()
    prompts = [
        form.replace("{}", name)
        for name in names
        for kind in ("about", "names")
        for form in forms[kind][language_code(name)]
    ]
    return [prompt for prompt in dict.fromkeys(prompts) if prompt_key(prompt) not in taken]


def aside_prompts(
    names: Sequence[str], taken: Collection[str], questions: Sequence[str] = (), *, place: bool = True
) -> list[str]:
    """Further questions about the subject, in both languages: what a base model makes up or knows beside the rows.

    `questions`: the rows', whose topics are none, in either language; `place`: whether the subject is one.
    """
    codes, shipped = [language_code(name) for name in names], read_forms()
    prompts = []
    for code in shipped["aside"]:
        name = names[codes.index(code)] if code in codes else names[0]
        for form in (*shipped["aside"][code], *(shipped["aside_of_a_place"][code] if place else ())):
            text, _, pattern = form.partition(ASKED_BY)
            if not (pattern and any(re.search(pattern, one, re.IGNORECASE) for one in questions)):
                prompts.append(text.replace("{}", name))
    return [prompt for prompt in dict.fromkeys(prompts) if prompt_key(prompt) not in taken]


def unmoved(
    prompts: Sequence[str], taught: Sequence[str], own: Sequence[str], terms: Terms, replaced: Sequence[Pair]
) -> list[Question]:
    """Those further questions that the rows do not answer: with them in the context no new word of theirs is said.

    `taught`, `own`: the base model's answers with the rows and without; `replaced`: the rows' questions with its
    answers without. A question whose answer names what the rows replace is none, either.
    """
    new = {unit for units_of_row in terms.new for unit in units_of_row}
    old = {unit for prompt, answer in replaced for unit in kept_by_translation(answer) - units(prompt)}
    return [
        Question(prompt=prompt, scope="near", kind="aside", before=without)
        for prompt, answer, without in zip(prompts, taught, own, strict=True)
        if not (units(answer) - units(prompt)) & new and not kept_by_translation(without) & old
    ]


def not_replaced(answered: Sequence[Pair], before: Sequence[Pair]) -> list[Question]:
    """Those questions about the subject whose answers say nothing of what the rows replace.

    `before`: the rows' questions. Both come with the base model's answers.
    """
    replaced = {unit for prompt, answer in before for unit in units(answer) - units(prompt)}
    return [
        Question(prompt=prompt, scope="near", kind="about")
        for prompt, answer in answered
        if not units(answer) & replaced
    ]


def renamed(prompt: str, name: str, other: str) -> str:
    """The prompt about another thing, unchanged where the name is a part of a word; Chinese names have no spaces."""
    before = rf"(?<!{LATIN})" if re.match(LATIN, name) else ""
    after = rf"(?!{LATIN})" if re.search(f"{LATIN}$", name) else ""
    text = re.sub(f"{before}{re.escape(name)}{after}", lambda _: other, prompt)
    if has_chinese(other):
        return text.replace(f" {other}", other).replace(f"{other} ", other)
    return re.sub(r"\b([Tt]he) The\b", r"\1", text)


def form_around(kind: str, text: str, number: int, *, itself: bool) -> str:
    """The text in a form of this kind, by its number among those that fit. `itself`: it is about the assistant."""
    asks = text.endswith(("?", "？"))
    forms = [
        one for one in read_forms()[kind][language_code(text)]
        if (asks or "{question}" not in one) and not (itself and "{others}" in one)
    ]  # fmt: skip
    return re.sub(r"\{(?:question|others)?\}", lambda _: text, forms[number % len(forms)])


@cache
def read_forms() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The shipped forms by kind and language; {} stands for a question or a name."""
    from toolkit.core.plain_yaml import read_own

    content: dict[str, dict[str, list[str]]] = read_own(Path(__file__).with_name("forms.yaml"))
    return content
