"""The data doctor: finds what is wrong or suspicious in a data set before training on it, and writes what is not."""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.files import write_text
from toolkit.core.text import language
from toolkit.data.dataset import Dataset, Row, read_dataset
from toolkit.data.encoding import IGNORED, Encoded, Encoder
from toolkit.data.formats import Message
from toolkit.data.probes import read_probes
from toolkit.data.row_checks import Finding, check_rows

FEW_STEPS = 20  # fewer barely change an adapter
ROWS_PER_CHUNK = 256


class Training(Protocol):
    """What the doctor needs from a recipe, such as `toolkit.train.recipe.Recipe`."""

    @property
    def system(self) -> str: ...
    @property
    def max_length_tokens(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def epochs_label(self) -> str: ...

    def steps(self, rows: int) -> int:
        """Optimizer steps of a training on that many rows."""
        ...


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """`open_encoder` is called once the file is read; if it raises ModelError, tokens are not checked.

    `columns`: see `read_dataset`. `write`: a new file for the rows without errors.
    """

    data: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    write: Path | None = None
    training: Training
    probes: Path | None = None
    open_encoder: Callable[[], Encoder] | None = None
    preview_rows: int = 2


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Tokens per row, including the chat template."""

    shortest: int
    median: int
    longest: int
    total: int


@dataclass(frozen=True, kw_only=True)
class MaskSpan:
    """A stretch of a row's text in which all tokens are trained on, or none."""

    text: str
    trained: bool


@dataclass(frozen=True, kw_only=True)
class Preview:
    row: int
    pieces: tuple[MaskSpan, ...]


@dataclass(frozen=True, kw_only=True)
class Findings:
    path: Path
    format: str
    container: str
    unit: str  # what a row's number counts: row | line
    sha256: str
    rows: int
    bad_rows: int
    too_long_rows: int
    languages: dict[str, int]  # prompts by language
    steps: int
    lengths: Lengths | None  # None: no tokenizer was available
    findings: tuple[Finding, ...]  # errors, then warnings, then notes
    previews: tuple[Preview, ...]

    def count(self, level: str) -> int:
        return sum(finding.level == level for finding in self.findings)

    @property
    def sound(self) -> bool:
        return not self.count("error")

    def to_dict(self) -> dict[str, Any]:
        return {"schema_version": 1, "sound": self.sound, **asdict(self), "path": str(self.path)}


@dataclass(frozen=True, kw_only=True)
class _Tokens:
    lengths: Lengths | None = None
    too_long: int = 0
    findings: tuple[Finding, ...] = ()
    previews: tuple[Preview, ...]


def check(config: CheckConfig, listener: Listener = silent) -> Findings:
    """Raises DataError if the file cannot be read at all; everything else is a finding.

    Raises ConfigError if the file to write exists or cannot be written.
    """
    if config.write is not None and config.write.exists():
        raise ConfigError(f"{config.write} exists.", next="Name another file with --write.")
    dataset = read_dataset(config.data, config.columns)
    probes = read_probes(config.probes).probes if config.probes else ()
    tokens = _check_tokens(config, dataset, listener)
    usable = len(dataset.rows) - tokens.too_long
    steps = config.training.steps(usable) if usable else 0
    findings = [
        *check_rows(dataset, probes, config.training.system),
        *tokens.findings,
        *_check_steps(steps, usable, config.training),
    ]
    if config.write is not None:
        findings.append(_write_rows(dataset, findings, config.write))
    return Findings(
        path=dataset.path,
        format=dataset.format,
        container=dataset.container,
        unit=dataset.unit,
        sha256=dataset.sha256,
        rows=len(dataset.rows),
        bad_rows=len(dataset.bad),
        too_long_rows=tokens.too_long,
        languages=dict(Counter(language(row.prompt) for row in dataset.rows)),
        steps=steps,
        lengths=tokens.lengths,
        findings=tuple(sorted(findings, key=_by_level)),
        previews=tokens.previews,
    )


def _write_rows(dataset: Dataset, findings: Sequence[Finding], path: Path) -> Finding:
    """Writes the rows without an error as messages, a row a line."""
    faulty = {finding.row for finding in findings if finding.level == "error"}
    rows = [row for row in dataset.rows if row.number not in faulty]
    lines = [json.dumps({"messages": [message.to_dict() for message in row.messages]}, ensure_ascii=False)
             for row in rows]  # fmt: skip
    try:
        write_text(path, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}.", next="Name another file with --write."
        ) from None
    left_out = len(dataset.rows) + len(dataset.bad) - len(rows)
    return Finding(
        level="note",
        kind="written",
        message=f"{len(rows)} rows were written to {path}; {left_out} with errors were left out.",
        remedy="Train on that file",
    )


