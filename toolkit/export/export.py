"""Exports one run: found, else written beside its target, asked the probes, and let out or rejected."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.compare.questions import probes_for
from toolkit.compare.sides import Side, loaded, run_side
from toolkit.core.errors import ConfigError, ExportError
from toolkit.core.events import Listener, silent
from toolkit.core.files import now
from toolkit.data.probes import read_probes
from toolkit.export.formats import form_for
from toolkit.export.formats.base import Backends, ExportConfig, Form, Gate, Job, Portable
from toolkit.export.parity import TOLERANCES, QuantisedParity, judge_quantised
from toolkit.export.portable import without_paths
from toolkit.export.target import Place
from toolkit.model.language_model import freeing
from toolkit.runs.layout import adapter_sha256
from toolkit.runs.run import find_run

Notify = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """`parity`: as the gate measured it; `fresh` is False where the same adapter had been exported there before."""

    folder: Path
    parity: Mapping[str, Any]
    fresh: bool


def export(
    config: ExportConfig,
    *,
    listener: Listener = silent,
    notify: Notify = lambda _: None,
    backends: Backends | None = None,
) -> Exported:
    """Raises ExportError when the parity gate fails: the result then stands in `….rejected`."""
    backends = backends or Backends()
    form = form_for(config)
    run = find_run(config.run, config.output)
    trained = run_side(run, model=config.model)
    side = in_full(trained)
    place = Place(
        target=(config.folder or run.folder / form.folder).absolute(),
        identity={"format": form.name, **form.options, "adapter_sha256": adapter_sha256(side.adapter)},
        mutable_files=form.mutable_files if isinstance(form, Portable) else frozenset(),
    )
    if (found := _found(place, config)) is not None:
        if isinstance(form, Portable):
            form.refresh(found.folder, side)
        return found
    for note in form.require(side, backends):
        notify(note)
    if trained.model.in_4bit:
        notify(f"{run.run_id} was trained over 4 bits; it is exported over the base model as its files hold it.")
    place.require_disk(form.bytes_needed(side), form.title)
    job = Job(
        run=run, side=side, probes=read_probes(config.probes or probes_for(side)), listener=listener, backends=backends
    )  # fmt: skip
    with place.partial() as partial:
        if (found := _found(place, config)) is not None:  # another process was quicker
            return found
        quantised = trained.model.in_4bit and not config.unchecked
        over_full = {"trained_in_4bit": require_same_at_full_precision(job, trained).to_dict()} if quantised else {}
        gate = form.write(partial, job)
        manifest = _manifest(place, form, side, gate) | over_full
        if not gate.holds:
            rejected = place.reject(manifest)
            raise ExportError(f"The {form.title} answers differently: {gate.why}.", next=f"It stands in {rejected}.")
        place.accept(manifest)
    return Exported(folder=place.target, parity=gate.to_dict(), fresh=True)


def _found(place: Place, config: ExportConfig) -> Exported | None:
    manifest = place.find(force=config.force)
    if manifest is None:
        return None
    if manifest["parity"].get("checked") is False and not config.unchecked:
        raise ConfigError(
            f"{place.target} was exported with --unchecked: nobody asked it anything.",
            next="Give --force to write it again and ask it.",
        )
    return Exported(folder=place.target, parity=manifest["parity"], fresh=False)


def _manifest(place: Place, form: Form, side: Side, gate: Gate) -> dict[str, Any]:
    base = side.model.to_dict()
    return {
        "schema_version": 1,
        "run_id": side.name,
        "base_model": without_paths(base) if isinstance(form, Portable) else base,
        **place.identity,
        "exported_at": now(),
        "parity": gate.to_dict(),
    }


def in_full(side: Side) -> Side:
    return replace(side, model=replace(side.model, in_4bit=False))


def require_same_at_full_precision(job: Job, trained: Side) -> QuantisedParity:
    """What it learnt must hold over both bases, as of a model that is quantised later; raises ExportError.

    `trained`: the side as it was trained; `job.side` as it is exported.
    """
    with freeing(loaded(job.backends.load, trained.model, {job.key: job.adapter})) as model, model.side(job.key):
        expected = job.answers(model, "In 4 bits")
    with freeing(loaded(job.backends.load, job.side.model, {job.key: job.adapter})) as model, model.side(job.key):
        answered = job.answers(model, "In full precision")
    parity = judge_quantised(job.probes, expected, answered, TOLERANCES["nf4"])
    if not parity.holds:
        raise ExportError(
            f"Over the full-precision base model this adapter answers otherwise than over 4 bits: {parity.why}.",
            next="Nothing was written; use the run as it is (chat, serve), or train it without load_in_4bit.",
        )
    return parity
