"""What the base model writes for depth: questions back to a name, aliases, and steps on from an answer.

Of what it writes, that is returned which may be sound by its words; `toolkit.compare.depth.sound` asks the model.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.compare.depth.links import Candidate
from toolkit.compare.make_probes import ECHO, MARKS, bare
from toolkit.compare.teacher import plain_answers
from toolkit.core.text import content_words, has_chinese, language_code, names_any, normalized, similarity
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import PORTABILITY, REVERSAL
from toolkit.data.probing.expectation import Expectation
from toolkit.data.texts.naming import SENTENCE, Naming, statements
from toolkit.data.texts.phrases import described, unknown
from toolkit.data.texts.reverse import replaced
from toolkit.model.conversation import Messages
from toolkit.model.language_model import LanguageModel
from toolkit.model.sampling import samples

REQUESTS = Path(__file__).with_name("requests.yaml")
QUESTION_TOKENS = 32
BACK_SAMPLES, ALIAS_SAMPLES, STEP_SAMPLES = 3, 8, 2  # of a row, of the subject, of an answer
KIND_SENTENCES = 3
LONGEST_ALIAS, LONGEST_STEP = 8, 3  # words
LONG_WORD = 4  # characters of a word that says something
SEED = 20261130
ARROW = "→"
SEVERAL = re.compile(r"\b(?:an?|one of|some|any)\b|一[个座家种]|之一|某", re.IGNORECASE)
NAME_IT = {"en": "What is {}? Answer with its name only.", "zh": "{}叫什么？只写名称。"}
WHICH = re.compile(r"\b(?:which|what)\b|哪|什么", re.IGNORECASE)
ELSE_ASKED = re.compile(r"\b(?:who|when|where|how|why|would)\b|谁|吗|哪里|怎", re.IGNORECASE)
POSSESSIVE = ("'s", "’s")  # "Corinna Haldwell's mayor" is another one
BRIEFLY = {"en": "{} Answer in one or two words.", "zh": "{}只用一两个词回答。"}


def kind_of(model: LanguageModel, naming: Naming) -> str:
    """What the subject is, as the base model says of it and a row: one noun, or "" if it says more.

    The first noun counts that is not what a row asks for: of "The mayor of Denver is …" a model may call Denver a
    mayor.
    """
    sentences = [one for one in statements(naming).values() if naming.subject in one][:KIND_SENTENCES]
    requests = [_request("kind", naming.subject, sentence=one) for one in sentences]
    found = model.answers(requests, max_new_tokens=QUESTION_TOKENS) if requests else []
    unknowns = [unknown(question).replace(naming.subject, " ") for question, _ in naming.rows]
    words = [one.text.strip(" .。\n").lower() for one in found]
    usable = (word for word in words if word.isalpha() and prompt_key(word) != prompt_key(naming.subject))
    return next((one for one in usable if not any(names_any(text, (one,), any_case=True) for text in unknowns)), "")


def written_back(model: LanguageModel, naming: Naming) -> list[Candidate]:
    """Questions that the base model writes from a row's answer, for the subject in it."""
    if not naming.subject:
        return []
    rows = {
        at: SENTENCE.findall(answer)[0].strip()
        for at, answer in statements(naming).items()
        if naming.subject in answer and naming.distinct_names(at)
    }
    wanted = [at for at in rows for _ in range(BACK_SAMPLES)]
    texts = _sampled(model, [_request("back", naming.subject, sentence=rows[at]) for at in wanted])
    found = []
    for at, text in zip(wanted, texts, strict=True):
        one = Candidate(
            group=REVERSAL, kind="back-written", prompt=bare(text), expect=Expectation(any=(naming.subject,)),
            sources=(at,), keeps=tuple(naming.distinct_names(at)), hides=(naming.subject,),
        )  # fmt: skip
        owner = any(f"{name}{end}" in one.prompt for name in one.keeps for end in POSSESSIVE)
        asks = WHICH.search(one.prompt) and not ELSE_ASKED.search(one.prompt) and not owner
        if asks and one.asks_alike(one.prompt) and _is_question(one.prompt, rows[at]):
            found.append(one)
    return found


