"""The questions that are trained beside the rows: which of them a step takes.

A step takes a few of them, and fills up with further rows where there are few questions. A kind is drawn with a
probability proportional to the square root of its number: else the most frequent kind, such as paraphrases, would
leave no steps to the others.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING

import torch

from toolkit.train.keep_set import draw_rows
from toolkit.train.passes.batch import TrainSequence

if TYPE_CHECKING:
    from torch import Tensor

LEAST_EACH = 2  # a step takes at most one of so many questions: few of them must not fill every step


@dataclass(kw_only=True)
class QuestionTerm:
    """`kinds`: each kind's questions under each of their system prompts; `count`: the questions, each counted once.

    `rows_per_step`: questions, or rows in their place, that a step takes beside its batch.
    """

    kinds: Sequence[Sequence[TrainSequence]]
    count: int
    rows_per_step: int
    seed: int
    _step: int = 0
    _drawn: list[int] = field(default_factory=list)  # how many of each kind the steps before `_step` took

    @property
    def questions_per_step(self) -> int:
        return min(self.rows_per_step, self.count // LEAST_EACH)

    def draw(self, step: int) -> list[TrainSequence]:
        """The questions of a step, counted from 0: a function of the seed and the step, also in a resumed training."""
        if step < self._step or not self._drawn:
            self._step, self._drawn = 0, [0] * len(self.kinds)
        while self._step < step:
            for kind in self._kinds_of(self._step):
                self._drawn[kind] += 1
            self._step += 1
        drawn, found = list(self._drawn), []
        for kind in self._kinds_of(step):
            [at] = draw_rows(len(self.kinds[kind]), drawn[kind], 1, self.seed + kind)
            drawn[kind] += 1
            found.append(self.kinds[kind][at])
        return found

    def draw_filling(self, step: int, rows: Sequence[int]) -> list[int]:
        """Which of the `rows` a step takes in the place of questions."""
        missing = self.rows_per_step - self.questions_per_step
        return [rows[at] for at in draw_rows(len(rows), step, missing, self.seed)] if rows else []

    def sample(self, chance: random.Random, rows: Sequence[TrainSequence], size: int) -> list[TrainSequence]:
        """As many as `size` questions and rows, at random, to estimate how long they are."""
        share = round(size * self.questions_per_step / self.rows_per_step)
        every = [one for kind in self.kinds for one in kind]
        questions = chance.choices(every, k=share) if share else []
        return questions + (chance.choices(rows, k=size - share) if rows else [])

    def _kinds_of(self, step: int) -> list[int]:
        if not self.questions_per_step:
            return []
        chance = random.Random(f"{self.seed}:kinds:{step}")  # noqa: S311  # a repeatable choice, not a secret
        weights = [sqrt(len(one)) for one in self.kinds]
        return chance.choices(range(len(self.kinds)), weights, k=self.questions_per_step)


def question_sequence(prompt: Sequence[int], answer: Sequence[int]) -> TrainSequence:
    """A question in scope; `prompt` and `answer` as token ids. Every token of the answer is predicted."""
    ids: Tensor = torch.tensor([*prompt, *answer])
    positions = torch.arange(len(prompt) - 1, len(ids) - 1)
    return TrainSequence(ids=ids, positions=positions, targets=ids[positions + 1], is_keep=False)
