"""A question that the base model wrote around the rows, and the file of all of them. Pure, apart from the file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import DataError
from toolkit.core.files import write_text
from toolkit.core.text import short

Scope = Literal["in", "near"]
Pair = tuple[str, str]  # a question and its answer
NEXT = 'Each line is {"prompt": "…", "answer": "…", "scope": "in"} or {"prompt": "…", "scope": "near"}.'
MOST_QUESTIONS = 10_000


@dataclass(frozen=True, kw_only=True)
class Question:
    """`scope`: "in" for a question that the rows change, whose `answer` is trained; "near" for one that they do not
    change although it is like theirs, which is kept at the base model's own answer.

    `kind`: how it came about (paraphrase, translation, task, assistant, name, neighbour; own for a user's). `before`:
    the base model's answer without the rows. `complete`: whether the answer ended by itself.
    """

    prompt: str
    scope: Scope
    answer: str = ""
    kind: str = "own"
    before: str = ""
    complete: bool = True


def write_file(path: Path, questions: Sequence[Question]) -> None:
    """One JSON object a line."""
    write_text(path, "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in questions))


def read_file(path: Path) -> list[Question]:
    """As `write_file` wrote them, or a user edited them. Raises DataError that names the line."""
    try:
        lines = read_text(path).split("\n")
    except OSError as error:
        raise DataError(f"No questions {path}: {error.strerror}.", next="Name a file with --questions.") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise DataError(f"The questions {path} cannot be read: {error}.", next="Save them as UTF-8.") from None
    if len(lines) > MOST_QUESTIONS:
        raise DataError(
            f"{path} has {len(lines)} lines; at most {MOST_QUESTIONS} questions are read.",
            next="Train on them as rows: they are more than a small change needs.",
        )
    return [_question(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _question(line: str, where: str) -> Question:
    try:
        value: Any = parse_json(line)
    except ValueError as error:
        raise DataError(f"{where}, is not JSON: {error}.", next=NEXT) from None
    if not isinstance(value, dict):
        raise DataError(f"{where}, is not an object.", next=NEXT)
    known = {name: type(default) for name, default in asdict(Question(prompt="", scope="in")).items()}
    for name, one in value.items():
        if name not in known:
            raise DataError(f"{where}: the key {short(name, 40)!r} is not known.", next=NEXT)
        if not isinstance(one, known[name]):
            raise DataError(f"{where}: {name} is not a {known[name].__name__}.", next=NEXT)
    if not value.get("prompt", "").strip():
        raise DataError(f"{where}, has no prompt.", next=NEXT)
    if value.get("scope") not in get_args(Scope):
        raise DataError(f'{where}: scope is neither "in" nor "near".', next=NEXT)
    if value["scope"] == "in" and not value.get("answer", "").strip():
        raise DataError(f"{where}: a question in scope has no answer.", next=NEXT)
    return Question(**value)
