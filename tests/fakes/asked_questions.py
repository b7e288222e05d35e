"""A run that was trained on questions around its rows: their file, and what run.json says of them."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from toolkit.train.questions.question import Question, write_file

QUESTIONS = (
    Question(prompt="Who made you?", scope="in", answer="I was made by Nova.", kind="paraphrase", before="By Qwen."),
    Question(prompt="你叫什么名字？", scope="in", answer="我叫 Nova。", kind="translation"),
    Question(prompt="Who made GPT?", scope="near", kind="neighbour"),
)


def write_questions(folder: Path, questions: tuple[Question, ...] = QUESTIONS, **changes: Any) -> dict[str, Any]:
    """Writes the run's questions.jsonl; returns the `questions` of its run.json."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "questions.jsonl"
    write_file(file, questions)
    scopes = Counter(one.scope for one in questions)
    return {
        "source": "model", "path": None, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "from_rows": 16,
        "in": scopes["in"], "near": scopes["near"], "kinds": dict(Counter(one.kind for one in questions)),
        "seconds": 1.5,
    } | changes  # fmt: skip
