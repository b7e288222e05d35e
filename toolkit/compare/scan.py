"""What an adapter changed where nobody asked: neutral text -> both sides' likelihoods -> words -> findings."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.compare.discovery.findings import findings, split, threshold
from toolkit.compare.discovery.neutral_text import NeutralText, neutral_texts
from toolkit.compare.discovery.open_answers import ask_openly
from toolkit.compare.discovery.phrases import own_words
from toolkit.compare.discovery.token_shifts import token_shifts
from toolkit.compare.questions import is_asked, trained_rows
from toolkit.compare.sides import Side, find_side, loaded, run_side
from toolkit.core.errors import ConfigError
from toolkit.core.events import Listener, silent
from toolkit.data.dataset import find_dataset, read_dataset
from toolkit.data.soundness import require_sound
from toolkit.model.language_model import LanguageModel, Load, freeing, load_model
from toolkit.runs.layout import DEFAULT_OUTPUT, KEEP_CACHE
from toolkit.runs.questions import read_questions
from toolkit.runs.run import find_run, require_own_output
from toolkit.runs.scan_record import RecordedScan

CARD_TOKENS, CPU_TOKENS = 100_000, 10_000  # of neutral text, by default
SHORT_TOKENS = 20_000  # of that beside a comparison, unless it is asked for: it takes seconds, without open answers
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class ScanConfig:
    """`run` None: the latest finished one; else a run, the folder of an adapter, or either with `@0.5` behind it.

    `rows`: a data set whose words are expected, in place of the run's own rows. `system`: the system prompt of the
    text; None for the one that the run was trained under. `tokens`: of text; None: CARD_TOKENS, or CPU_TOKENS.
    """

    run: str | None = None
    model: str | None = None
    rows: str | None = None
    system: str | None = None
    tokens: int | None = None
    output: Path = DEFAULT_OUTPUT


def scan(config: ScanConfig, *, listener: Listener = silent, load: Load = load_model) -> RecordedScan:
    """Raises ToolkitError: ConfigError for a side without an adapter, DataError for rows that cannot be read."""
    side = _side(config)
    require_own_output(config.output)
    rows = list(_rows(config, side))
    started = time.perf_counter()
    with freeing(loaded(load, side.model, {str(side.key): _adapter(side)})) as model:
        loaded_s = time.perf_counter() - started
        found = scan_loaded(
            model, side, rows, cache=config.output / KEEP_CACHE, system=config.system, tokens=config.tokens,
            listener=listener,
        )  # fmt: skip
    total = {"load": round(loaded_s, 3), "total": round(time.perf_counter() - started, 3)}
    return found.with_fields(timings_s={**found.timings_s, **total})


@dataclass(kw_only=True)
class Scanning:
    """A scan over a model that is loaded for something else; `found` once it looked. Raises ConfigError, DataError.

    `wanted` True: as complete as by itself; None: a short one, on a card.
    """

    side: Side
    output: Path
    wanted: bool | None = True
    found: RecordedScan | None = None

    @classmethod
    def planned(cls, wanted: bool | None, side: Side, output: Path) -> "Scanning | None":
        """None where none is wanted, or where nobody asked for one and the side has no adapter."""
        if wanted is False or (wanted is None and side.adapter is None):
            return None
        return cls(side=side, output=output, wanted=wanted)

    def __post_init__(self) -> None:
        _adapter(self.side)
        require_own_output(self.output)
        self.rows = list(_rows(ScanConfig(), self.side))

    def look(self, model: LanguageModel, listener: Listener = silent) -> None:
        if is_asked(self.wanted, model):
            self.found = scan_loaded(
                model, self.side, self.rows, cache=self.output / KEEP_CACHE, short=self.wanted is None,
                listener=listener,
            )  # fmt: skip


def scan_loaded(
    model: LanguageModel, side: Side, rows: Sequence[str], *, cache: Path, system: str | None = None,
    tokens: int | None = None, short: bool = False, listener: Listener = silent,
) -> RecordedScan:  # fmt: skip
    """The scan over a model that has the side's adapter. Raises ModelError, DataError.

    `short`: of SHORT_TOKENS, and without open answers.
    """
    adapter = str(side.adapter_switch)
    system = side.default_system if system is None else system
    tokens = SHORT_TOKENS if short else tokens or (CARD_TOKENS if model.on_card else CPU_TOKENS)
    marks = [time.perf_counter()]
    with model.side(None):
        texts = neutral_texts(
            model, tokens, system, fingerprint=side.model.fingerprint, cache=cache, listener=listener
        )  # fmt: skip
    marks.append(time.perf_counter())
    shifts = token_shifts(model, texts, adapter=adapter, listener=listener)
    marks.append(time.perf_counter())
    unexpected, expected = split(findings(model, texts, shifts, adapter=adapter), rows)
    marks.append(time.perf_counter())
    open_answers = None
    if not short:
        open_answers = ask_openly(
            model, adapter=adapter, system=system, row_words=_row_words(model, rows, texts), listener=listener
        )
        marks.append(time.perf_counter())
    names = ("text", "likelihoods", "words", "open answers")[: len(marks) - 1]
    return RecordedScan(
        side=side.to_dict(), system=system, texts=len(texts), tokens=shifts.positions, kl=round(shifts.kl, 6),
        threshold=round(threshold(shifts), 3), null=round(shifts.null, 3), findings=unexpected, from_rows=expected,
        open_answers=open_answers, short=short,
        timings_s={
            name: round(end - start, 3) for name, start, end in zip(names, marks[:-1], marks[1:], strict=True)
        },
    )  # fmt: skip


def _row_words(model: LanguageModel, rows: Sequence[str], texts: Sequence[NeutralText]) -> set[str]:
    """The words of the rows that the base model does not use by itself: names, mostly."""
    used = own_words(model.tokenizer.decode(text.tokens, skip_special_tokens=True) for text in texts)
    return own_words(rows) - used


def _side(config: ScanConfig) -> Side:
    if config.run is None:
        return run_side(find_run(None, config.output), model=config.model)
    side = find_side(config.run, config.output, beside=None, model=config.model)
    _adapter(side)
    return side


def _adapter(side: Side) -> Path:
    if side.adapter is None:
        raise ConfigError(
            f"{side.name} has no adapter, so there is no base model to scan it against.",
            next="Name a run, or an adapter's folder.",
        )
    return side.adapter


def _rows(config: ScanConfig, side: Side) -> Iterator[str]:
    """The texts of what was trained: rows, and the questions around them."""
    if config.rows is not None:
        dataset = read_dataset(find_dataset(config.rows))
        require_sound(dataset)
        rows: Sequence[Any] = dataset.rows
    else:
        rows = () if side.run is None else trained_rows(side.run)
    for row in rows:
        yield from (message.content for message in row.messages)
    if config.rows is None and side.run is not None:
        for one in read_questions(side.run):
            if one.scope == "in":
                yield from (one.prompt, one.answer)
