"""How well both sides answer rows that were not trained: exact matches, ROUGE-L and loss, before and after."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from toolkit.compare.metrics import ratio
from toolkit.compare.questions import trained_rows
from toolkit.compare.sides import call_form
from toolkit.core.errors import DataError
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.text import rouge_l
from toolkit.data.dataset import Dataset, Row, find_dataset, read_dataset
from toolkit.data.samples import parse_source, sample, unseen
from toolkit.data.soundness import require_sound
from toolkit.data.tools.forms import HERMES
from toolkit.model.conversation import Messages, system_messages
from toolkit.model.decoding.spread import spread
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.runs.ability_record import RecordedScore, RecordedTest, RecordedTestAnswer
from toolkit.runs.layout import TEST_FILE
from toolkit.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

MOST_ROWS = 200  # are asked, unless a number is named
ANSWER_TOKENS = 256  # of a longer answer the beginning counts
SPARE_TOKENS = 16  # an answer that is this much longer than any of the rows' is none of them
LOGIT_POSITIONS = 512  # whose logits exist at once
TASK, LOSSES = "Held-out rows", "Loss on held-out rows"


@dataclass(frozen=True, kw_only=True)
class Sided:
    """One side's answers to the rows, and the loss on the rows' own: nats, and tokens."""

    texts: Sequence[str]
    losses: Sequence[tuple[float, int]]


@dataclass(kw_only=True)
class HeldOut:
    """Collects what both sides say to the rows of a file that are not trained."""

    dataset: Dataset
    rows: Sequence[Row]
    trained: int
    expected: list[str] = field(default_factory=list)  # the rows' answers, those of over ANSWER_TOKENS cut
    sides: list[Sided] = field(default_factory=list)
    system: str = ""
    seconds: float = 0.0

    @classmethod
    def planned(cls, spec: str | None, run: Run | None) -> Self | None:
        """Of the file that is named, or else of the run's own; None without any. Raises DataError and ConfigError.

        At most MOST_ROWS, or as many as the name says after a #, by the run's seed.
        """
        if spec is None:
            own = None if run is None else run.folder / TEST_FILE
            if own is None or not own.is_file():
                return None
            spec = str(own)
        source = parse_source(spec)
        dataset = read_dataset(find_dataset(source.name))
        require_sound(dataset)
        rows = dataset.rows if run is None else unseen(dataset.rows, trained_rows(run))
        if not rows:
            raise DataError(f"Every row of {source.name} was trained: it shows nothing.", next="Name other rows.")
        seed = 0 if run is None or run.record.seed is None else run.record.seed
        chosen = sample(replace(dataset, rows=tuple(rows)), source.count or MOST_ROWS, seed)
        return cls(dataset=dataset, rows=chosen.rows, trained=len(dataset.rows) - len(rows))

    def ask(self, model: LanguageModel, system: str, listener: Listener = silent) -> None:
        """The side that the model is switched to answers: first the one before, then the one after.

        `system`: for rows without their own.
        """
        started = time.perf_counter()
        wanted = [model.tokens.text_ids(row.answer) for row in self.rows]
        if not self.sides:
            self.system = system
            self.expected = [
                row.answer
                if len(ids) <= ANSWER_TOKENS
                else model.tokenizer.decode(ids[:ANSWER_TOKENS], skip_special_tokens=True)
                for row, ids in zip(self.rows, wanted, strict=True)
            ]
        prompts = [_prompt(row, system) for row in self.rows]
        longest = min(ANSWER_TOKENS, max(map(len, wanted)) + SPARE_TOKENS)
        answers = model.answers(prompts, max_new_tokens=longest, listener=listener, task=TASK)
        end = [] if model.template_end is None else [model.template_end]
        learned = [ids[:ANSWER_TOKENS] if len(ids) > ANSWER_TOKENS else [*ids, *end] for ids in wanted]
        self.sides.append(Sided(
            texts=self._texts(model, answers), losses=_losses(model, prompts, learned, listener),
        ))  # fmt: skip
        self.seconds += time.perf_counter() - started

    def _texts(self, model: LanguageModel, answers: Sequence[Answer]) -> list[str]:
        """With calls in the form of the rows."""
        form = call_form(model) if any(row.tools for row in self.rows) else HERMES
        return [form.as_hermes(one.text) for one in answers]

    def record(self) -> RecordedTest:
        """What both sides' answers come to."""
        before, after = self.sides
        return RecordedTest(
            path=str(self.dataset.path),
            sha256=self.dataset.sha256,
            system=self.system,
            total=len(self.dataset.rows),
            trained=self.trained,
            answered=len(self.rows),
            answer_tokens=ANSWER_TOKENS,
            scores=[
                _score("exact", self._exact(before), self._exact(after)),
                _score("rouge_l", self._rouge(before), self._rouge(after)),
                _score("loss", before.losses, after.losses),
            ],
            answers=[
                RecordedTestAnswer(row=row.number, prompt=row.prompt, expected=expected, before=old, after=new)
                for row, expected, old, new in zip(self.rows, self.expected, before.texts, after.texts, strict=True)
            ],
            seconds=round(self.seconds, 3),
        )

    def _exact(self, side: Sided) -> list[tuple[float, int]]:
        return [(float(text.strip() == row.answer.strip()), 1) for row, text in zip(self.rows, side.texts, strict=True)]

    def _rouge(self, side: Sided) -> list[tuple[float, int]]:
        return [(rouge_l(one, text), 1) for one, text in zip(self.expected, side.texts, strict=True)]


