"""Trains and compares a finished run again, from its own folder, and says where the second run differs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from toolkit.compare.ability.ability import NO_ABILITIES, AbilityConfig
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.further import Numbers
from toolkit.compare.questions import read_bank
from toolkit.compare.report import write_report
from toolkit.compare.sides import BASE, PROMPT
from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.events import Caller
from toolkit.core.files import file_sha256
from toolkit.model.base_model import BaseModel, find_base_model, find_recorded_base
from toolkit.model.conversation import MAX_NEW_TOKENS
from toolkit.model.device import use_threads
from toolkit.runs.comparison import ComparisonRecord, RecordedOptions, read_comparison
from toolkit.runs.first_difference import (
    FigureDifference,
    LossDifference,
    TensorDifference,
    figure_differences,
    figures,
    loss_difference,
    other_answers,
    tensor_difference,
)
from toolkit.runs.layout import ADAPTER_FILE, REPLAYS
from toolkit.runs.parts import Parts, require_parts
from toolkit.runs.record import RunRecord
from toolkit.runs.recording import versions
from toolkit.runs.run import Run, find_run
from toolkit.sweep.running.one import SweepBackends, shared_backends
from toolkit.train.finetune import repeat

Outcome = Literal["same", "within tolerances", "differs"]
DIFFERS = 24  # the exit code
# What a replay on another device may differ by; docs/evidence.md says what was tried.
LOSS_TOLERANCE = 0.001  # of each step's loss, relative above 1
WEIGHT_TOLERANCE = 0.001  # the norm of the adapters' difference, relative
FIGURE_TOLERANCE = 0.01  # of each figure


@dataclass(frozen=True, kw_only=True)
class ReplayConfig:
    """`run` None: the latest finished one. `here`: on any device and with any versions, within tolerances.

    `into`: the output folder of the new run; None: a folder in the run's own. `model`: where the base model is now.
    """

    run: str | None = None
    here: bool = False
    into: Path | None = None
    model: str | None = None
    output: Path = Path("output")
    command: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FigureComparison:
    """The report's figures, of `count`, that differ, and how many of `probes` were answered otherwise."""

    count: int
    differences: Sequence[FigureDifference]
    probes: int
    other_answers: int

    @property
    def same(self) -> bool:
        return not self.differences and not self.other_answers

    @property
    def within_tolerances(self) -> bool:
        distances = [one.distance for one in self.differences]
        return all(distance is not None and distance <= FIGURE_TOLERANCE for distance in distances)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """`run` repeats `original`; `loss`, `tensors`: where it first differs. `figures` None: there were none to compare.

    `unlike`: what is not as it was, of device and versions; `notes`: what the reader should know besides.
    """

    original: Run
    run: Run
    here: bool
    adapter_same: bool
    loss: LossDifference | None
    tensors: TensorDifference | None
    figures: FigureComparison | None
    unlike: Sequence[str]
    notes: Sequence[str]

    @property
    def outcome(self) -> Outcome:
        figures_same = self.figures is None or self.figures.same
        if self.adapter_same and self.loss is None and figures_same:
            return "same"
        return "within tolerances" if self.here and self._within_tolerances else "differs"

    @property
    def exit_code(self) -> int:
        return DIFFERS if self.outcome == "differs" else 0

    @property
    def _within_tolerances(self) -> bool:
        loss, tensors = self.loss, self.tensors
        return (
            (loss is None or (None not in {loss.first, loss.second} and loss.largest <= LOSS_TOLERANCE))
            and (tensors is None or (tensors.relative is not None and tensors.relative <= WEIGHT_TOLERANCE))
            and (self.figures is None or self.figures.within_tolerances)
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.original.run_id,
            "replay": str(self.run.folder),
            "outcome": self.outcome,
            "here": self.here,
            "steps": self.run.record.train.steps,
            "adapter": {
                "same": self.adapter_same,
                "sha256": _adapter_sha256(self.run),
                "recorded_sha256": _adapter_sha256(self.original),
                "difference": None if self.tensors is None else asdict(self.tensors),
            },
            "loss": None if self.loss is None else asdict(self.loss),
            "figures": None if self.figures is None else asdict(self.figures),
            "unlike": list(self.unlike),
            "notes": list(self.notes),
        }


def replay(config: ReplayConfig, caller: Caller, backends: SweepBackends | None = None) -> Replay:
    """Raises ToolkitError before anything is written: for a part that has changed, another device or other versions."""
    original = find_run(config.run, config.output)
    parts = require_parts(original)
    base, notes = _base(original, config.model), list(parts.notes)
    if base.lock_sha256 is None:
        notes.append(f"{base.name} has no lock: that its files are those of the training was not checked.")
    compared, why = _repeatable(parts)
    notes += [why] if why else []
    backends = backends or shared_backends()
    if (threads := original.record.hardware.threads) is not None:
        use_threads(threads)
    device = backends.training.device(str(original.record.recipe.precision))
    unlike = differences_of(original.record, device.to_dict(), versions())
    if unlike and not config.here:
        raise ConfigError(
            f"{original.run_id} was computed elsewhere: {'; '.join(unlike)}. The bits of a result depend on it.",
            next="Replay it where these are the same, or with --here, which compares within tolerances.",
        )
    if original.record.resumed_from is not None:
        notes.append(f"{original.run_id} was interrupted and resumed; the replay is not.")
    if device.kind != "cpu" and not device.deterministic:
        notes.append("The kernels of this card were not restricted to deterministic ones: bits may differ by chance.")
    for line in notes:
        caller.notify(f"note: {line}")
    into = _writable(config.into or original.folder / REPLAYS)
    run = repeat(original, base, into, caller, config.command, backends.training)
    found = None if compared is None else _figures(parts, compared, run, base, caller, backends)
    weights = run.adapter / ADAPTER_FILE
    same = file_sha256(weights) == parts.recorded_adapter.sha256
    return Replay(
        original=original, run=run, here=config.here, adapter_same=same,
        loss=loss_difference(original.record.train.loss, run.record.train.loss),
        tensors=None if same else tensor_difference(parts.adapter / ADAPTER_FILE, weights),
        figures=found, unlike=unlike, notes=notes,
    )  # fmt: skip


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The replay cannot be written to {folder}: {error.strerror}.", next="Name another folder with --into."
        ) from None
    return folder


