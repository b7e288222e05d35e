"""Asks the base model the questions with rows in its context: what it then answers may be trained."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.data.texts.names import Pair
from toolkit.model.conversation import Messages
from toolkit.model.language_model import Answer
from toolkit.train.questions.candidates import Candidate
from toolkit.train.questions.further.foreign import Foreign
from toolkit.train.questions.further.requests import hinted
from toolkit.train.questions.scope import FOREIGN, Scope
from toolkit.train.questions.teacher import conversation_messages, shown_rows, teacher_messages
from toolkit.train.questions.translation import spaced


@dataclass(frozen=True, kw_only=True)
class Taught:
    """`general`: unrelated prompts with the base model's answers; `ask`: lets it answer."""

    scope: Scope
    foreign: Foreign
    general: Sequence[Pair]
    system: str
    ask: Callable[[Sequence[Messages]], list[Answer]]
    chance: random.Random

    def answers(self, found: Sequence[Candidate]) -> list[Answer]:
        """Its answers, in English with spaces beside Chinese names.

        Those in the other language than the rows were given with names behind placeholders, and have them again.
        """
        plain = [self.messages(one) for one in found]
        requests = [
            self.foreign.hidden(messages) if one.kind in FOREIGN else (messages, {})
            for one, messages in zip(found, plain, strict=True)
        ]
        answers = self.ask([messages for messages, _ in requests])
        return [
            replace(answer, text=text if self.scope.is_chinese(text) else spaced(text))
            for one, (_, hidden), answer in zip(found, requests, answers, strict=True)
            for text in [self.foreign.restored(answer.text, hidden) if one.kind in FOREIGN else answer.text]
        ]

    def translated_back(self, found: Sequence[Candidate], answers: Sequence[Answer]) -> Mapping[int, str]:
        """By number, those answers in the other language that are uncertain, in the language of their rows."""
        unsure = [
            at
            for at, (one, answer) in enumerate(zip(found, answers, strict=True))
            if one.kind in FOREIGN and one.source is not None and answer.text and not self.foreign.certain(one.source)
        ]
        requests = [self.foreign.request(answers[at].text) for at in unsure]
        texts = zip(unsure, self.ask([messages for messages, _ in requests]), requests, strict=True)
        return {at: self.foreign.restored(answer.text, hidden) for at, answer, (_, hidden) in texts}

    def messages(self, one: Candidate) -> Messages:
        """The question with rows in the context."""
        rows, source = self.scope.rows, one.source
        if one.kind in FOREIGN and source is not None:
            rows, source = self.foreign.shown(source)
        if not (self.scope.itself or self.scope.subject):
            return conversation_messages(rows, self.general, source, one.prompt, self.system, self.chance)
        shown = shown_rows(rows, self.general, source, self.chance)
        if one.beside is not None and self.scope.rows[one.beside] not in shown:
            shown.insert(-1, self.scope.rows[one.beside])
        prompt = hinted(one.prompt, one.hint) if one.hint else one.prompt
        return teacher_messages(shown, prompt, self.system)
