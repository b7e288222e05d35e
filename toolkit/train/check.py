"""The data doctor: finds what is wrong or suspicious in a data set before training on it, and writes what is not."""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.files import write_lines
from toolkit.core.languages import language
from toolkit.data.containers.forked import Forked, can_fork
from toolkit.data.containers.stored_rows import chosen, settled, stored
from toolkit.data.dataset import Dataset, Row
from toolkit.data.encoding import ROWS_AT_ONCE, TOKENS, Encoder
from toolkit.data.messages import uses_tools
from toolkit.data.probes import read_probes
from toolkit.data.row_checks import Finding, check_rows
from toolkit.data.soundness import Reading
from toolkit.data.texts.private_data import masked
from toolkit.train.ms_swift.encoder import encoded_parts
from toolkit.train.planning.findings import (
    LENGTH,
    check_languages,
    check_steps,
    nothing_trained,
    propose_recipe,
    too_long,
)
from toolkit.train.recipe import Recipe
from toolkit.train.rows import SPLIT_REMEDY, UNSPLIT, epoch_tokens, held_out
from toolkit.train.sources import is_large, read_source
from toolkit.train.texts.thoughts import rows_of_thinkers
from toolkit.train.variants import Preview, previews, variant_overhead_tokens, without_variants

LEAST_SPLIT = 2  # rows


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """`data`: a file, or a hub data set, as `toolkit.train.sources.read_source` takes it.

    `open_encoder` is called once the file is read; if it raises ModelError, tokens are not checked.
    `reading`: as for training. `write`: a file for the sound rows.
    """

    data: str
    reading: Reading = Reading()  # noqa: RUF009  # it is frozen
    write: Path | None = None
    recipe: Recipe
    probes: Path | None = None
    open_encoder: Callable[[], Encoder] | None = None
    preview_rows: int = 2


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Tokens per row, including the chat template.

    `limit`: the most that a row may have; `overhead`: the most that other system prompts and wordings add to it, which
    the recipe's maximum leaves room for. `epoch`: of all that an epoch trains.
    """

    shortest: int
    median: int
    longest: int
    total: int
    limit: int
    overhead: int
    epoch: int


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
    faulty_rows: int  # bad ones, and others with an error
    trained_rows: int  # neither faulty nor too long, nor held out
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
    """`too_long`: numbers of rows; `counts`: tokens of each row that can be encoded, with the recipe's system."""

    counts: Mapping[int, int] = field(default_factory=dict)  # by the row's number
    overhead: Sequence[int] = (0,)  # of each of a row's variants
    too_long: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = ()


def check(config: CheckConfig, listener: Listener = silent) -> Findings:
    """Raises DataError if the file cannot be read at all; everything else is a finding.
    Raises ConfigError if the file to write exists or cannot be written.
    """
    if config.write is not None and config.write.exists():
        raise ConfigError(f"{config.write} exists.", next="Name another file with --write.")
    recipe = config.recipe
    dataset, of_rows, encoder, why = _read(config, listener)
    tokens = _Tokens() if encoder is None else _measure(encoder, dataset, recipe, listener)
    if encoder is not None and not encoder.takes_tools and any(map(uses_tools, dataset.rows)):
        _, of_rows = _checked(config, silent, dataset, takes_tools=False)
    findings = [*of_rows, *tokens.findings]
    if why:
        findings.append(_unchecked(why))
    faulty = {finding.row for finding in findings if finding.level == "error" and finding.row is not None}
    left_out = faulty | tokens.too_long
    usable = chosen(dataset.rows, [at for at, row in enumerate(dataset.rows) if row.number not in left_out])
    thinks = encoder is not None and encoder.thinks
    trained = _trained(rows_of_thinkers(usable, recipe.thinking) if thinks else usable, recipe)
    languages = {row.number: language(row.prompt, row.answer) for row in dataset.rows}
    numbers = [row.number for row in trained]
    foreign = sum(languages[number] == "other" for number in numbers)
    findings += [*check_steps(len(trained), recipe), *check_languages(foreign, len(trained), recipe)]
    if recipe.eval_split and len(trained) == 1 == len(usable):
        findings.append(Finding(level="error", kind="split", message=UNSPLIT, remedy=SPLIT_REMEDY))
    findings += propose_recipe(len(trained), recipe)
    shown = trained or [row for row in dataset.rows if encoder is None or row.number in tokens.counts]
    if config.write is not None and len(faulty) < len(dataset.rows) + len(dataset.bad):
        findings.append(_write_rows(dataset, faulty, config.write))
    return Findings(
        path=dataset.path,
        format=dataset.format,
        container=dataset.container,
        unit=dataset.unit,
        sha256=dataset.sha256,
        rows=len(dataset.rows),
        bad_rows=len(dataset.bad),
        too_long_rows=len(tokens.too_long),
        faulty_rows=len(faulty),
        trained_rows=len({*numbers}),
        languages=dict(Counter(languages.values())),
        steps=recipe.steps(len(trained)) if trained else 0,
        lengths=_lengths(numbers, tokens, recipe) if tokens.counts else None,
        findings=tuple(sorted(findings, key=_by_level)),
        previews=tuple(map(_masked, previews(encoder, shown, recipe, config.preview_rows))),
    )


