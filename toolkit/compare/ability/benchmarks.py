"""Public benchmarks in the formats that they are published in: `gsm8k=FILE`, `mmlu=FOLDER`, `cmmlu=FILE#2000`.

Their data is not part of this project. gsm8k: JSON lines with `question` and `answer`, the solution behind ####. mmlu:
CSV without a header (question, four choices, letter). cmmlu and ceval: CSV with a header that has Question, A, B, C, D
and Answer. A folder stands for all of its CSV files, each a subject. mmlu, cmmlu and ceval may also be JSON lines with
`question`, `choices`, `answer` (a letter or a position) and `subject`.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from toolkit.compare.ability.checks import is_number, last_number
from toolkit.compare.ability.items import LETTERS, Choice, Item, Language, Written, choice_prompt
from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.spelling import did_you_mean
from toolkit.core.text import short

MAX_BYTES = 256_000_000
GSM8K_TOKENS = 320
GSM8K_PROMPT = "{}\n\nThink step by step. Answer with the number at the end."
COLUMNS = ("question", "a", "b", "c", "d", "answer")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark's name and its file or folder; `count`: how many questions, None for all."""

    name: str
    path: Path
    count: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Benchmark":
        """From `NAME=PATH` or `NAME=PATH#COUNT`. Raises ConfigError."""
        name, _, rest = text.partition("=")
        if name not in READERS or not rest:
            raise ConfigError(
                f"{short(text)!r} is not NAME=FILE with a known name.{did_you_mean(name, list(READERS))}",
                next=f"The benchmarks are {', '.join(READERS)}.",
            )
        path, mark, count = rest.rpartition("#")
        if mark and count.isdecimal() and not Path(rest).exists():
            return cls(name=name, path=Path(path), count=int(count))
        return cls(name=name, path=Path(rest))

    def items(self) -> list[Item]:
        """Its first `count` questions, or so many spread evenly over its subjects if it has some. Raises DataError."""
        found = list(READERS[self.name](self))
        if not found:
            raise DataError(f"{self.path} has no questions.", next="Name the test file of the benchmark.")
        if self.count is None or len({subject for subject, _ in found}) == 1:
            return [item for _, item in found[: self.count]]
        return [item for _, item in spread(found, self.count)]


Subject = tuple[str, Item]


def spread(questions: Sequence[Subject], count: int) -> list[Subject]:
    """`count` of them, as many of each subject as of every other, give or take one; always the same ones."""
    shuffled = Random(0).sample(list(questions), len(questions))  # noqa: S311  # a sample, not a secret
    seen: Counter[str] = Counter()
    turns = []
    for question in shuffled:
        turns.append((seen[question[0]], question[0], question))
        seen[question[0]] += 1
    return [question for *_, question in sorted(turns, key=lambda turn: turn[:2])[:count]]


def _gsm8k(benchmark: Benchmark) -> Iterator[Subject]:
    for at, row in enumerate(_rows(benchmark.path)):
        solution = last_number(str(row.get("answer", "")).rpartition("####")[2])
        if solution is None or not isinstance(row.get("question"), str):
            raise _wrong(benchmark.path, at, "question and answer, which ends with #### and a number")
        yield "", Written(
            id=f"gsm8k-{at + 1}", group="gsm8k", language=None, prompt=GSM8K_PROMPT.format(row["question"]),
            check=partial(is_number, number=solution), max_new_tokens=GSM8K_TOKENS,
        )  # fmt: skip


def _choices(language: Language, *, header: bool) -> Callable[[Benchmark], Iterator[Subject]]:
    def read(benchmark: Benchmark) -> Iterator[Subject]:
        for number, (path, at, subject, row) in enumerate(_choice_rows(benchmark.path, header=header)):
            question, *options, answer = row
            letter = LETTERS[int(answer)] if answer in {"0", "1", "2", "3"} else answer.strip().upper()
            if len(letter) != 1 or letter not in LETTERS or not question.strip():
                raise _wrong(path, at, "a question, four choices and the right letter")
            yield subject, Choice(
                id=f"{benchmark.name}-{number + 1}", group=benchmark.name, language=None, answer=letter,
                prompt=choice_prompt(question, options, language), calibrated=False,
            )  # fmt: skip

    return read


READERS: Mapping[str, Callable[[Benchmark], Iterator[Subject]]] = {
    "gsm8k": _gsm8k,
    "mmlu": _choices("en", header=False),
    "cmmlu": _choices("zh", header=True),
    "ceval": _choices("zh", header=True),
}


def _choice_rows(path: Path, *, header: bool) -> Iterator[tuple[Path, int, str, list[str]]]:
    """The file, the row's position, its subject, and the question, four choices and the answer."""
    for file in sorted(path.glob("*.csv")) if path.is_dir() else [path]:
        if file.suffix == ".csv":
            yield from ((file, at, file.stem, row) for at, row in enumerate(_csv_rows(file, header=header)))
        else:
            for at, row in enumerate(_rows(file)):
                options = row.get("choices")
                if not isinstance(options, list) or len(options) != len(LETTERS) or "answer" not in row:
                    raise _wrong(file, at, "question, four choices and answer")
                values = [row.get("question", ""), *options, row["answer"]]
                yield file, at, str(row.get("subject", "")), [str(one) for one in values]


def _csv_rows(path: Path, *, header: bool) -> Iterator[list[str]]:
    try:
        rows = list(csv.reader(io.StringIO(_text(path), newline=""), strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is not CSV: {error}.", next="Name the file as it is published.") from None
    columns: list[int] = list(range(len(COLUMNS)))
    if header and rows:
        names = [name.strip().casefold() for name in rows.pop(0)]
        if missing := [name for name in COLUMNS if name not in names]:
            raise DataError(f"{path} has no column {missing[0]}.", next="Name the file as it is published.")
        columns = [names.index(name) for name in COLUMNS]
    for at, row in enumerate(rows):
        if len(row) <= max(columns):
            raise _wrong(path, at, "six columns")
        yield [row[column] for column in columns]


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    for at, line in enumerate(_text(path).split("\n")):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except (ValueError, json.JSONDecodeError):
            raise _wrong(path, at, "a JSON object a line") from None
        if not isinstance(row, dict):
            raise _wrong(path, at, "a JSON object a line")
        yield row


def _text(path: Path) -> str:
    try:
        return read_text(path, max_bytes=MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {reason}.", next="Name the benchmark's file.") from None


def _wrong(path: Path, at: int, what: str) -> DataError:
    return DataError(f"{path}, row {at + 1}: expected {what}.", next="Name the file as it is published.")
