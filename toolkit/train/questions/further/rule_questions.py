"""Writes further questions that a rule of behaviour is for, in both languages.

The base model is asked each of them twice, among other rows: one that it answers by the rule both times, and not
without the rows, is in scope.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from toolkit.core.text import has_chinese, language_code
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.names import Pair
from toolkit.data.texts.terms import numbers, units
from toolkit.model.conversation import Messages, conversation
from toolkit.model.language_model import Answer
from toolkit.train.questions.candidates import Candidate, Candidates, bare_question
from toolkit.train.questions.further.foreign import Foreign
from toolkit.train.questions.further.requests import (
    further_messages,
    read_further_forms,
    read_requests,
    strays,
)
from toolkit.train.questions.further.rule import Rule
from toolkit.train.questions.further.write import translated_candidates
from toolkit.train.questions.question import Question
from toolkit.train.questions.requests import alike_messages
from toolkit.train.questions.scope import FORM_SHARE, Scope
from toolkit.train.questions.teacher import conversation_messages

ALIKE = 24  # questions like several rows' at once, in each language
SHOWN = 4
COUNTS = {"reworded": 32, "within": 64, "alike": 64}  # questions that are written in their manners
MANNERS = {"reworded": ("command", "situation")}  # of the others: every one
TRANSLATED = 48
TRANSLATED_KINDS = ("paraphrase", "reworded", "alike")
FORMS = 48  # around the rows' requests
ENDS = (".", "?", "!", "。", "？", "！")
SAME_ANSWER = ("reworded", "within")  # kinds that ask for what their row asks for
RULED, PLAIN = 3, 1  # rows and counter-examples that the base model sees


@dataclass(frozen=True, kw_only=True)
class RuleWriter:
    """`general`: unrelated prompts with the base model's answers; `found`: the candidates that there are.

    `answer_tokens`: the most that `ask` lets an answer have.
    """

    scope: Scope
    rule: Rule
    general: Sequence[Pair]
    found: Candidates
    foreign: Foreign
    system: str
    sampled: Callable[[Sequence[Messages]], list[str]]
    ask: Callable[[Sequence[Messages]], list[Answer]]
    answer_tokens: int
    chance: random.Random

    def write(self, kinds: Collection[str]) -> list[Question]:
        """Those of these `kinds`."""
        return self._in_scope(self._once(self._ruled(kinds)))

    def checked(self, kind: str, prompts: Iterable[str]) -> list[Question]:
        """Those of these requests, written from several rows at once, that the base model answers by the rule."""
        candidates = (Candidate(kind, prompt, None) for prompt in prompts)
        return self._in_scope(self._once(candidates))

    def _ruled(self, kinds: Collection[str]) -> Iterator[Candidate]:
        """Requests that the rule may be for."""
        written = [*self.found]
        for kind in ("reworded", "within"):
            if kind in kinds:
                more = list(self._of_manners(kind))
                written += more
                yield from more
        if "alike" in kinds:
            more = [*self._of_manners("alike"), *self._alike()]
            written += more
            yield from more
        if "within" in kinds:
            yield from self._formed()
        if "translation" in kinds:
            written = [one for one in written if one.kind in TRANSLATED_KINDS]
            yield from translated_candidates(written, TRANSLATED, self.foreign, self.sampled, self.chance)

    def _of_manners(self, kind: str) -> Iterator[Candidate]:
        """Written from the rows' requests, in every manner about as many.

        What asks for the same has the same numbers, and nothing of the answer: small models answer instead of asking.
        """
        manners = MANNERS.get(kind, tuple(read_requests()[kind]))
        rows = self.chance.sample(self.rule.ruled, len(self.rule.ruled))
        wanted = [(rows[at // len(manners) % len(rows)], manners[at % len(manners)]) for at in range(COUNTS[kind])]
        texts = self.sampled([further_messages(kind, manner, self.scope.rows[row][0]) for row, manner in wanted])
        for (row, _), text in zip(wanted, texts, strict=True):
            if strays(self.scope.rows[row][0], text):
                continue
            if kind not in SAME_ANSWER:
                yield Candidate(kind, bare_question(text), None)
            elif not self.scope.gives_away(row, text) and numbers(text) == numbers(self.scope.rows[row][0]):
                yield Candidate(kind, bare_question(text), row)

    def _alike(self) -> list[Candidate]:
        """Like the rows' requests, in both languages if there are such requests, or translated ones."""
        requests = []
        for chinese in (False, True):
            rows = self._shown(self.rule.ruled, chinese)
            prompts = [question for _, (question, _) in rows if has_chinese(question) == chinese]
            shown = [self.chance.sample(prompts, min(SHOWN, len(prompts))) for _ in range(ALIKE if prompts else 0)]
            requests += [alike_messages(several) for several in shown]
        return [Candidate("alike", bare_question(text), None) for text in self.sampled(requests)]

    def _formed(self) -> Iterator[Candidate]:
        """Forms around the rows' requests, each form about as often as the others."""
        for at in range(FORMS):
            row = self.rule.ruled[at % len(self.rule.ruled)]
            request = self.scope.rows[row][0]
            forms = read_further_forms()["within"][language_code(request)]
            form = forms[(at + at // len(self.rule.ruled)) % len(forms)]
            ended = request if request.endswith(ENDS) else request + ("。" if has_chinese(request) else ".")
            yield Candidate("within", form.replace("{}", ended), row)

    def _once(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Each that is free and not yet there, by its key."""
        keys, found = {prompt_key(one.prompt) for one in self.found}, []
        for one in candidates:
            key = prompt_key(one.prompt)
            if self.found.free(one.prompt) and key not in keys and self._expected(one.prompt):
                keys.add(key)
                found.append(one)
        return found

    def _expected(self, prompt: str) -> bool:
        """Whether the rule's answers are known in the prompt's language."""
        return has_chinese(prompt) in self.rule.forms

    def _in_scope(self, candidates: Sequence[Candidate]) -> list[Question]:
        answers = self._taught(candidates)
        kept = [
            (one, answer)
            for one, answer in zip(candidates, answers, strict=True)
            if self.rule.followed(one.prompt, answer.text)
            and self.scope.echoes(one.prompt, answer.text)
            and not self.scope.has_other_keys(answer.text)
            and (one.source is not None or self._like_the_rows(one.prompt))
        ]
        again = self._taught([one for one, _ in kept])
        own = self.ask([conversation(one.prompt, self.system) for one, _ in kept])
        return [
            self._trained(one, answer, before.text)
            for (one, answer), second, before in zip(kept, again, own, strict=True)
            if self.rule.followed(one.prompt, second.text)
            and numbers(second.text) == numbers(answer.text)  # else the model guesses
            and not self.rule.followed(one.prompt, before.text)
        ]

    def _like_the_rows(self, prompt: str) -> bool:
        """Whether it has a word of the rule's requests, and a number if nearly all have one.

        A small model with the rows in its context follows the rule for a poem, too.
        """
        requests = [self.scope.rows[at][0] for at in self.rule.ruled]
        with_number = sum(bool(numbers(one)) for one in requests) >= FORM_SHARE * len(requests)
        translated = [one.prompt for one in self.found if one.kind == "translation" and one.source in self.rule.ruled]
        words = units(" ".join([*requests, *translated])) - self.scope.common
        return bool(words & units(prompt)) and (not with_number or bool(numbers(prompt)))

    def _trained(self, one: Candidate, answer: Answer, before: str) -> Question:
        """With the row's own answer, if it asks for the same."""
        row = one.source if one.kind in SAME_ANSWER else None
        text = answer.text if row is None else self.scope.rows[row][1].strip()
        complete = row is not None or len(answer.tokens) < self.answer_tokens
        return Question(prompt=one.prompt, scope="in", answer=text, kind=one.kind, before=before, complete=complete)

    def _taught(self, candidates: Sequence[Candidate]) -> list[Answer]:
        """The base model's answers with rows of the question's language in its context, and a counter-example."""
        requests = []
        for one in candidates:
            chinese = has_chinese(one.prompt)
            ruled, plain = self._shown(self.rule.ruled, chinese), self._shown(self.rule.plain, chinese)
            rows = [pair for at, pair in ruled if at != one.source]
            rows = self.chance.sample(rows, min(RULED, len(rows)))
            rows += [pair for _, pair in self.chance.sample(plain, min(PLAIN, len(plain)))]
            own = None if one.source is None else self.scope.rows[one.source]
            in_rows = any(has_chinese(question) == chinese for question, _ in self.scope.rows)
            if own and in_rows and has_chinese(own[0]) != chinese:
                own = None  # it would be answered in that row's language
            at = len(rows) if own else None
            requests.append(
                conversation_messages(
                    [*rows, own] if own else rows, self.general, at, one.prompt, self.system, self.chance
                )
            )
        return self.ask(requests)

    def _shown(self, rows: Sequence[int], chinese: bool) -> list[tuple[int, Pair]]:
        """Of these rows those in the language; where it has none, those with a translated question, or else all."""
        own = [(at, self.scope.rows[at]) for at in rows if has_chinese(self.scope.rows[at][0]) == chinese]
        if own:
            return own
        translated = [
            (one.source, (one.prompt, self.scope.rows[one.source][1]))
            for one in self.found
            if one.kind == "translation"
            and one.source is not None
            and one.source in rows
            and has_chinese(one.prompt) == chinese
        ]
        return translated or [(at, self.scope.rows[at]) for at in rows]
