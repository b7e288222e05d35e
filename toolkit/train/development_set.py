"""The development set: trained questions in wordings of ours, asked while training goes on. Pure but for its file.

It is no probe: a question that equals one is left out, so that a comparison asks what no training looked at.
Yet it is judged as probes are: an answer must say the new thing, and need not say it letter for letter.
"""

import json
import math
import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.core.text import contains_any, normalized, similarity
from toolkit.data.dataset import Row, prompt_key
from toolkit.data.probes import probes_beside, read_probes
from toolkit.data.rephrasings import DEVELOPMENT, rephrase
from toolkit.runs.layout import DEVELOPMENT_FILE

QUESTIONS = 24
SHARE = 0.95  # of the questions must be answered as trained
ALIKE = 0.6  # of the characters of two answers stand in both, in the same order
HELD_OUT_KEEP = 32
LAPS = min(map(len, DEVELOPMENT.values()))


@dataclass(frozen=True, kw_only=True)
class Question:
    """`answers`: the trained ones, any of which will do; `markers`: those of the new identity that they name."""

    prompt: str
    system: str
    answers: tuple[str, ...]
    markers: tuple[str, ...] = ()

    def met(self, answer: str, before: str) -> bool:
        """`before`: what the base model answers. Where no marker tells, the wording must have moved to the trained one.

        A marker that the base model names itself tells nothing.
        """
        if normalized(answer) in map(normalized, self.answers):
            return True
        telling = tuple(marker for marker in self.markers if not contains_any(before, (marker,)))
        if telling:
            return contains_any(answer, telling)
        nearness = max(similarity(answer, trained) for trained in self.answers)
        return nearness >= ALIKE and nearness > similarity(answer, before)


def enough(passed: float, asked: int) -> bool:
    return passed >= needed(asked)


def needed(asked: int) -> int:
    """How many of the questions must be answered as trained."""
    return math.ceil(SHARE * asked)


def development_set(
    rows: Sequence[Row], *, system: str, seed: int, taken: Collection[str], markers: Sequence[str] = ()
) -> list[Question]:
    """Up to 24 questions from rows of one turn; `taken` are prompt keys that none may equal. Raises DataError.

    `markers`: what an answer in the new identity names, such as the name itself.

    A prompt is asked in a second wording only when every prompt has been asked in one.
    """
    answers: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.of_one_turn:
            answers.setdefault((row.prompt, system if row.system is None else row.system), []).append(row.answer)
    asked = list(answers)
    random.Random(seed).shuffle(asked)  # noqa: S311  # a choice to repeat, not a secret
    taken = {*taken, *(prompt_key(row.prompt) for row in rows)}
    worded = (
        _question(wording, its_system, tuple(dict.fromkeys(answers[prompt, its_system])), markers)
        for lap in range(LAPS)
        for at, (prompt, its_system) in enumerate(asked)
        if prompt_key(wording := rephrase(DEVELOPMENT, prompt, at + lap)) not in taken
    )
    questions = list(islice(worded, QUESTIONS))
    if not questions:
        raise DataError("No row makes a question to tell by whether it took.", next="Leave out --stop-when-took.")
    return questions


def _question(prompt: str, system: str, answers: tuple[str, ...], markers: Sequence[str]) -> Question:
    """With the markers that every trained answer names and the question does not."""
    named = tuple(
        marker
        for marker in markers
        if all(contains_any(answer, (marker,)) for answer in answers) and not contains_any(prompt, (marker,))
    )
    return Question(prompt=prompt, system=system, answers=answers, markers=named)


def probe_keys(data: Path) -> set[str]:
    """The keys of every prompt that a comparison may ask: probes beside the data set, and the shipped ones."""
    return {prompt_key(probe.prompt) for file in _probe_files(data) for probe in read_probes(file).probes}


def new_markers(data: Path) -> tuple[str, ...]:
    """Those of the probes that a comparison asks: beside the data set, else the shipped ones."""
    return next((read_probes(file).new_markers for file in _probe_files(data)), ())


def _probe_files(data: Path) -> list[Path]:
    files = (probes_beside(data), data_folder() / "probes.yaml")
    return [file for file in files if file.is_file()]


def held_out_keep(count: int, seed: int) -> frozenset[int]:
    """Which of `count` keep prompts the drift is measured on: at most 32, and at most a quarter; one alone stays."""
    size = min(HELD_OUT_KEEP, max(count // 4, min(1, count - 1)))
    return frozenset(random.Random(seed).sample(range(count), size))  # noqa: S311  # a choice to repeat


def write_questions(folder: Path, questions: Sequence[Question]) -> None:
    with (folder / DEVELOPMENT_FILE).open("w", encoding="utf-8") as file:
        for one in questions:
            file.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")


def read_questions(folder: Path) -> list[Question]:
    """As `write_questions` left them."""
    lines = [json.loads(line) for line in (folder / DEVELOPMENT_FILE).read_text(encoding="utf-8").split("\n") if line]
    return [
        Question(
            prompt=one["prompt"], system=one["system"], answers=tuple(one["answers"]),
            markers=tuple(one.get("markers", ())),  # runs from before them have none
        )
        for one in lines
    ]  # fmt: skip
