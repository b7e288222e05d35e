"""Trains and compares a run for each combination of settings: over one loaded base model, or several, one a card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, Interrupted, TrainingError
from toolkit.core.files import file_sha256, now, write_text
from toolkit.core.suggestion import suggestion
from toolkit.core.text import counted
from toolkit.data.probes import read_probes
from toolkit.data.probes_from_rows import require_askable
from toolkit.data.samples import parse_source
from toolkit.data.soundness import Reading
from toolkit.model.base_model import find_base_model, require_sizes
from toolkit.model.cards.processes import Place
from toolkit.model.families.template_files import folder_takes_tools
from toolkit.model.four_bits import require_bitsandbytes
from toolkit.runs.latest import use
from toolkit.runs.layout import output_option
from toolkit.sweep.grid import grid
from toolkit.sweep.page import sweep_page
from toolkit.sweep.plot import frontier_svg
from toolkit.sweep.record import (
    FINISHED,
    PAGE,
    PLOT,
    STOPPED,
    Entry,
    Sweep,
    create_sweep_folder,
    read_sweep,
    write_sweep,
    writing_to,
)
from toolkit.sweep.running.cards import run_on_cards
from toolkit.sweep.running.one import Shared, SweepBackends, SweepCaller, run, shared_backends
from toolkit.train.recipe import Recipe
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
class _Work:
    """A sweep and what carries it out. `places`: of processes, if there are to be several."""

    sweep: Sweep
    output: Path
    caller: SweepCaller
    backends: SweepBackends | None
    places: Sequence[Place]


def sweep(
    config: SweepConfig, caller: SweepCaller, backends: SweepBackends | None = None, places: Sequence[Place] = ()
) -> Sweep:
    """Carries out a new sweep, in several processes if `places` names any. A run that fails does not end it.

    Raises ToolkitError for a wrong request, before anything is written, and Interrupted when it is stopped.
    """
    planned = grid(config.recipes, config.lists)
    request = _request(config, [one.recipe for one in planned], caller)
    started = Sweep(
        folder=create_sweep_folder(config.output), request=request, started_at=now(), status="running",
        entries=[Entry(recipe=one.recipe.to_dict(), settings=dict(one.settings)) for one in planned],
    )  # fmt: skip
    return _run_all(_Work(sweep=started, output=config.output, caller=caller, backends=backends, places=places))


def resume_sweep(
    name: str, output: Path, caller: SweepCaller, backends: SweepBackends | None = None, places: Sequence[Place] = ()
) -> Sweep:
    """Continues a sweep: finished runs stay, interrupted ones are resumed, failed ones are tried again.

    Raises ToolkitError.
    """
    found = read_sweep(name, output)
    data = Path(parse_source(found.request["data"]).name)
    if not data.is_file() or file_sha256(data) != found.request["data_sha256"]:
        raise ConfigError(f"{data} has changed since this sweep began.", next="Start a new sweep.")
    resumed = replace(found, status="running")
    return _run_all(_Work(sweep=resumed, output=output, caller=caller, backends=backends, places=places))


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
    work.caller.notify(f"sweep: {work.sweep.folder}, {counted(len(entries), 'run')}")
    waiting = [(number, entry) for number, entry in enumerate(entries, start=1) if entry.status != FINISHED]
    if work.places:
        _at_once(work, waiting)
    else:
        _one_by_one(work, waiting)
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


def _one_by_one(work: _Work, waiting: Sequence[tuple[int, Entry]]) -> None:
    shared = Shared(request=work.sweep.request, output=work.output)
    backends = work.backends or shared_backends()
    for number, entry in waiting:
        if work.caller.stop.requested:  # requested in a run's last step: that run is complete
            raise _interrupted(work, number)
        _begun(work, number, entry)
        try:
            run(entry, shared, work.caller, backends)
        except (Interrupted, KeyboardInterrupt) as error:
            raise _interrupted(work, number) from error
        _ended(work, entry)


def _at_once(work: _Work, waiting: Sequence[tuple[int, Entry]]) -> None:
    def begun(number: int, entry: Entry) -> None:
        _begun(work, number, entry)

    def ended(entry: Entry) -> None:
        _ended(work, entry)
        write_sweep(work.sweep)

    shared = Shared(request=work.sweep.request, output=work.output)
    try:
        left = run_on_cards(waiting, shared, work.places, work.caller, begun, ended)
    except KeyboardInterrupt as error:
        raise _interrupted(work, min(number for number, entry in waiting if entry.status != FINISHED)) from error
    if not left:
        return
    if work.caller.stop.requested:
        raise _interrupted(work, left[0][0])
    write_sweep(replace(work.sweep, status=STOPPED))
    are = "run is" if len(left) == 1 else "runs are"
    raise TrainingError(f"Every process has ended, and {len(left)} {are} left.", next=_way_on(work))


def _begun(work: _Work, number: int, entry: Entry) -> None:
    write_sweep(work.sweep)
    work.caller.notify(f"{number} of {len(work.sweep.entries)}: {entry.label}")


def _ended(work: _Work, entry: Entry) -> None:
    if entry.error is not None:
        work.caller.notify(f"Failed: {entry.error}")


def _interrupted(work: _Work, number: int) -> Interrupted:
    write_sweep(replace(work.sweep, status=STOPPED))
    finished, of = len(work.sweep.finished), len(work.sweep.entries)
    return Interrupted(f"Interrupted in run {number} of {of}; {finished} finished.", next=_way_on(work))


def _way_on(work: _Work) -> str:
    again = suggestion("sweep", "--resume", work.sweep.folder.name, *output_option(work.output))
    return f'Continue with "{again}".'