def _read(config: CheckConfig, listener: Listener) -> tuple[Dataset, Sequence[Finding], Encoder | None, str]:
    """The data set with what is found in its rows, and the encoder, or why there is none.

    A large file is read in another process, while this one imports the libraries.
    """
    if config.open_encoder is not None and is_large(config.data) and can_fork():

        def work(say: Listener) -> tuple[Dataset, Sequence[Finding]]:
            dataset, found = _checked(config, say)
            return replace(dataset, rows=stored(dataset.rows)), found

        with Forked(work, listener) as forked:
            encoder, why = _open(config)
            dataset, found = forked.result()
        dataset = replace(dataset, rows=settled(dataset.rows))
        return dataset, found, *((encoder, why) if dataset.rows else (None, ""))
    dataset, found = _checked(config, listener)
    if dataset.rows and config.open_encoder is not None:
        listener(Progress(task=TOKENS, done=0, total=len(dataset.rows)))
    return dataset, found, *(_open(config) if dataset.rows else (None, ""))


def _checked(
    config: CheckConfig, listener: Listener, read: Dataset | None = None, *, takes_tools: bool = True
) -> tuple[Dataset, Sequence[Finding]]:
    recipe, reading = config.recipe, config.reading
    dataset = read or read_source(config.data, reading.columns, recipe.seed, listener)
    probes = read_probes(config.probes).probes if config.probes else ()
    of_rows = check_rows(dataset, probes, recipe.system, reading.allow, listener, takes_tools=takes_tools)
    return dataset, list(of_rows)


def _trained(usable: Sequence[Row], recipe: Recipe) -> Sequence[Row]:
    """The usable rows that are not held out."""
    if len(usable) < LEAST_SPLIT:
        return usable
    apart = held_out(len(usable), recipe.eval_split, recipe.seed)
    return chosen(usable, [at for at in range(len(usable)) if at not in apart])


def _write_rows(dataset: Dataset, faulty: Collection[int], path: Path) -> Finding:
    """Writes the rows without an error as messages, a row a line."""
    at = [number for number, row in enumerate(dataset.rows) if row.number not in faulty]
    rows = chosen(dataset.rows, at)
    try:
        write_lines(path, (json.dumps(row.to_dict(), ensure_ascii=False) + "\n" for row in rows))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}.", next="Name another file with --write."
        ) from None
    left_out = len(dataset.rows) + len(dataset.bad) - len(rows)
    were = "row was" if len(rows) == 1 else "rows were"
    return Finding(
        level="note",
        kind="written",
        message=f"{len(rows)} {were} written to {path}; left out with errors: {left_out}.",
        remedy="Train on that file",
    )


def _masked(preview: Preview) -> Preview:
    """Without the secret parts of credentials: it goes to terminals, pages and agents."""
    return replace(
        preview,
        pieces=tuple(replace(one, text=masked(one.text)) for one in preview.pieces),
        variants=tuple(replace(one, question=masked(one.question)) for one in preview.variants),
    )


def _by_level(finding: Finding) -> int:
    return ("error", "warning", "note").index(finding.level)


def _open(config: CheckConfig) -> tuple[Encoder | None, str]:
    """The encoder, or why there is none."""
    if config.open_encoder is None:
        return None, "no base model was named"
    try:
        return config.open_encoder(), ""
    except ModelError as error:
        return None, error.what.rstrip(".")


def _unchecked(why: str) -> Finding:
    return Finding(
        level="note",
        kind="tokens",
        message=f"Token lengths and the label mask are not checked: {why}.",
        remedy="Name a base model on this disk with --model",
    )


def _measure(encoder: Encoder, dataset: Dataset, recipe: Recipe, listener: Listener) -> _Tokens:
    """As `toolkit.train.rows.rows_that_fit` does before a training."""
    overhead = variant_overhead_tokens(encoder, recipe)
    limit = recipe.max_length_tokens - max(overhead)
    counts: dict[int, int] = {}
    rows = dataset.rows
    if not encoder.takes_tools:
        rows = chosen(rows, [at for at, row in enumerate(rows) if not uses_tools(row)])
    findings = []
    parts = encoded_parts(encoder, rows, listener, partial(without_variants, recipe=recipe))
    measured = ((length, trained) for part in parts for length, trained in zip(part.lengths, part.trained, strict=True))
    for row, (length, trained) in zip(rows, measured, strict=True):
        counts[row.number] = length
        if length > limit:
            findings.append(too_long(row, length, limit))
        elif not trained:
            findings.append(nothing_trained(row))
    if len(dataset.rows) <= ROWS_AT_ONCE:
        listener(Progress(task=TOKENS, done=len(dataset.rows), total=len(dataset.rows)))
    skipped = frozenset(finding.row for finding in findings if finding.kind == LENGTH and finding.row is not None)
    if len(skipped) == len(dataset.rows):
        findings = [replace(finding, level="error") for finding in findings]
    return _Tokens(counts=counts, overhead=overhead, too_long=skipped, findings=tuple(findings))


def _lengths(trained: Sequence[int], tokens: _Tokens, recipe: Recipe) -> Lengths:
    counts = tokens.counts.values()
    return Lengths(
        shortest=min(counts),
        median=round(statistics.median(counts)),
        longest=max(counts),
        total=sum(counts),
        limit=recipe.max_length_tokens - max(tokens.overhead),
        overhead=max(tokens.overhead),
        epoch=epoch_tokens([tokens.counts[number] for number in trained], tokens.overhead, recipe),
    )
