"""A run of a sweep: it is trained and compared, over a base model that is loaded once."""

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.compare.ability.ability import NO_ABILITIES
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError, Interrupted, ToolkitError
from toolkit.core.events import Caller, Listener, StopRequests, silent
from toolkit.data.soundness import Reading
from toolkit.model.device import find_device, reset_peak_memory
from toolkit.model.language_model import Load
from toolkit.runs.run import Run, find_run, list_runs
from toolkit.sweep.frontier import shortfall
from toolkit.sweep.record import FAILED, FINISHED, STOPPED, TRAINED, WAITING, Entry
from toolkit.train import ms_swift
from toolkit.train.finetune import Backends, FinetuneConfig, finetune, resume
from toolkit.train.ms_swift.shared_base import SharedBase
from toolkit.train.recipe import Recipe, recipe_from


@dataclass(frozen=True, kw_only=True)
class SweepCaller:
    """The caller's side of a sweep.

    `open_listener` gives a progress listener for one run; `texts` is the language of the reports.
    """

    stop: StopRequests
    open_listener: Callable[[], AbstractContextManager[Listener]] = lambda: nullcontext(silent)
    notify: Callable[[str], None] = lambda _: None
    texts: Texts = field(default_factory=Texts)


@dataclass(frozen=True, kw_only=True)
class SweepBackends:
    """What trains and what loads a model to compare; tests pass their own."""

    training: Backends
    load: Load


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all runs of a sweep share: what was asked for, and where they go."""

    request: Mapping[str, Any]
    output: Path


def shared_backends() -> SweepBackends:
    """One base for every run. The device is read once, before the base is loaded, so each run plans as if alone."""
    base = SharedBase()
    training = Backends(
        encoder=functools.cache(ms_swift.encoder), train=base.train, device=functools.cache(find_device)
    )  # fmt: skip
    return SweepBackends(training=training, load=base.load)


def run(entry: Entry, shared: Shared, caller: SweepCaller, backends: SweepBackends) -> None:
    """Trains and compares; a failure is recorded in the entry. Raises Interrupted, and KeyboardInterrupt."""
    reset_peak_memory()
    with caller.open_listener() as listener:
        try:
            entry.error = None
            own = Caller(stop=caller.stop, listener=listener, notify=caller.notify)
            trained = _train(entry, shared, own, backends.training)
            entry.status, entry.seconds = TRAINED, trained.record.timings_s["train"]
            _compare(entry, shared, own, backends.load, caller.texts)
            entry.status = FINISHED
        except Interrupted:
            entry.status = STOPPED
            raise
        except ToolkitError as error:
            entry.status, entry.error = FAILED, str(error)
        except Exception as error:  # noqa: BLE001  # one run's bug must not cost the others
            entry.status, entry.error = FAILED, f"{type(error).__name__}: {error}"


def _train(entry: Entry, shared: Shared, caller: Caller, backends: Backends) -> Run:
    """The entry's trained run: as it is if finished, resumed from its last checkpoint, or new."""
    output, request = shared.output, shared.request
    if entry.run is not None and (before := _find(entry.run, output)) is not None:
        if before.status == FINISHED:
            return before
        if before.checkpoints:
            return resume(entry.run, output, caller, backends)
    known = {one.run_id for one in list_runs(output)}
    config = FinetuneConfig(
        data=request["data"], recipe=_recipe(entry), model=request["model"], output=output,
        command=tuple(request["command"]), reading=Reading.from_dict(request.get("reading", {})),
        compared=request["probes"] is None,
    )  # fmt: skip
    entry.status = WAITING
    try:
        found = finetune(config, caller, backends)
    except BaseException:
        new = [one for one in list_runs(output) if one.run_id not in known and _is_of(one, entry)]
        entry.run = new[-1].run_id if new else None
        raise
    entry.run = found.run_id
    return found


def _is_of(found: Run, entry: Entry) -> bool:
    """Whether a run has the entry's settings: others may be trained at the same time."""
    recipe = found.record.recipe
    own = recipe.name == entry.recipe["name"]
    return own and all(recipe.settings.get(name) == value for name, value in entry.settings.items())


def _find(name: str, output: Path) -> Run | None:
    try:
        return find_run(name, output)
    except ConfigError:
        return None


def _recipe(entry: Entry) -> Recipe:
    return recipe_from(dict(entry.recipe), name=entry.recipe["name"], source="sweep.json")


def _compare(entry: Entry, shared: Shared, caller: Caller, load: Load, texts: Texts) -> None:
    request = shared.request
    config = CompareConfig(
        run=entry.run, output=shared.output, model=request["model"], systems=tuple(request["systems"]),
        probes=None if request["probes"] is None else Path(request["probes"]), depth=False,
        ability=NO_ABILITIES, scan=False,
    )  # fmt: skip
    report, side = compare(config, listener=caller.listener, load=load)
    for line in report.warnings:
        caller.notify(line)
    write_report(report, side, None, texts)
    _record_report(entry, report)


def _record_report(entry: Entry, report: Report) -> None:
    entry.metrics = report.values
    entry.verdict, entry.thresholds = report.verdict.to_dict(), dict(report.thresholds)
    entry.shortfall = shortfall(
        [{name: metric.value for name, metric in metrics.items()} for metrics in report.per_system.values()],
        report.thresholds,
    )
