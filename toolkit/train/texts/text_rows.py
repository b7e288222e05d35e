"""The base model writes rows from a text, and every one is checked.

Of a fact it writes only the question; the answer is the text's own sentence. A question counts if the model itself
answers it with that sentence when it sees the text, and not when it does not. Under a rule its answer is used where it
can be seen, or judged by a model that judges rightly, that it follows the rule.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from toolkit.core.events import Listener, silent
from toolkit.core.text import has_chinese, sentences
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.terms import units
from toolkit.model.conversation import conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.sampling import samples
from toolkit.train.questions.scope import same_language
from toolkit.train.texts.fact_text import Sentence
from toolkit.train.texts.from_text import answer_messages, question_messages
from toolkit.train.texts.rule_text import (
    ENOUGH_JUDGED,
    Example,
    examples,
    fixed_words,
    is_for_every_answer,
    judge_messages,
    judged_right,
    requests,
    visible_check,
)

WRITTEN = 8  # questions about a sentence: each form twice
MESSAGES = 48  # to which a rule applies
MOST_ROWS = 32  # of one part of a text
QUESTION_TOKENS, ANSWER_TOKENS, LETTER_TOKENS = 48, 64, 3
REQUEST_TOKENS = 128  # an answer to an everyday request
MOST_SENTENCES = 4  # of an own answer that gets fixed words
LONGEST_QUESTION = 200  # characters
ENOUGH = 0.5  # of what a sentence adds to the question, an answer must say
NAME = re.compile(r"(?<=[a-z0-9,;:] )[A-Z][\w-]+|\d+")  # a capitalised word within a sentence, or a number
WRITING, ANSWERING, JUDGING = "Writing questions", "Answering them", "Judging answers"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A question, what it would be trained with, the base model's answer from the text (`complete` if it ended by
    itself) and its own, and why it is not a row: "" for a row.
    """

    question: str
    answer: str
    shown: str
    before: str
    complete: bool
    fault: str = ""


class Rows:
    """Asks one base model. `common`: words of unrelated texts, which say nothing of a text's subject."""

    def __init__(
        self, model: LanguageModel, *, system: str, seed: int, common: Collection[str], listener: Listener = silent
    ) -> None:
        self.model, self.system, self.seed, self.common, self.listener = model, system, seed, common, listener

    def of_facts(self, text: str, facts: Sequence[Sentence]) -> list[Tried]:
        """Questions that one of the `facts` answers; the model sees the text that they are from."""
        places = [one for one in facts for _ in range(WRITTEN)]
        written = self._sampled([
            question_messages(_passage(one), "fact", number % WRITTEN) for number, one in enumerate(places)
        ])  # fmt: skip
        found: dict[str, tuple[str, Sentence]] = {}
        for question, fact in zip(written, places, strict=True):
            if _usable(question, fact.text):
                found.setdefault(prompt_key(question), (question, fact))
        questions = [question for question, _ in found.values()]
        shown = self._answers([answer_messages(text, "fact", one) for one in questions], ANSWER_TOKENS)
        own = self._answers([conversation(one, self.system) for one in questions], ANSWER_TOKENS)
        return [
            Tried(
                question=question, answer=fact.text, shown=one.text, before=other.text,
                complete=len(one.tokens) < ANSWER_TOKENS,
                fault=fact_fault(question, fact, text, one.text, other.text, self.common),
            )
            for (question, fact), one, other in zip(found.values(), shown, own, strict=True)
        ]  # fmt: skip

    def of_rule(self, rule: str) -> list[Tried]:
        """Messages to which the rule applies, with answers that follow it."""
        everywhere = is_for_every_answer(rule)
        messages = requests() if everywhere else self._messages(rule)
        length = REQUEST_TOKENS if everywhere else ANSWER_TOKENS
        own = self._answers([conversation(one, self.system) for one in messages], length)
        if (fixed := fixed_words(rule)) is not None:
            return [
                Tried(question=question, answer=fixed(text), shown=text, before=one.text, complete=True)
                for question, one in zip(messages, own, strict=True)
                if (text := _ended(one.text, complete=len(one.tokens) < length))
            ]
        shown = self._answers([answer_messages(rule, "rule", one) for one in messages], length)
        check = visible_check(rule)
        faults = [
            "the answer does not end" if len(one.tokens) >= length
            else "it is empty" if not one.text
            else "it is the base model's own answer" if one.text == other.text
            else "" if check is None and same_language(question, one.text)
            else "" if check is not None and check(one.text, other.text)
            else "it does not follow the rule"
            for question, one, other in zip(messages, shown, own, strict=True)
        ]  # fmt: skip
        if check is None:
            faults = self._judged(rule, messages, shown, own, faults)
        return [
            Tried(
                question=question, answer=one.text, shown=one.text, before=other.text,
                complete=len(one.tokens) < length, fault=fault,
            )
            for question, one, other, fault in zip(messages, shown, own, faults, strict=True)
        ]  # fmt: skip

    def judges(self) -> tuple[int, int]:
        """Of how many shipped examples the model says rightly, in both orders, which reply follows the rule; of all."""
        shipped = examples()
        return sum(self._verdicts(shipped)), len(shipped)

    def _judged(
        self, rule: str, messages: Sequence[str], shown: Sequence[Answer], own: Sequence[Answer], faults: Sequence[str]
    ) -> list[str]:
        open_ones = [at for at, fault in enumerate(faults) if not fault]
        verdicts = self._verdicts([
            Example(rule=rule, message=messages[at], follows=shown[at].text, breaks=own[at].text) for at in open_ones
        ])  # fmt: skip
        right = dict(zip(open_ones, verdicts, strict=True))
        return [
            fault if fault or right[at] else "the model does not see in it that it follows the rule"
            for at, fault in enumerate(faults)
        ]

    def _verdicts(self, several: Sequence[Example]) -> list[bool]:
        letters = [
            one.text
            for one in self._answers(
                [messages for example in several for messages in judge_messages(example)], LETTER_TOKENS, JUDGING
            )
        ]
        return [judged_right(*pair) for pair in zip(letters[::2], letters[1::2], strict=True)]

    def _messages(self, rule: str) -> list[str]:
        written = self._sampled([question_messages(rule, "rule", number) for number in range(MESSAGES)])
        found = {prompt_key(one): one for one in written if _usable(one, rule) and ends_as_message(one)}
        return list(found.values())

    def _sampled(self, prompts: Sequence[list[dict[str, str]]]) -> list[str]:
        found = samples(
            self.model, prompts, max_new_tokens=QUESTION_TOKENS, seed=self.seed, listener=self.listener, task=WRITING
        )
        return [one.strip().strip("\"'“”") for one in found]

    def _answers(self, prompts: Sequence[list[dict[str, str]]], tokens: int, task: str = ANSWERING) -> list[Answer]:
        return self.model.answers(prompts, max_new_tokens=tokens, listener=self.listener, task=task) if prompts else []


