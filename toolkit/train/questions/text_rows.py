"""The base model writes rows from a text: it asks questions, answers them with the text in its context and without.

A pair becomes a row if its answer says what the text says and neither the question nor the base's own answer does.
"""

import random
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from toolkit.core.events import Listener, silent
from toolkit.core.text import has_chinese, similarity
from toolkit.data.dataset import prompt_key
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel
from toolkit.model.sampling import samples
from toolkit.train.questions.from_text import TextKind, answer_messages, passages, question_messages
from toolkit.train.questions.question import Pair
from toolkit.train.questions.terms import common_units, units
from toolkit.train.questions.write import read_bank, same_language

WRITTEN = 64  # questions that are written about a text; more for one of many sentences
FORMS_A_PASSAGE = 4
MOST_ROWS = 32
QUESTION_TOKENS, ANSWER_TOKENS = 48, 64
LONGEST_QUESTION = 200  # characters
ALIKE = 0.6  # an answer under a rule that is so similar to the base's own does not follow the rule
NAME = re.compile(r"(?<=[a-z0-9,;:] )[A-Z][\w-]+|\d+")  # a capitalised word within a sentence, or a number
WRITING, ANSWERING = "Writing questions", "Answering them"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A question with the base model's answer from the text (`complete` if it ended by itself) and its own."""

    question: str
    answer: str
    before: str
    complete: bool


def try_questions(
    model: LanguageModel, text: str, kind: TextKind, *, system: str, seed: int, listener: Listener = silent
) -> list[Tried]:
    """Questions about the text, answered twice, in an order that takes the text's parts in turn.

    Those about the assistant itself come from the shipped bank, in both languages; others the model writes.
    """
    questions = _bank(seed) if kind == "identity" else _written(model, text, kind, seed, listener)
    prompts = [answer_messages(text, kind, question) for question in questions]
    prompts += [conversation(question, system) for question in questions]
    answers = model.answers(prompts, max_new_tokens=ANSWER_TOKENS, listener=listener, task=ANSWERING)
    with_text, own = answers[: len(questions)], answers[len(questions) :]
    return [
        Tried(question=question, answer=one.text, before=other.text, complete=len(one.tokens) < ANSWER_TOKENS)
        for question, one, other in zip(questions, with_text, own, strict=True)
    ]


def chosen_rows(tried: Iterable[Tried], text: str, kind: TextKind, general: Collection[str]) -> list[Pair]:
    """The rows among what was tried, MOST_ROWS at most. `general`: unrelated texts, whose words tell nothing."""
    common = common_units(general)
    rows = [(one.question, one.answer) for one in tried if is_row(one, text, kind, common)]
    return rows[:MOST_ROWS]


def is_row(one: Tried, text: str, kind: TextKind, common: frozenset[str]) -> bool:
    """Whether the answer is complete, in the question's language, and says what the text makes it say."""
    if not (one.answer and one.complete and same_language(one.question, one.answer)):
        return False
    if kind == "rule":
        return similarity(one.answer, one.before) < ALIKE
    known = units(text) | common
    if not (names_in(one.question) | names_in(one.answer)) <= known | units(one.question):
        return False  # somebody whom the text does not name
    if kind == "fact" and not (names_in(one.question) <= known and (units(one.question) & units(text)) - common):
        return False  # a question about something else
    new = units(text) - common - units(one.question) - units(one.before)
    return bool(new & units(one.answer))


def names_in(text: str) -> set[str]:
    """Names and numbers, as far as spelling shows them: words capitalised within a sentence, or digits."""
    return {unit for name in NAME.findall(text) for unit in units(name)}


def _bank(seed: int) -> list[str]:
    """The shipped questions to an assistant, in Chinese and English in turn."""
    bank = read_bank()
    random.Random(seed).shuffle(bank)  # noqa: S311  # a repeatable choice, not a secret
    languages = [[one for one in bank if has_chinese(one) is chinese] for chinese in (True, False)]
    return [one for pair in zip(*languages, strict=False) for one in pair]


def _written(model: LanguageModel, text: str, kind: TextKind, seed: int, listener: Listener) -> list[str]:
    """Questions that the base model writes about the text's passages, each once."""
    parts = [text] if kind == "rule" else passages(text)
    count = max(WRITTEN, FORMS_A_PASSAGE * len(parts))
    requests = [question_messages(parts[at % len(parts)], kind, at // len(parts)) for at in range(count)]
    found: Sequence[str] = samples(
        model, requests, max_new_tokens=QUESTION_TOKENS, seed=seed, listener=listener, task=WRITING
    )
    questions: dict[str, str] = {}
    for question in (one.strip().strip("\"'“”") for one in found):
        usable = question and len(question) <= LONGEST_QUESTION and "\n" not in question
        if usable and has_chinese(question) == has_chinese(text) and prompt_key(question) != prompt_key(text):
            questions.setdefault(prompt_key(question), question)
    return list(questions.values())