def _adapter_sha256(run: Run) -> str | None:
    return None if run.record.adapter is None else run.record.adapter.sha256


def _base(run: Run, model: str | None) -> BaseModel:
    """Raises ModelError for a base model with another lock, or whose bytes are not those of its lock."""
    trained_on = run.record.base_model
    base = find_recorded_base(trained_on.name, trained_on.path) if model is None else find_base_model(model)
    if trained_on.lock_sha256 and trained_on.lock_sha256 != base.lock_sha256:
        state = "it has changed, or is not complete" if base.lock_sha256 is None else "its lock is another"
        raise ModelError(
            f"The base model in {base.path} is not {trained_on.name} as {run.run_id} was trained on it: {state}.",
            next="Download that one again, or name its folder with --model.",
        )
    return replace(base, in_4bit=trained_on.load_in_4bit)


def differences_of(record: RunRecord, hardware: Mapping[str, Any], found: Mapping[str, str | None]) -> list[str]:
    """`torch 2.12.0, here 2.13.0`: each recorded part of device and versions that is another one here."""
    device = record.hardware.to_dict()
    names = [name for name in ("device", "name", "instructions", "driver") if device.get(name) is not None]
    pairs = [(name if name == "driver" else "device", device[name], hardware.get(name)) for name in names]
    if record.hardware.cards != hardware.get("cards", 1):  # the same losses, with sums in another order
        pairs.append(("cards", str(record.hardware.cards), str(hardware.get("cards", 1))))
    pairs += [(name, value, found.get(name)) for name, value in record.versions.items()]
    return [f"{name} {one}, here {other}" for name, one, other in pairs if one != other]


def _repeatable(parts: Parts) -> tuple[ComparisonRecord | None, str | None]:
    """The run's comparison, or why its figures are not repeated. Raises ConfigError for a changed bank of questions."""
    found = parts.comparison
    if found is None:
        return None, None
    if found.before.kind not in {"base", "system"}:
        return None, f"The run was compared with {found.before.name}, not with its base: its figures are not repeated."
    if found.further is not None and found.further.bank and found.further.sha256 != (bank := read_bank()).sha256:
        raise ConfigError(
            f"{bank.path} has changed: the report asked {found.further.bank} questions of another version.",
            next="Use the version of the toolkit that compared, or remove the run's report and compare again.",
        )
    return found, None


def _figures(
    parts: Parts, before: ComparisonRecord, run: Run, base: BaseModel, caller: Caller, backends: SweepBackends
) -> FigureComparison:
    """Compares the new run as the original was compared, and writes its report."""
    assert parts.probes is not None  # found with the comparison
    config = _compare_config(parts.probes, before, run, base)
    report, side = compare(config, listener=caller.listener, load=backends.load)
    for line in report.warnings:
        caller.notify(line)
    written = write_report(report, side, None)
    assert written is not None  # since it is a run's
    after = read_comparison(run.folder, written.name)
    assert after is not None  # just written
    return FigureComparison(
        count=len(figures(before)), differences=figure_differences(before, after), probes=len(before.probes),
        other_answers=other_answers(before, after),
    )  # fmt: skip


def _compare_config(probes: Path, before: ComparisonRecord, run: Run, base: BaseModel) -> CompareConfig:
    options = before.options or RecordedOptions(
        systems=(), max_new_tokens=MAX_NEW_TOKENS, outside=None, probes_more=0, depth=False
    )  # fmt: skip
    further, ability = before.further, before.ability
    shipped = ability is not None and ability.not_run is None
    return CompareConfig(
        run=str(run.folder), output=run.folder.parent, model=str(base.path), probes=probes,
        before=BASE if before.before.kind == "base" else f"{PROMPT}{before.before.system}",
        scale=None if before.after.scale == 1 else before.after.scale,
        thresholds=before.thresholds, systems=tuple(options.systems), max_new_tokens=options.max_new_tokens,
        outside=options.outside, probes_more=options.probes_more, depth=options.depth,
        exactly=Numbers(bank=0, rows=0, written=0) if further is None
        else Numbers(bank=further.bank, rows=further.rows, written=further.written),
        ability=AbilityConfig(shipped=True, limit_points=ability.limit_points)
        if shipped and ability is not None else NO_ABILITIES,
        scan=False,
    )  # fmt: skip