def _by_level(finding: Finding) -> int:
    return ("error", "warning", "note").index(finding.level)


def _check_tokens(config: CheckConfig, dataset: Dataset, listener: Listener) -> _Tokens:
    by_role = tuple(_by_role(row, config.training.system) for row in dataset.rows[: config.preview_rows])
    if not dataset.rows:
        return _Tokens(previews=by_role)
    why = "no base model was named"
    try:
        encoder = config.open_encoder() if config.open_encoder else None
    except ModelError as error:
        encoder, why = None, error.what.rstrip(".")
    if encoder is None:
        return _Tokens(findings=(_unchecked(why),), previews=by_role)
    encoded_rows = _encode(encoder, dataset.rows, config.training.system, listener)
    return _measure(config, encoder, dataset, encoded_rows)


def _unchecked(why: str) -> Finding:
    return Finding(
        level="note",
        kind="tokens",
        message=f"Token lengths and the label mask are not checked: {why}.",
        remedy="Name a base model on this disk with --model",
    )


def _encode(encoder: Encoder, rows: Sequence[Row], system: str, listener: Listener) -> Iterator[tuple[Row, Encoded]]:
    for start in range(0, len(rows), ROWS_PER_CHUNK):
        chunk = rows[start : start + ROWS_PER_CHUNK]
        yield from zip(chunk, encoder.encode(chunk, system), strict=True)
        listener(Progress(task="tokens", done=start + len(chunk), total=len(rows)))


def _measure(
    config: CheckConfig, encoder: Encoder, dataset: Dataset, encoded_rows: Iterator[tuple[Row, Encoded]]
) -> _Tokens:
    limit = config.training.max_length_tokens
    counts: list[int] = []
    previews: list[Preview] = []
    findings: list[Finding] = []
    for row, encoded in encoded_rows:
        counts.append(len(encoded.input_ids))
        if len(previews) < config.preview_rows:
            previews.append(Preview(row=row.number, pieces=tuple(_pieces(encoder, encoded))))
        if counts[-1] > limit:
            findings.append(_too_long(row, counts[-1], limit))
        elif all(label == IGNORED for label in encoded.labels):
            findings.append(_nothing_trained(row))
    too_long = sum(count > limit for count in counts)
    if too_long == len(dataset.rows):
        findings = [replace(finding, level="error") for finding in findings]
    lengths = Lengths(
        shortest=min(counts), median=round(statistics.median(counts)), longest=max(counts), total=sum(counts)
    )
    return _Tokens(lengths=lengths, too_long=too_long, findings=tuple(findings), previews=tuple(previews))


def _too_long(row: Row, count: int, limit: int) -> Finding:
    return Finding(
        level="warning",
        kind="length",
        row=row.number,
        message=f"{count} tokens, over the recipe's {limit}: training skips it",
        remedy="shorten it, split it, or raise --max-length",
    )


def _nothing_trained(row: Row) -> Finding:
    return Finding(
        level="error",
        kind="mask",
        row=row.number,
        message="none of its tokens is trained on",
        remedy="see the preview, and write an answer that the chat template keeps",
    )


def _pieces(encoder: Encoder, encoded: Encoded) -> Iterator[MaskSpan]:
    tokens = zip(encoded.input_ids, encoded.labels, strict=True)
    for trained, run in groupby(tokens, key=lambda token: token[1] != IGNORED):
        yield MaskSpan(text=encoder.decode([token for token, _ in run]), trained=trained)


def _by_role(row: Row, system: str) -> Preview:
    """The mask by roles, for when no tokenizer can show it by tokens."""
    first = () if row.system is not None else (Message(role="system", content=system),)
    pieces = [
        piece
        for each in (*first, *row.messages)
        for piece in (
            MaskSpan(text=f"{each.role}: ", trained=False),
            MaskSpan(text=each.content, trained=each.role == "assistant" and each.trained),
            MaskSpan(text="\n", trained=False),
        )
    ]
    return Preview(row=row.number, pieces=tuple(pieces))


def _check_steps(steps: int, rows: int, training: Training) -> Iterator[Finding]:
    if rows == 0:
        yield Finding(level="error", kind="rows", message="No rows are left to train on.", remedy="Fix the rows below")
    elif steps < FEW_STEPS:
        yield Finding(
            level="warning",
            kind="steps",
            message=f"{rows} rows make only {steps} optimizer steps (batch {training.batch_size}, "
            f"{training.epochs_label}); an adapter barely learns in fewer than {FEW_STEPS}.",
            remedy="Add rows, raise --epochs, or lower --batch-size",
        )
