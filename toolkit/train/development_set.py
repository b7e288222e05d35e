"""The development set: trained questions rephrased, asked during training. Pure, apart from its file.

It never contains a probe, so a comparison asks only questions that training did not look at. Answers are judged as
those to probes are: they must say the new thing, but not letter for letter.
"""

import json
import math
import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from toolkit.core.documents import parse_json
from toolkit.core.errors import DataError
from toolkit.core.files import data_folder, write_text
from toolkit.core.text import contains_any, normalized, similarity
from toolkit.data.dataset import Row, prompt_key
from toolkit.data.probes import probes_beside, read_probes
from toolkit.data.rephrasings import DEVELOPMENT, rephrase
from toolkit.runs.layout import DEVELOPMENT_FILE

MAX_QUESTIONS = 24
REQUIRED_SHARE = 0.95  # of the questions must be answered as trained
MIN_SIMILARITY = 0.6  # share of the characters that two answers have in common, in the same order
MAX_HELD_OUT_KEEP = 32
WORDINGS = min(map(len, DEVELOPMENT.values()))


@dataclass(frozen=True, kw_only=True)
class Question:
    """`answers`: the trained ones, any of which passes; `markers`: those of the new identity that they name."""

    prompt: str
    system: str
    answers: tuple[str, ...]
    markers: tuple[str, ...] = ()

    def met(self, answer: str, before: str) -> bool:
        """`before`: the base model's answer. Without a marker to decide by, the wording must be close to a trained one.

        A marker that the base model names itself does not count.
        """
        if normalized(answer) in map(normalized, self.answers):
            return True
        new_markers = tuple(marker for marker in self.markers if not contains_any(before, (marker,)))
        if new_markers:
            return contains_any(answer, new_markers)
        nearest = max(similarity(answer, trained) for trained in self.answers)
        return nearest >= MIN_SIMILARITY and nearest > similarity(answer, before)


def is_enough(passed: float, count: int) -> bool:
    """Whether so many passes mean that training may stop."""
    return passed >= required_passes(count)


def required_passes(count: int) -> int:
    """How many of the questions must be answered as trained."""
    return math.ceil(REQUIRED_SHARE * count)


def development_set(
    rows: Sequence[Row], *, system: str, seed: int, excluded: Collection[str], markers: Sequence[str] = ()
) -> list[Question]:
    """Up to 24 questions from rows of one turn. Raises DataError if there are none.

    `excluded`: prompt keys that no question may have; `markers`: what an answer in the new identity names, such as the
    name itself. A prompt gets a second wording only after every prompt has one.
    """
    answers: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.of_one_turn:
            answers.setdefault((row.prompt, system if row.system is None else row.system), []).append(row.answer)
    prompts = list(answers)
    random.Random(seed).shuffle(prompts)  # noqa: S311  # a repeatable choice, not a secret
    excluded = {*excluded, *(prompt_key(row.prompt) for row in rows)}
    rephrased = (
        _question(wording, row_system, tuple(dict.fromkeys(answers[prompt, row_system])), markers)
        for lap in range(WORDINGS)
        for at, (prompt, row_system) in enumerate(prompts)
        if prompt_key(wording := rephrase(DEVELOPMENT, prompt, at + lap, answers[prompt, row_system][0]))
        not in excluded
    )
    questions = list(islice(rephrased, MAX_QUESTIONS))
    if not questions:
        raise DataError("No row makes a question that shows whether training took.", next="Leave out --stop-when-took.")
    return questions


def _question(prompt: str, system: str, answers: tuple[str, ...], markers: Sequence[str]) -> Question:
    """With the markers that every trained answer names and the prompt does not."""
    named = tuple(
        marker
        for marker in markers
        if all(contains_any(answer, (marker,)) for answer in answers) and not contains_any(prompt, (marker,))
    )
    return Question(prompt=prompt, system=system, answers=answers, markers=named)


def probe_keys(data: Path) -> set[str]:
    """The keys of all prompts that a comparison may ask: the probes beside the data set, and the shipped ones."""
    return {prompt_key(probe.prompt) for file in _probe_files(data) for probe in read_probes(file).probes}


def new_markers(data: Path) -> tuple[str, ...]:
    """The new markers of the probes that a comparison asks: those beside the data set, else the shipped ones."""
    return next((read_probes(file).new_markers for file in _probe_files(data)), ())


def _probe_files(data: Path) -> list[Path]:
    files = (probes_beside(data), data_folder() / "probes.yaml")
    return [file for file in files if file.is_file()]


def held_out_keep(count: int, seed: int) -> frozenset[int]:
    """The indices of the keep prompts that the drift is measured on: at most 32 and a quarter; a single one stays."""
    size = min(MAX_HELD_OUT_KEEP, max(count // 4, min(1, count - 1)))
    return frozenset(random.Random(seed).sample(range(count), size))  # noqa: S311  # a repeatable choice


def write_questions(folder: Path, questions: Sequence[Question]) -> None:
    lines = [json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in questions]
    write_text(folder / DEVELOPMENT_FILE, "".join(lines))


def read_questions(folder: Path) -> list[Question]:
    """As `write_questions` wrote them."""
    lines = [parse_json(line) for line in (folder / DEVELOPMENT_FILE).read_text(encoding="utf-8").split("\n") if line]
    return [
        Question(
            prompt=one["prompt"], system=one["system"], answers=tuple(one["answers"]),
            markers=tuple(one.get("markers", ())),  # older runs have none
        )
        for one in lines
    ]  # fmt: skip
