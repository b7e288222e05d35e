"""Exports one run: finds an earlier export, or writes the files, asks them the probes, and accepts or rejects them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.compare.questions import probes_for
from toolkit.compare.sides import Side, loaded, run_side
from toolkit.core.errors import ConfigError, ExportError
from toolkit.core.events import Listener, silent
from toolkit.core.files import now
from toolkit.core.links import require_no_link
from toolkit.data.probes import DEPTH, read_probes
from toolkit.export.companions import LICENCE_FILES, TOKENIZER_FILES, find_companion
from toolkit.export.formats import format_for
from toolkit.export.formats.base import Backends, ExportConfig, ExportJob, Format, PortableFormat
from toolkit.export.parity import TOLERANCES, GateResult, QuantisedParity, judge_quantised
from toolkit.export.portable import redacted
from toolkit.export.target import Target, user_error_for
from toolkit.model.language_model import freeing
from toolkit.runs.layout import (
    ADAPTER_CONFIG,
    ADAPTER_FILE,
    COMPARISON,
    PROBES_FILE,
    RECORD,
    REPORT,
    REPORT_TEXT,
    TRAINED_FILE,
    adapter_sha256,
)
from toolkit.runs.run import Run, find_run, require_own_files

Notify = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ExportResult:
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
) -> ExportResult:
    """Raises ExportError when the parity gate fails: the files are then in `….rejected`."""
    backends = backends or Backends()
    format_ = format_for(config)
    run = find_run(config.run, config.output)
    trained = run_side(run, model=config.model)
    side = at_full_precision(trained)
    _require_own_files(run, side)
    target = Target(
        folder=(config.folder or run.folder / format_.folder).absolute(),
        identity={"format": format_.name, **format_.options, "adapter_sha256": adapter_sha256(side.adapter)},
        mutable_files=format_.mutable_files if isinstance(format_, PortableFormat) else frozenset(),
    )
    if (earlier := _earlier_export(target, config)) is not None:
        if isinstance(format_, PortableFormat):
            _refresh(format_, earlier.folder, side)
        return earlier
    for note in format_.require(side, backends):
        notify(note)
    if trained.model.in_4bit:
        notify(f"{run.run_id} was trained over a 4-bit base model; the export uses the weights in its files.")
    target.require_disk(format_.bytes_needed(side), format_.title)
    job = ExportJob(
        run=run, side=side, probes=read_probes(config.probes or probes_for(side)).without(DEPTH), listener=listener,
        backends=backends,
    )  # fmt: skip
    with target.partial() as partial:
        if (earlier := _earlier_export(target, config)) is not None:  # another process was quicker
            return earlier
        checks_both = trained.model.in_4bit and not config.unchecked
        in_4bit = {"trained_in_4bit": require_same_at_full_precision(job, trained).to_dict()} if checks_both else {}
        parity = format_.write(partial, job)
        manifest = _manifest(target, format_, side, parity) | in_4bit
        if not parity.holds:
            rejected = target.reject(manifest)
            raise ExportError(
                f"The {format_.title} answers differently: {parity.reason}.", next=f"Its files are in {rejected}."
            )
        target.accept(manifest)
    return ExportResult(folder=target.folder, parity=parity.to_dict(), fresh=True)


def _refresh(format_: PortableFormat, folder: Path, side: Side) -> None:
    try:
        format_.refresh(folder, side)
    except OSError as error:
        raise (user_error_for(error, folder) or error) from error


def _require_own_files(run: Run, side: Side) -> None:
    """Raises ConfigError for a link among the run's files, or out of the base model's folder."""
    assert side.adapter is not None
    require_own_files(run)
    comparison = run.folder / COMPARISON
    require_no_link(
        *(run.folder / name for name in (RECORD, PROBES_FILE, TRAINED_FILE)),
        *(comparison, comparison / REPORT, comparison / REPORT_TEXT),
        *(side.adapter, side.adapter / ADAPTER_FILE, side.adapter / ADAPTER_CONFIG),
    )
    for name in (*TOKENIZER_FILES, *LICENCE_FILES):
        find_companion(side.model.path, name)


def _earlier_export(target: Target, config: ExportConfig) -> ExportResult | None:
    manifest = target.find(force=config.force)
    if manifest is None:
        return None
    if manifest["parity"].get("checked") is False and not config.unchecked:
        raise ConfigError(
            f"{target.folder} was exported with --unchecked, so its answers were never compared.",
            next="Give --force to export it again, with the check.",
        )
    return ExportResult(folder=target.folder, parity=manifest["parity"], fresh=False)


def _manifest(target: Target, format_: Format, side: Side, parity: GateResult) -> dict[str, Any]:
    base = side.model.to_dict()
    return {
        "schema_version": 1,
        "run_id": side.name,
        "base_model": redacted(base) if isinstance(format_, PortableFormat) else base,
        **target.identity,
        "exported_at": now(),
        "parity": parity.to_dict(),
    }


def at_full_precision(side: Side) -> Side:
    """The side over its base model as the files store it, not over 4 bits."""
    return replace(side, model=replace(side.model, in_4bit=False))


def require_same_at_full_precision(job: ExportJob, trained: Side) -> QuantisedParity:
    """What was learned over the 4-bit base must hold over the full one, within the tolerance of nf4.

    `trained`: the side as it was trained; `job.side`: as it is exported. Raises ExportError.
    """
    with freeing(loaded(job.backends.load, trained.model, {job.key: job.adapter})) as model, model.side(job.key):
        expected = job.answers(model, "In 4 bits")
    with freeing(loaded(job.backends.load, job.side.model, {job.key: job.adapter})) as model, model.side(job.key):
        answered = job.answers(model, "At full precision")
    parity = judge_quantised(job.probes, expected, answered, TOLERANCES["nf4"])
    if not parity.holds:
        raise ExportError(
            f"Over the full-precision base model this adapter answers differently than over 4 bits: {parity.reason}.",
            next="Nothing was written; use the run as it is (chat, serve), or train it without load_in_4bit.",
        )
    return parity