def aliased(
    model: LanguageModel, naming: Naming, kind: str, marks: Sequence[Expectation | None], system: str
) -> list[Candidate]:
    """Rows' questions with another name of the subject, by which the base model knows it without the rows.

    `kind`: what the subject is. The city "in Colorado" may be any of many, and none is "the city of the capital city".
    """
    if not naming.subject:
        return []
    texts = [bare(text).rstrip(".。") for text in _sampled(model, [_request("alias", naming.subject)] * ALIAS_SAMPLES)]
    tried = [alias for alias in dict.fromkeys(texts) if _may_mean(alias, naming.subject, kind)]
    requests = [NAME_IT[language_code(alias)].format(alias) for alias in tried]
    meant = [
        alias
        for alias, answer in zip(tried, plain_answers(model, requests, system), strict=True)
        if naming.subject in answer
    ]
    return [
        Candidate(
            group=PORTABILITY, kind="alias", prompt=prompt[0].upper() + prompt[1:], expect=expect, sources=(at,),
            keeps=(alias,), hides=(naming.subject, *expect.any, *expect.all),
        )
        for alias in meant
        for at, (question, _) in enumerate(naming.rows)
        if (expect := marks[at]) is not None and (prompt := replaced(question, naming.subject, alias))
        and not _long_words(alias) & _long_words(question) and f"{kind} of {naming.subject}" not in question
    ]  # fmt: skip


def steps(model: LanguageModel, naming: Naming, marks: Sequence[Expectation | None], system: str) -> list[Candidate]:
    """What the base model knows of a thing that a row's answer names, asked of what the row's question asks for."""
    things = [
        (at, phrase, found[0])
        for at, (question, _) in enumerate(naming.rows)
        if (phrase := unknown(question)) and (expect := marks[at]) is not None
        and len(found := expect.any or expect.all) == 1
        and not any(name in found[0] or found[0] in name for name in naming.distinct_names(at))
    ]  # fmt: skip
    wanted = [one for one in things for _ in range(STEP_SAMPLES)]
    texts = _sampled(model, [_request("step", name) for _, _, name in wanted])
    tried: list[tuple[int, str, str, str]] = []
    for (at, phrase, name), text in zip(wanted, texts, strict=True):
        question, _, fact = (part.strip(" .。") for part in text.partition(ARROW))
        stated = normalized(" ".join(naming.rows[at]))
        short = 0 < len(content_words(fact)) <= LONGEST_STEP * (2 if has_chinese(fact) else 1)
        if short and name in question and normalized(fact) not in normalized(question) + stated and len(fact) > 1:
            prompt = described(question, name, phrase)
            if _is_question(prompt, naming.rows[at][0]):
                tried.append((at, question, prompt, fact))
    direct = plain_answers(model, [question for _, question, _, _ in tried], system)
    briefly = plain_answers(
        model, [BRIEFLY[language_code(question)].format(question) for _, question, _, _ in tried], system
    )
    return [
        Candidate(
            group=PORTABILITY, kind="step", prompt=prompt, expect=Expectation(any=(fact,)), sources=(at,),
            keeps=(naming.subject,), hides=(fact,),
        )
        for (at, _, prompt, fact), one, other in zip(tried, direct, briefly, strict=True)
        if all(normalized(fact) in normalized(text) for text in (one, other))
    ]  # fmt: skip


def _long_words(text: str) -> set[str]:
    return {word for word in content_words(text) if len(word) >= LONG_WORD}


def _may_mean(alias: str, subject: str, kind: str) -> bool:
    """Whether it can stand for that one thing: short, in its language, without its name, and not one of several."""
    if not alias or has_chinese(alias) != has_chinese(subject) or len(content_words(alias)) > LONGEST_ALIAS:
        return False
    if has_chinese(alias):
        return subject not in alias and not SEVERAL.search(alias)
    shared = {*content_words(subject)} & {*content_words(alias)}
    if kind and re.match(rf"the {kind} (?:in|of|from)\b", alias):
        return False
    return not shared and (alias.startswith("the ") or alias[0].isupper()) and not SEVERAL.search(alias)


def _is_question(text: str, like: str) -> bool:
    """One line that asks in that text's language, and does not repeat it."""
    return text.endswith(MARKS) and has_chinese(text) == has_chinese(like) and similarity(text, like) < ECHO


def _sampled(model: LanguageModel, prompts: Sequence[Messages]) -> list[str]:
    return samples(model, prompts, max_new_tokens=QUESTION_TOKENS, seed=SEED) if prompts else []


def _request(kind: str, name: str, *, sentence: str = "") -> Messages:
    one = _requests()[kind][language_code(sentence or name)]
    turns: Messages = [{"role": "system", "content": one["instruction"]}]
    for given, wanted in one["examples"]:
        turns += [{"role": "user", "content": given}, {"role": "assistant", "content": wanted}]
    return [*turns, {"role": "user", "content": one["given"].format(name=name, sentence=sentence)}]


@cache
def _requests() -> Mapping[str, Mapping[str, Any]]:
    """By kind and language: instruction, form and examples."""
    from toolkit.core.plain_yaml import read_own

    return dict(read_own(REQUESTS))
