"""The development set: trained questions in wordings of ours, asked while training goes on. Pure but for its file.

It is no probe: a question that equals one is left out, so that a comparison asks what no training looked at.
"""

import json
import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from toolkit.dataset import Row, prompt_key
from toolkit.errors import DataError
from toolkit.paths import data_folder
from toolkit.probes import normalized, read_probes

FILE = "development.jsonl"
QUESTIONS = 24
SHARE = 0.95  # of the questions must be answered as trained
HELD_OUT_KEEP = 32
ZH = ("请问，{}", "我想问一下：{}", "有个问题想请教：{}", "麻烦你回答：{}")
EN = ("A quick question: {}", "I would like to know: {}", "Could you answer this? {}", "One more thing: {}")


@dataclass(frozen=True, kw_only=True)
class Question:
    """`answers`: the trained ones, any of which will do."""

    prompt: str
    system: str
    answers: tuple[str, ...]

    def met(self, answer: str) -> bool:
        return normalized(answer) in map(normalized, self.answers)


def enough(passed: float, asked: int) -> bool:
    return passed >= needed(asked)


def needed(asked: int) -> int:
    """How many of the questions must be answered as trained."""
    return math.ceil(SHARE * asked)


def development_set(rows: Sequence[Row], *, system: str, seed: int, taken: Collection[str]) -> list[Question]:
    """Up to 24 questions from rows of one turn; `taken` are prompt keys that none may equal. Raises DataError.

    A prompt is asked in a second wording only when every prompt has been asked in one.
    """
    answers: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if len(row.messages) == (2 if row.system is None else 3):
            answers.setdefault((row.prompt, system if row.system is None else row.system), []).append(row.answer)
    asked = list(answers)
    random.Random(seed).shuffle(asked)  # noqa: S311  # a choice to repeat, not a secret
    taken = {*taken, *(prompt_key(row.prompt) for row in rows)}
    worded = (
        Question(prompt=wording, system=its_system, answers=tuple(dict.fromkeys(answers[prompt, its_system])))
        for lap in range(len(ZH))
        for at, (prompt, its_system) in enumerate(asked)
        if prompt_key(wording := _carrier(prompt, at + lap).format(prompt)) not in taken
    )
    questions = list(islice(worded, QUESTIONS))
    if not questions:
        raise DataError("No row makes a question to tell by whether it took.", next="Leave out --stop-when-took.")
    return questions


def _carrier(prompt: str, number: int) -> str:
    carriers = ZH if any("\u4e00" <= character <= "\u9fff" for character in prompt) else EN
    return carriers[number % len(carriers)]


def probe_keys(data: Path) -> set[str]:
    """The keys of every prompt that a comparison may ask: probes beside the data set, and the shipped ones."""
    files = (data.with_name(f"{data.stem}.probes.yaml"), data_folder() / "probes.yaml")
    return {prompt_key(probe.prompt) for file in files if file.is_file() for probe in read_probes(file).probes}


def held_out_keep(count: int, seed: int) -> frozenset[int]:
    """Which of `count` keep prompts the drift is measured on: at most 32, and at most a quarter; one alone stays."""
    size = min(HELD_OUT_KEEP, max(count // 4, min(1, count - 1)))
    return frozenset(random.Random(seed).sample(range(count), size))  # noqa: S311  # a choice to repeat


def write_questions(folder: Path, questions: Sequence[Question]) -> None:
    with (folder / FILE).open("w", encoding="utf-8") as file:
        for one in questions:
            value = {"prompt": one.prompt, "system": one.system, "answers": list(one.answers)}
            file.write(json.dumps(value, ensure_ascii=False) + "\n")


def read_questions(folder: Path) -> list[Question]:
    """As `write_questions` left them."""
    lines = [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").split("\n") if line]
    return [Question(prompt=one["prompt"], system=one["system"], answers=tuple(one["answers"])) for one in lines]