def _prompt(row: Row, system: str) -> Messages:
    """The row's conversation up to its answer."""
    turns: Messages = [{"role": one.role, "content": one.content} for one in row.messages[:-1]]
    return turns if row.system is not None else [*system_messages(system), *turns]


def _score(name: str, before: Sequence[tuple[float, int]], after: Sequence[tuple[float, int]]) -> RecordedScore:
    """From each row's sum and what it is divided by, which both sides share."""
    difference = ratio(
        [(new - old, count) for (old, count), (new, _) in zip(before, after, strict=True)],
        [str(at) for at in range(len(before))],
    )
    old, new = (sum(one for one, _ in side) / sum(count for _, count in side) for side in (before, after))
    return RecordedScore.from_dict(
        {"name": name, "before": old, "after": new, "low": difference.low, "high": difference.high}
    )


def _losses(
    model: LanguageModel, prompts: Sequence[Messages], answers: Sequence[Sequence[int]], listener: Listener
) -> list[tuple[float, int]]:
    """The negative log-likelihood of each answer in nats, and its tokens."""
    at_once = max(1, LOGIT_POSITIONS // max(map(len, answers)))
    jobs = [
        (prompts[start : start + at_once], answers[start : start + at_once])
        for start in range(0, len(prompts), at_once)
    ]
    found: dict[int, list[tuple[float, int]]] = {}
    for at, losses in spread(model, _losses_of, jobs):
        found[at] = losses
        listener(Progress(task=LOSSES, done=sum(map(len, found.values())), total=len(prompts)))
    return [loss for at in range(len(jobs)) for loss in found[at]]


def _losses_of(
    model: LanguageModel, batch: tuple[Sequence[Messages], Sequence[Sequence[int]]]
) -> list[tuple[float, int]]:
    import torch

    prompts, answers = batch
    given = [Answer(text="", tokens=list(ids), margins=[], first_logits=None) for ids in answers]
    with torch.inference_mode():
        logits = model.answer_logits(prompts, given)
    return [_loss(one, each.tokens) for one, each in zip(logits, given, strict=True)]


def _loss(logits: "Tensor", tokens: Sequence[int]) -> tuple[float, int]:
    """Of one answer: its logits are the last rows of `logits`, shape [longest answer, vocabulary]."""
    import torch
    from torch.nn import functional

    own = logits[len(logits) - len(tokens) :].float()
    wanted = torch.tensor(tokens, device=own.device)
    return float(functional.cross_entropy(own, wanted, reduction="sum")), len(tokens)
