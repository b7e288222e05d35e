"""The questions that a run was trained on beside its rows, for the reader of a report. Reads only.

`toolkit.train.questions.question` reads the files of users; this reads what a training left behind.
"""

import hashlib
from pathlib import Path
from typing import Literal

from toolkit.core.documents import parse_json, read_text
from toolkit.runs.comparison import LearnedQuestions
from toolkit.runs.layout import QUESTIONS_FILE
from toolkit.runs.record import Part, RunRecord
from toolkit.runs.run import Run, list_runs


class RunQuestion(Part, frozen=True):
    """`before`: the base model's own answer, where it was asked."""

    prompt: str
    scope: Literal["in", "near"]
    kind: str = ""
    answer: str = ""
    before: str = ""


def learned_questions(record: RunRecord) -> LearnedQuestions | None:
    """What the record says of the run's questions, as report.json has it; None for a run without them."""
    if record.questions is None:
        return None
    found = {key: value for key, value in record.questions.to_dict().items() if key != "seconds"}
    return LearnedQuestions.from_dict(found | {"file": QUESTIONS_FILE, "rows": record.data.rows})


def read_questions(run: Run) -> list[RunQuestion]:
    """As they are in the run's folder; empty if the run has none, or their file is not the one trained on any more."""
    if run.record.questions is None:
        return []
    try:
        text = read_text(run.folder / QUESTIONS_FILE)
        if hashlib.sha256(text.encode()).hexdigest() != run.record.questions.sha256:
            return []
        return [RunQuestion.from_dict(parse_json(line)) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError):
        return []


def last_with_questions(data_sha256: str, output: Path) -> Run | None:
    """The newest run in `output` that was trained on the data set of this digest, and on questions around its rows."""
    found = [run for run in list_runs(output) if run.record.data.sha256 == data_sha256 and run.record.questions]
    return found[-1] if found else None
