"""Finds what is wrong or suspicious in a file of questions before it is trained on. Read-only."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.core.documents import parse_json
from toolkit.core.errors import ModelError
from toolkit.core.files import file_sha256
from toolkit.core.text import short
from toolkit.data.dataset import Row, prompt_key
from toolkit.data.encoding import Encoder
from toolkit.data.formats import Message
from toolkit.data.probes import Probe
from toolkit.data.row_checks import Finding
from toolkit.train.questions.question import NEXT, Question, parse_question, read_lines
from toolkit.train.questions.scope import same_language
from toolkit.train.recipe import Recipe

HEAD_BYTES = 64_000
Numbered = tuple[int, Question]  # the line, from 1


@dataclass(frozen=True, kw_only=True)
class QuestionFindings:
    """`in_scope` and `near`: numbers of questions; `kinds`: how many of each. `findings`: errors first."""

    path: Path
    sha256: str
    in_scope: int
    near: int
    kinds: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        return not any(one.level == "error" for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        content = {"schema_version": 1, "sound": self.sound, **asdict(self), "path": str(self.path)}
        return {"in" if name == "in_scope" else name: value for name, value in content.items()}


def is_questions_file(path: Path) -> bool:
    """Whether one of its first lines is an object with a prompt and a scope."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return any(map(_is_question, head.splitlines()))


def _is_question(line: bytes) -> bool:
    try:
        value = parse_json(line)
    except ValueError:
        return False
    return isinstance(value, dict) and {"prompt", "scope"} <= value.keys()


def find_faults(
    path: Path, recipe: Recipe, *, probes: Sequence[Probe] = (), open_encoder: Callable[[], Encoder] | None = None
) -> QuestionFindings:
    """Raises DataError if the file cannot be read at all; everything else is a finding.

    `open_encoder`: if it raises ModelError, tokens are not counted.
    """
    questions: list[Numbered] = []
    found: list[Finding] = []
    for number, line in read_lines(path):
        try:
            questions.append((number, parse_question(line)))
        except ValueError as error:
            found.append(
                Finding(level="error", kind="question", row=number, message=str(error), remedy=NEXT.rstrip("."))
            )
    found += [*_doubles(questions), *_probes(questions, probes), *_answers(questions)]
    found += _lengths(questions, recipe, open_encoder)
    if not questions:
        found.append(Finding(level="error", kind="empty", message="No question is left to train on.", remedy=NEXT[:-1]))
    scopes = Counter(one.scope for _, one in questions)
    return QuestionFindings(
        path=path,
        sha256=file_sha256(path),
        in_scope=scopes["in"],
        near=scopes["near"],
        kinds=dict(Counter(one.kind for _, one in questions)),
        findings=tuple(sorted(found, key=lambda one: ("error", "warning", "note").index(one.level))),
    )


def _doubles(questions: Sequence[Numbered]) -> Iterator[Finding]:
    first: dict[str, Numbered] = {}
    for number, one in questions:
        other_number, other = first.setdefault(prompt_key(one.prompt), (number, one))
        if number == other_number:
            continue
        if one.scope != other.scope:
            yield Finding(
                level="error", kind="conflict", row=number,
                message=f"scope {one.scope!r}, but line {other_number} has the same question with {other.scope!r}: "
                "it cannot be trained and kept",
                remedy="delete one of the two",
            )  # fmt: skip
        elif one.answer.strip() == other.answer.strip() or one.scope == "near":
            yield Finding(
                level="warning", kind="duplicate", row=number, message=f"duplicate of line {other_number}",
                remedy="delete one; it counts twice in training",
            )  # fmt: skip
        else:
            yield Finding(
                level="warning", kind="conflict", row=number,
                message=f"same question as line {other_number}, another answer",
                remedy="keep the answer you want; the model cannot learn both",
            )  # fmt: skip


def _probes(questions: Sequence[Numbered], probes: Sequence[Probe]) -> Iterator[Finding]:
    named = {prompt_key(probe.prompt): probe for probe in probes}
    for number, one in questions:
        if (probe := named.get(prompt_key(one.prompt))) is not None:
            yield Finding(
                level="warning", kind="probe", row=number,
                message=f"it is the {probe.group} probe {probe.id}: training leaves it out, since a probe that is "
                "trained on proves nothing",
                remedy="delete it, or reword it or the probe",
            )  # fmt: skip


def _answers(questions: Sequence[Numbered]) -> Iterator[Finding]:
    for number, one in questions:
        if one.scope == "near" and one.answer:
            yield Finding(
                level="warning", kind="answer", row=number,
                message="its answer is not used: a question near the rows is kept at the base model's own",
                remedy='write "scope": "in" if the answer is to be trained',
            )  # fmt: skip
        elif one.scope == "in" and one.kind != "across" and not same_language(one.prompt, one.answer):
            yield Finding(
                level="warning", kind="language", row=number,
                message=f"its answer is in another language than the question: {short(one.answer, 40)!r}",
                remedy="translate one of the two, or ignore this if it is intended",
            )  # fmt: skip
    cut = sum(one.scope == "in" and not one.complete for _, one in questions)
    if cut:
        yield Finding(
            level="note", kind="complete",
            message=f"Answers that were cut off at their longest, and are trained without an end: {cut}.",
            remedy='Where you complete one, write "complete": true',
        )  # fmt: skip


def _lengths(
    questions: Sequence[Numbered], recipe: Recipe, open_encoder: Callable[[], Encoder] | None
) -> Iterator[Finding]:
    if open_encoder is None or not questions:
        return
    try:
        encoder = open_encoder()
    except ModelError as error:
        yield Finding(
            level="note", kind="tokens", message=f"Token lengths are not checked: {error.what.rstrip('.')}.",
            remedy="Name a base model on this disk with --model",
        )  # fmt: skip
        return
    for (number, _), encoded in zip(
        questions, encoder.encode([_row(one) for one in questions], recipe.system), strict=True
    ):
        if len(encoded.input_ids) > recipe.max_length_tokens:
            yield Finding(
                level="warning", kind="length", row=number,
                message=f"{len(encoded.input_ids)} tokens, over the recipe's {recipe.max_length_tokens}: "
                "training leaves it out",
                remedy="shorten it, or raise --max-length",
            )  # fmt: skip


def _row(numbered: Numbered) -> Row:
    number, one = numbered
    turns = (Message(role="user", content=one.prompt), Message(role="assistant", content=one.answer))
    return Row(number=number, messages=turns)
