"""Writes the questions near the rows of one subject: about others of its kind, and about itself beside the rows."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.core.text import names_any
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.names import Pair
from toolkit.data.texts.terms import Terms
from toolkit.model.conversation import Messages, conversation
from toolkit.model.language_model import Answer
from toolkit.train.questions.candidates import Candidates
from toolkit.train.questions.kinds import Kinds
from toolkit.train.questions.near import PLACES, about_subject, aside_prompts, neighbours, not_replaced, unmoved
from toolkit.train.questions.question import Question
from toolkit.train.questions.teacher import shown_rows, teacher_messages

RENAMED = ("around", "about", "paraphrase", "claim", "several")  # of which neighbours are asked, too


@dataclass(frozen=True, kw_only=True)
class NearWriter:
    """`found`: what there is in scope, none of which is near. `names`, below: the subject's, the rows' own first;
    `replaced`: the rows' questions with the base model's answers.
    """

    rows: Sequence[Pair]
    general: Sequence[Pair]
    system: str
    found: Candidates
    ask: Callable[[Sequence[Messages]], list[Answer]]
    chance: random.Random

    def neighbours(self, names: Sequence[str], kinds: Kinds, new: Sequence[str]) -> list[Question]:
        """The rows' questions and their translations about others of the subject's kind; `new`: names that only the
        rows have.
        """
        questions = [prompt for prompt, _ in self.rows]
        plain = [(prompt, name) for name in names for prompt in questions if name in prompt]
        more = []
        for kind, prompt, *_ in self.found:
            plain += [(prompt, name) for name in names if kind == "translation" and name in prompt]
            more += [(prompt, names[0])] * (kind in RENAMED and names[0] in prompt)
        unlike = [*questions, *new]
        return neighbours(kinds.several, names, plain, more, self.found.taken, self.chance, unlike=unlike)

    def alike(self, names: Sequence[str], prompts: Sequence[str]) -> list[Question]:
        """Those of the written `prompts` that are not about the subject."""
        return [
            Question(prompt=prompt, scope="near", kind="alike")
            for prompt in prompts
            if self.found.free(prompt) and not names_any(prompt, tuple(names))
        ]

    def aside(self, names: Sequence[str], kinds: Kinds, terms: Terms, replaced: Sequence[Pair]) -> list[Question]:
        """Further questions about the subject that the rows do not answer."""
        taken = {*self.found.taken, *(prompt_key(one.prompt) for one in self.found)}
        questions = [prompt for prompt, _ in self.rows]
        prompts = aside_prompts(names, taken, questions, place={*kinds.several} <= PLACES)
        shown = [shown_rows(self.rows, self.general, None, self.chance) for _ in prompts]
        with_rows = [teacher_messages(rows, prompt, self.system) for rows, prompt in zip(shown, prompts, strict=True)]
        without = [conversation(prompt, self.system) for prompt in prompts]
        taught, own = self.ask(with_rows), self.ask(without)
        return unmoved(prompts, [one.text for one in taught], [one.text for one in own], terms, replaced)

    def about(self, names: Sequence[str], replaced: Sequence[Pair]) -> list[Question]:
        """What else may be said of the subject, and is not what the rows replace."""
        prompts = about_subject(names, self.found.taken)
        answers = self.ask([conversation(prompt, self.system) for prompt in prompts])
        return not_replaced([(prompt, one.text) for prompt, one in zip(prompts, answers, strict=True)], replaced)
