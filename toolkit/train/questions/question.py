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
NEXT = 'Each line is {"prompt": "…", "answer": "…", "scope": "in"} or {"prompt": "…", "scope": "near"}.'
MOST_QUESTIONS = 10_000


@dataclass(frozen=True, kw_only=True)
class Question:
    """`scope`: "in" for a question that the rows change, whose `answer` is trained; "near" for one that they do not
    change although it is like theirs, which is kept at the base model's own answer.

    `kind`: how it came about (paraphrase, reworded, translation, task, statement, reversal, bridge, around, shaped,
    across, completion, claim, several, about, names, alike, within, assistant, owned; near the rows: neighbour, alike,
    about, aside; own for a user's).
    `before`: the base model's answer without the rows, where it was asked. `complete`: whether the
    answer ended by itself.
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
    found = []
    for number, line in read_lines(path):
        try:
            found.append(parse_question(line))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}.", next=NEXT) from None
    return found


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1. Raises DataError."""
    try:
        lines = read_text(path).split("\n")
    except OSError as error:
        raise DataError(f"No questions {path}: {error.strerror}.", next="Name a file with --questions.") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise DataError(f"The questions {path} cannot be read: {error}.", next="Save them as UTF-8.") from None
    found = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(found) > MOST_QUESTIONS:
        raise DataError(
            f"{path} has {len(found)} lines; at most {MOST_QUESTIONS} questions are read.",
            next="Train on them as rows: they are more than a small change needs.",
        )
    return found


def parse_question(line: str) -> Question:
    """Raises ValueError, which says what is wrong with the line in a phrase without a full stop."""
    try:
        value: Any = parse_json(line, unique_keys=True)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("it is not an object")  # noqa: TRY004  # a fault of the line, as the others
    known = {name: type(default) for name, default in asdict(Question(prompt="", scope="in")).items()}
    for name, one in value.items():
        if name not in known:
            raise ValueError(f"the key {short(name, 40)!r} is not known")
        if not isinstance(one, known[name]):
            raise ValueError(f"{name} is not a {known[name].__name__}")  # noqa: TRY004
    if not value.get("prompt", "").strip():
        raise ValueError("it has no prompt")
    if value.get("scope") not in get_args(Scope):
        raise ValueError('scope is neither "in" nor "near"')
    if value["scope"] == "in" and not value.get("answer", "").strip():
        raise ValueError("a question in scope has no answer")
    return Question(**value)
