"""Trains and compares a run for each combination of settings, in one process and with one loaded base model."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.compare.ability.ability import NO_ABILITIES
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError, Interrupted, ToolkitError
from toolkit.core.events import Caller, Listener, StopRequests, silent
from toolkit.core.files import file_sha256, now, write_text
from toolkit.core.suggestion import suggestion
from toolkit.data.probes import read_probes
from toolkit.data.probes_from_rows import require_askable
from toolkit.data.samples import parse_source
from toolkit.data.soundness import Reading
from toolkit.model.base_model import find_base_model, require_sizes
from toolkit.model.device import find_device, reset_peak_memory
from toolkit.model.families.template_files import folder_takes_tools
from toolkit.model.four_bits import require_bitsandbytes
from toolkit.model.language_model import Load
from toolkit.runs.latest import use
from toolkit.runs.layout import output_option
from toolkit.runs.run import Run, find_run, list_runs
from toolkit.sweep.frontier import shortfall
from toolkit.sweep.grid import grid
from toolkit.sweep.page import sweep_page
from toolkit.sweep.plot import frontier_svg
from toolkit.sweep.record import (
    FAILED,
    FINISHED,
    PAGE,
    PLOT,
    STOPPED,
    TRAINED,
    WAITING,
    Entry,
    Sweep,
    create_sweep_folder,
    read_sweep,
    write_sweep,
    writing_to,
)
from toolkit.sweep.shared_base import SharedBase
from toolkit.train import ms_swift
from toolkit.train.finetune import Backends, FinetuneConfig, finetune, resume
from toolkit.train.recipe import Recipe, recipe_from
from toolkit.train.sources import load_keep_prompts, load_rows, source_file


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """`lists`: values to try for each setting; `systems`: system prompts to compare under."""

    data: str
    recipes: tuple[Recipe, ...]
    lists: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    model: str | None = None
    probes: Path | None = None
    reading: Reading = Reading()  # noqa: RUF009  # it is frozen
    systems: tuple[str, ...] = ()
    output: Path = Path("output")
    command: tuple[str, ...] = ()


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
class _Work:
    """A sweep and what carries it out."""

    sweep: Sweep
    output: Path
    caller: SweepCaller
    backends: SweepBackends


def shared_backends() -> SweepBackends:
    """One base for every run. The device is read once, before the base is loaded, so each run plans as if alone."""
    base = SharedBase()
    training = Backends(
        encoder=functools.cache(ms_swift.encoder), train=base.train, device=functools.cache(find_device)
    )  # fmt: skip
    return SweepBackends(training=training, load=base.load)


def sweep(config: SweepConfig, caller: SweepCaller, backends: SweepBackends | None = None) -> Sweep:
    """Carries out a new sweep. A run that fails does not end it.

    Raises ToolkitError for a wrong request, before anything is written, and Interrupted when it is stopped.
    """
    planned = grid(config.recipes, config.lists)
    request = _request(config, [one.recipe for one in planned], caller)
    started = Sweep(
        folder=create_sweep_folder(config.output), request=request, started_at=now(), status="running",
        entries=[Entry(recipe=one.recipe.to_dict(), settings=dict(one.settings)) for one in planned],
    )  # fmt: skip
    return _run_all(_Work(sweep=started, output=config.output, caller=caller, backends=backends or shared_backends()))


def resume_sweep(name: str, output: Path, caller: SweepCaller, backends: SweepBackends | None = None) -> Sweep:
    """Continues a sweep: finished runs stay, interrupted ones are resumed, failed ones are tried again.

    Raises ToolkitError.
    """
    found = read_sweep(name, output)
    data = Path(parse_source(found.request["data"]).name)
    if not data.is_file() or file_sha256(data) != found.request["data_sha256"]:
        raise ConfigError(f"{data} has changed since this sweep began.", next="Start a new sweep.")
    return _run_all(
        _Work(
            sweep=replace(found, status="running"), output=output, caller=caller, backends=backends or shared_backends()
        )
    )


def _request(config: SweepConfig, recipes: Sequence[Recipe], caller: SweepCaller) -> dict[str, Any]:
    """What all runs share. Raises ToolkitError if every run would fail: no model, no data, no probes."""
    base = find_base_model(config.model)
    require_sizes(base)
    if any(recipe.load_in_4bit for recipe in recipes):
        require_bitsandbytes()
    data, count = source_file(config.data).resolve(), parse_source(config.data).count
    loaded = load_rows(
        config.data, (), recipes[0], config.reading, caller.notify, takes_tools=folder_takes_tools(base.path)
    )
    rows = loaded.rows
    if config.probes is None:
        require_askable(rows, data)
    for name in {recipe.keep_data for recipe in recipes if recipe.keep_weight}:
        load_keep_prompts(name, rows)
    if config.probes is not None:
        read_probes(config.probes)
    return {
        "data": str(data) if count is None else f"{data}#{count}",
        "data_sha256": file_sha256(data),
        "model": str(base.path),
        "probes": None if config.probes is None else str(config.probes.resolve()),
        "reading": config.reading.to_dict(),
        "systems": list(config.systems),
        "command": list(config.command),
    }


def _run_all(work: _Work) -> Sweep:
    entries = work.sweep.entries
    work.caller.notify(f"sweep: {work.sweep.folder}, {len(entries)} runs")
    for number, entry in enumerate(entries, start=1):
        if entry.status == FINISHED:
            continue
        if work.caller.stop.requested:  # requested in a run's last step: that run is complete
            raise _interrupted(work, number)
        write_sweep(work.sweep)
        work.caller.notify(f"{number} of {len(entries)}: {entry.label}")
        try:
            _run(work, entry)
        except (Interrupted, KeyboardInterrupt) as error:
            raise _interrupted(work, number) from error
        if entry.error is not None:
            work.caller.notify(f"Failed: {entry.error}")
    done = replace(work.sweep, status="finished")
    plot = frontier_svg(done.entries, done.frontier, done.recommendation, standalone=True, texts=work.caller.texts)
    with writing_to(done.folder):
        if plot is not None:
            write_text(done.folder / PLOT, plot)
        write_text(done.folder / PAGE, sweep_page(done, work.caller.texts))
    write_sweep(done)
    if (best := done.recommendation.run) is not None:  # not the last one that happened to be trained
        use(best, work.output, "sweep")
    return done


def _interrupted(work: _Work, number: int) -> Interrupted:
    write_sweep(replace(work.sweep, status=STOPPED))
    finished, of = len(work.sweep.finished), len(work.sweep.entries)
    return Interrupted(
        f"Interrupted in run {number} of {of}; {finished} finished.",
        next=f'Continue with "{suggestion("sweep", "--resume", work.sweep.folder.name, *output_option(work.output))}".',
    )


def _run(work: _Work, entry: Entry) -> None:
    """Trains and compares; a failure is recorded in the entry."""
    reset_peak_memory()
    with work.caller.open_listener() as listener:
        try:
            entry.error = None
            run = _train(work, entry, listener)
            entry.status, entry.seconds = TRAINED, run.record.timings_s["train"]
            _compare(work, entry, listener)
            entry.status = FINISHED
        except Interrupted:
            entry.status = STOPPED
            raise
        except ToolkitError as error:
            entry.status, entry.error = FAILED, str(error)
        except Exception as error:  # noqa: BLE001  # one run's bug must not cost the others
            entry.status, entry.error = FAILED, f"{type(error).__name__}: {error}"


def _train(work: _Work, entry: Entry, listener: Listener) -> Run:
    """The entry's trained run: as it is if finished, resumed from its last checkpoint, or new."""
    caller = Caller(stop=work.caller.stop, listener=listener, notify=work.caller.notify)
    if entry.run is not None and (before := _find(entry.run, work.output)) is not None:
        if before.status == FINISHED:
            return before
        if before.checkpoints:
            return resume(entry.run, work.output, caller, work.backends.training)
    known = {run.run_id for run in list_runs(work.output)}
    request = work.sweep.request
    config = FinetuneConfig(
        data=request["data"], recipe=_recipe(entry), model=request["model"], output=work.output,
        command=tuple(request["command"]), reading=Reading.from_dict(request.get("reading", {})),
        compared=request["probes"] is None,
    )  # fmt: skip
    entry.status = WAITING
    try:
        run = finetune(config, caller, work.backends.training)
    except BaseException:
        new = [run.run_id for run in list_runs(work.output) if run.run_id not in known]
        entry.run = new[-1] if new else None
        raise
    entry.run = run.run_id
    return run


def _find(name: str, output: Path) -> Run | None:
    try:
        return find_run(name, output)
    except ConfigError:
        return None


def _recipe(entry: Entry) -> Recipe:
    return recipe_from(dict(entry.recipe), name=entry.recipe["name"], source="sweep.json")


def _compare(work: _Work, entry: Entry, listener: Listener) -> None:
    request = work.sweep.request
    config = CompareConfig(
        run=entry.run, output=work.output, model=request["model"], systems=tuple(request["systems"]),
        probes=None if request["probes"] is None else Path(request["probes"]), ability=NO_ABILITIES,
    )  # fmt: skip
    report, side = compare(config, listener=listener, load=work.backends.load)
    write_report(report, side, None, work.caller.texts)
    _record_report(entry, report)


def _record_report(entry: Entry, report: Report) -> None:
    entry.metrics = report.values
    entry.verdict, entry.thresholds = report.verdict.to_dict(), dict(report.thresholds)
    entry.shortfall = shortfall(
        [{name: metric.value for name, metric in metrics.items()} for metrics in report.per_system.values()],
        report.thresholds,
    )