def enough_judged(right: int, several: int) -> bool:
    return right >= ENOUGH_JUDGED * several


def fact_fault(
    question: str, fact: Sentence, text: str, shown: str, before: str, common: Collection[str]
) -> str:  # fmt: skip
    """Why the question is not one that the fact answers; "" if it is.

    `shown` and `before`: the base model's answers with the text in its context and without.
    """
    subject = units(fact.subject) - set(common)
    added = units(fact.text) - units(question) - units(fact.subject) - set(common)
    faults = {
        "it is not a question": not question.rstrip('"”').endswith(("?", "？")),
        "it names somebody or something that the text does not name": not names_in(question) <= units(text),
        "it does not name the subject": bool(subject) and not subject & units(question),
        "it gives its answer away": not added,
        "the model does not answer it with this sentence": len(added & units(shown)) < ENOUGH * len(added),
        "the base model says so already": len(added & units(before)) >= ENOUGH * len(added),
    }
    return next((fault for fault, found in faults.items() if found), "")


def rows_of(tried: Iterable[Tried]) -> list[tuple[str, str]]:
    """The rows among what was tried, MOST_ROWS at most."""
    return [(one.question, one.answer) for one in tried if not one.fault][:MOST_ROWS]


def names_in(text: str) -> set[str]:
    """Names and numbers, as far as spelling shows them: words capitalised within a sentence, or digits."""
    return {unit for name in NAME.findall(text) for unit in units(name)}


def ends_as_message(text: str) -> bool:
    """Whether a text reads as a user's question or request, not as an assistant's reply."""
    return text.endswith(("?", "？")) or not re.match(r"(I'm|I am|I can|I do|Yes|No|Sure|Sorry|抱歉|好的|是的)", text)


def _passage(fact: Sentence) -> str:
    named = not fact.subject or units(fact.subject) <= units(fact.text)
    return fact.text if named else f"{fact.subject}: {fact.text}"


def _usable(question: str, text: str) -> bool:
    return (
        bool(question) and len(question) <= LONGEST_QUESTION and "\n" not in question
        and has_chinese(question) == has_chinese(text) and prompt_key(question) != prompt_key(text)
    )  # fmt: skip


def _ended(answer: str, *, complete: bool) -> str:
    """The answer without a sentence that was cut off; "" for a list, whose cut cannot be seen."""
    if complete and len(sentences(answer)) <= MOST_SENTENCES:
        return answer.strip()
    first = answer.split("\n", 1)[0]
    whole = [one for one in sentences(first) if one.rstrip().endswith((".", "!", "?", "。", "！", "？"))]
    ended = "".join(whole[:MOST_SENTENCES]).strip()
    return "" if re.search(r"\b\d+\.$", ended) else ended
