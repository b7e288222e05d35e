"""Asks both sides the same probes and judges what changed: probes -> sides -> answers -> metrics -> verdict."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.base_model import BaseModel
from toolkit.errors import ConfigError
from toolkit.language_model import Answer, LanguageModel, Messages, conversation, released
from toolkit.made_probes import run_probes
from toolkit.metrics import Drift, Judged, flips, judge, measure
from toolkit.paths import data_folder
from toolkit.probes import OUT_OF_SCOPE, Probe, ProbeSet, probes_beside, read_probes
from toolkit.progress import Listener, silent
from toolkit.report import Report
from toolkit.run_record import find_run
from toolkit.sides import BASE, Side, base_under, find_side, run_side
from toolkit.systems import DEFAULT, distinct, kind, matrix
from toolkit.verdict import reach_verdict

MAX_NEW_TOKENS = 64
DEFAULT_SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """`run` None: the latest finished one. A side: base, system:TEXT, a run, or the folder of an adapter or a model.

    `scale`: of the after side's adapter, from 0 to 1. `thresholds`: in place of the probe file's.
    `systems`: system prompts to measure everything under. None named, here or in the probe file: the matrix (see
    `toolkit.systems`), of which the first is measured in full; under the others the answers alone are judged.
    """

    run: str | None = None
    before: str = BASE
    after: str | None = None
    scale: float | None = None
    model: str | None = None
    probes: Path | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    systems: tuple[str, ...] = ()
    output: Path = Path("output")
    max_new_tokens: int = MAX_NEW_TOKENS


# A folder and adapters; and in_4bit=True, where a base model is loaded so.
Load = Callable[..., LanguageModel]


def load_model(folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
    """The real door; tests hand in their own."""
    return LanguageModel.load(folder, adapters, in_4bit=in_4bit)


def loaded(load: Load, base: BaseModel, adapters: Mapping[str, Path]) -> LanguageModel:
    """The base model as it is to be loaded, with adapters."""
    return load(base.path, adapters, in_4bit=True) if base.in_4bit else load(base.path, adapters)


def compare(config: CompareConfig, *, listener: Listener = silent, load: Load = load_model) -> tuple[Report, Side]:
    """The report, and the after side that it speaks of; raises ToolkitError."""
    after = _after(config)
    before = _before(config, after)
    probes = read_probes(config.probes or probes_for(after))
    probes = replace(probes, thresholds={**probes.thresholds, **config.thresholds})
    timings: dict[str, float] = {}
    answered = Answered(_questions(config, probes, before, after), listener, timings)
    started = time.perf_counter()
    alike = (before.model.path, before.model.in_4bit) == (after.model.path, after.model.in_4bit)
    judged = (answered.in_one_load if alike else answered.in_two_loads)(before, after, load)
    timings["total"] = round(time.perf_counter() - started, 3)
    systems = dict.fromkeys(one.system for one in judged)
    per_system = {system: measure([one for one in judged if one.system == system]) for system in systems}
    report = Report(
        before=before.to_dict(),
        after=after.to_dict(),
        verdict=reach_verdict(per_system, probes.thresholds),
        thresholds=probes.thresholds,
        metrics=measure(judged) if len(systems) > 1 else next(iter(per_system.values())),
        per_system=per_system,
        flips=flips([one for one in judged if one.system == judged[0].system]),
        systems={system: kind(system, _trained_system(after, before)) for system in systems},
        judged=judged,
        probes=_file(probes),
        timings_s=timings,
    )
    return report, after


def _questions(config: CompareConfig, probes: ProbeSet, before: Side, after: Side) -> "Questions":
    """Where a side is itself a prompt, the other is asked as it was trained, or as the model comes."""
    systems = tuple(dict.fromkeys(config.systems or probes.systems))
    in_full = len(systems)
    if not systems:
        prompted = before.system is not None or after.system is not None
        trained = _trained_system(after, before)
        first = trained if trained is not None else (DEFAULT if prompted else DEFAULT_SYSTEM)
        systems, in_full = (first,) if prompted else matrix(first), 1
    return Questions(probes=probes, systems=systems, in_full=in_full, max_new_tokens=config.max_new_tokens)


def probes_for(after: Side) -> Path:
    """The probes beside the run's data set, else those that the run keeps or its rows make; or the shipped ones."""
    if after.run is not None:
        beside = probes_beside(Path(str(after.run.record["data"]["path"])))
        if os.path.isfile(beside):  # noqa: PTH113  # Path.is_file raises where the run's folders are another's
            return beside
        if (made := run_probes(after.run)) is not None:
            return made
    return data_folder() / "probes.yaml"


def _after(config: CompareConfig) -> Side:
    if config.after is None:
        side = run_side(find_run(config.run, config.output), model=config.model)
    else:
        side = find_side(config.after, config.output, beside=None, model=config.model)
    return side if config.scale is None else side.at(config.scale)


def _before(config: CompareConfig, after: Side) -> Side:
    """`base` is what the after side stands on: of a merged model, what it was merged from."""
    beside = base_under(after)
    if beside is None and config.model is None and config.before == BASE:
        raise ConfigError(
            f"{after.name} does not say which base model it comes from.", next="Name that one with --before or --model."
        )
    return find_side(config.before, config.output, beside=beside, model=config.model)


def _trained_system(*sides: Side) -> str | None:
    """Of the first of these that is a run; None where nobody knows."""
    records = (side.run.record for side in sides if side.run is not None)
    return next((str(record["recipe"].get("system", DEFAULT_SYSTEM)) for record in records), None)


