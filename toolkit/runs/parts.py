"""What a finished run's folder has to have so that the run can be repeated: every part, as it was recorded."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.files import data_folder, file_sha256
from toolkit.runs.comparison import ComparisonRecord
from toolkit.runs.layout import (
    ADAPTER_CONFIG,
    ADAPTER_FILE,
    CHECKPOINT,
    COMPARISON,
    KEEP_FILE,
    LOG_FILE,
    PROBES_FILE,
    REPORT,
    TRAINED_FILE,
    resume_command,
)
from toolkit.runs.record import FINISHED, RecordedAdapter
from toolkit.runs.run import Run, require_own_files
from toolkit.runs.training_log import read_training_log

RESTORE = "Restore it from a copy of the run."


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A run's parts, all of them checked. `comparison`: its last one, with the `probes` that were asked in it.

    `notes`: what could not be checked, since the run does not record it.
    """

    adapter: Path
    recorded_adapter: RecordedAdapter
    comparison: ComparisonRecord | None
    probes: Path | None
    notes: tuple[str, ...]


def require_parts(run: Run, *, probes: bool = True) -> Parts:
    """Raises ConfigError for a run that is not finished, and for the first part that is missing or has changed.

    `probes` False: the report's probe file, which may be elsewhere, is not looked for.
    """
    require_own_files(run)
    adapter = _require_finished(run)
    files = run.record.data.files
    for name, sha256 in {TRAINED_FILE: None, **files}.items():
        _require_file(run, name, sha256)
    _require_file(run, f"{adapter.path}/{ADAPTER_FILE}", adapter.sha256)
    _require_file(run, f"{adapter.path}/{ADAPTER_CONFIG}", adapter.config_sha256)
    _require_log(run)
    comparison = _comparison(run)
    notes = [] if TRAINED_FILE in files else [f"run.json has no sha256 of {TRAINED_FILE}: an older toolkit wrote it."]
    if run.record.keep is not None and KEEP_FILE not in files:
        notes.append(f"The run's folder has no {KEEP_FILE}: an older toolkit made it. The keep set is read elsewhere.")
    if comparison is None:
        notes.append("The run was not compared: only its training is repeated.")
    elif comparison.after.adapter_sha256 != adapter.sha256:
        comparison, notes = None, [*notes, "The run's report is about another adapter: its figures are not repeated."]
    return Parts(
        adapter=run.folder / adapter.path, recorded_adapter=adapter, comparison=comparison,
        probes=None if comparison is None or not probes else _probes(run, comparison), notes=tuple(notes),
    )  # fmt: skip


def _require_finished(run: Run) -> RecordedAdapter:
    if run.status != FINISHED:
        raise ConfigError(
            f"{run.run_id} is {run.status}: only a finished run can be repeated.",
            next=f'Finish it with "{resume_command(run.folder)}", or name another.',
        )
    adapter = run.record.adapter
    if adapter is None or not CHECKPOINT.fullmatch(adapter.path):
        raise ConfigError(f"{run.folder} does not record its adapter.", next="Name another run.")
    return adapter


def _require_file(run: Run, name: str, sha256: str | None) -> None:
    path = run.folder / name
    try:
        found = file_sha256(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing: without it the run cannot be repeated.", next=RESTORE) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", next=RESTORE) from None
    if sha256 not in {None, found}:
        raise ConfigError(
            f"{path} has changed since the training: its sha256 is {found[:12]}…, and run.json has {sha256[:12]}….",
            next=RESTORE,
        )


def _require_log(run: Run) -> None:
    """The log says the same as the record, step for step."""
    _require_file(run, LOG_FILE, None)
    in_record, logged = list(run.record.train.loss), [step.loss for step in read_training_log(run).steps]
    if in_record != logged:
        pairs = enumerate(zip(in_record, logged, strict=False), start=1)
        first = next((step for step, (one, other) in pairs if one != other), min(len(in_record), len(logged)) + 1)
        raise ConfigError(
            f"{run.folder / LOG_FILE} has another loss for step {first} than run.json: one of them has changed.",
            next=RESTORE,
        )


def _comparison(run: Run) -> ComparisonRecord | None:
    path = run.folder / COMPARISON / REPORT
    try:
        return ComparisonRecord.from_dict(read_regular_json(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be used: {error}.", next=f"{RESTORE} Or remove {path.parent}, and compare again."
        ) from None


def _probes(run: Run, comparison: ComparisonRecord) -> Path:
    """The file of probes that the report was made with, by its sha256: the run's, the shipped one, or where it was."""
    wanted, own = comparison.probe_file.sha256, run.folder / PROBES_FILE
    for path in (own, data_folder() / PROBES_FILE, Path(comparison.probe_file.path)):
        try:
            if file_sha256(path) == wanted:
                return path
        except OSError:  # another machine's path, or removed
            continue
    state = "has changed" if own.is_file() else "is missing"
    raise ConfigError(
        f"{own} {state}: the report was made with probes whose sha256 is {wanted[:12]}…, and no file here has it.",
        next=f"{RESTORE} Or remove {run.folder / COMPARISON}, and compare again.",
    )