def _file(probes: ProbeSet) -> dict[str, Any]:
    return {"path": str(probes.path), "sha256": hashlib.sha256(probes.path.read_bytes()).hexdigest()}


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Every probe under every system prompt; under the first `in_full` of them drift and noise are measured too."""

    probes: ProbeSet
    systems: tuple[str, ...]
    in_full: int
    max_new_tokens: int

    def told_apart_by(self, model: LanguageModel) -> "Questions":
        """Without system prompts that this model's chat template renders as it does another; named ones all stay."""
        if self.in_full == len(self.systems):
            return self
        kept = distinct(self.systems, [model.prompt_ids(conversation("?", system)) for system in self.systems])
        return replace(self, systems=kept)

    @property
    def asked(self) -> list[tuple[Probe, str]]:
        return [(probe, system) for system in self.systems for probe in self.probes.probes]

    @property
    def outside(self) -> list[int]:
        """Positions, in `asked`, of what drift and noise are measured on."""
        full = self.systems[: self.in_full]
        return [at for at, (probe, system) in enumerate(self.asked) if probe.group == OUT_OF_SCOPE and system in full]


class Answered:
    """The questions, answered by both sides and judged."""

    def __init__(self, questions: Questions, listener: Listener, timings: dict[str, float]) -> None:
        self.listener, self.timings = listener, timings
        self._settle(questions)

    def _settle(self, questions: Questions) -> None:
        self.questions, self.asked, self.outside = questions, questions.asked, questions.outside

    def _prompts(self, side: Side, at: Sequence[int] | None = None) -> list[Messages]:
        """What that side is asked, or those at these positions: under its own system prompt, where it has one."""
        asked = self.asked if at is None else [self.asked[one] for one in at]
        return [conversation(probe.prompt, system if side.system is None else side.system) for probe, system in asked]

    def in_one_load(self, before: Side, after: Side, load: Load) -> list[Judged]:
        """The sides share a base: it is loaded once, and their adapters are switched."""
        adapters = {side.key: side.adapter for side in (before, after) if side.key and side.adapter}
        model = self._loaded(before, adapters, load)
        with released(model):
            self._settle(self.questions.told_apart_by(model))
            old, again = self._before(model, before)
            with self._timed("after"), model.side(after.switch):
                new = self._answers(model, after, "After")
            with self._timed("drift"):
                drifts = self._drifts(model, before, after, old)
        return self._judged(old, new, again, drifts)

    def in_two_loads(self, before: Side, after: Side, load: Load) -> list[Judged]:
        """Different models, one after the other; drift needs both at once and is not measured."""
        with ExitStack() as stack:
            model = stack.enter_context(released(self._loaded(before, _adapters(before), load)))
            self._settle(self.questions.told_apart_by(model))
            old, again = self._before(model, before)
        model = self._loaded(after, _adapters(after), load)
        with released(model), self._timed("after"), model.side(after.switch):
            new = self._answers(model, after, "After")
        return self._judged(old, new, again, {})

    def _loaded(self, side: Side, adapters: Mapping[str, Path], load: Load) -> LanguageModel:
        with self._timed("load"):
            return loaded(load, side.model, adapters)

    def _before(self, model: LanguageModel, before: Side) -> tuple[list[Answer], dict[int, Answer]]:
        """The before side's answers, and those out of scope again in another batch: the noise of decoding itself."""
        with model.side(before.switch):
            with self._timed("before"):
                old = self._answers(model, before, "Before")
            with self._timed("noise"):
                prompts = self._prompts(before, list(reversed(self.outside)))
                again = model.answers(
                    prompts, max_new_tokens=self.questions.max_new_tokens, batch_size=model.batch_size // 2 + 1,
                    listener=self.listener, task="Noise floor",
                )  # fmt: skip
        return old, dict(zip(reversed(self.outside), again, strict=True))

    def _answers(self, model: LanguageModel, side: Side, task: str) -> list[Answer]:
        found = model.answers(
            self._prompts(side), max_new_tokens=self.questions.max_new_tokens, listener=self.listener, task=task
        )
        return [replace(one, first_logits=None) for one in found]  # a vocabulary's width each

    def _drifts(self, model: LanguageModel, before: Side, after: Side, old: Sequence[Answer]) -> dict[int, Drift]:
        spoken = [at for at in self.outside if old[at].tokens]
        drifts = model.drift(
            self._prompts(before, spoken), [old[at] for at in spoken], before=before.switch, after=after.switch,
            after_prompts=self._prompts(after, spoken),
        )  # fmt: skip
        return dict(zip(spoken, drifts, strict=True))

    def _judged(
        self, old: Sequence[Answer], new: Sequence[Answer], again: Mapping[int, Answer], drifts: Mapping[int, Drift]
    ) -> list[Judged]:
        return [
            judge(
                probe,
                system,
                old[at].text,
                new[at].text,
                self.questions.probes,
                drift=drifts.get(at),
                again=again[at].text if at in again else None,
            )
            for at, (probe, system) in enumerate(self.asked)
        ]

    def _timed(self, name: str) -> "_Timed":
        return _Timed(name, self.timings)


class _Timed:
    """Adds the seconds spent within to `timings[name]`."""

    def __init__(self, name: str, timings: dict[str, float]) -> None:
        self.name, self.timings = name, timings

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self.started
        self.timings[self.name] = round(self.timings.get(self.name, 0.0) + spent, 3)


def _adapters(side: Side) -> dict[str, Path]:
    return {side.key: side.adapter} if side.key and side.adapter else {}
