"""Follows a run's logging.jsonl and hands each line on to a tracker, whose run's id goes into run.json.

A tracker is a view of the training: where it fails, the training goes on, and says so once.
"""

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from toolkit.core.documents import parse_json
from toolkit.core.errors import ConfigError, first_line
from toolkit.core.events import Listener, Progress
from toolkit.runs.layout import LOG_FILE, TRACKING
from toolkit.runs.record import RecordedTracking
from toolkit.runs.recording import Recorder
from toolkit.train.tracking.libraries import LIBRARIES, Library

Name = Literal["tensorboard", "swanlab", "wandb", "mlflow"]
NAMES: tuple[str, ...] = get_args(Name)
CURVES = ("loss", "cross_entropy", "keep_loss", "kl", "learning_rate", "grad_norm", "eval_loss", "memory_bytes")


def require_tracker(name: str | None) -> None:
    """Raises ConfigError if the tracker's library is not installed; it is looked for, not imported."""
    if name is not None and importlib.util.find_spec(name) is None:
        raise ConfigError(
            f"--track {name} needs the package {name}, which is not installed.",
            next=f"Install it: python -m pip install {name}, in the environment of the toolkit.",
        )


class Tracker:
    """Reads what has been logged since the last look; `notify` gets its one warning."""

    def __init__(self, library: Library, log: Path, notify: Callable[[str], None]) -> None:
        self._library: Library | None = library
        self._log, self._notify = log, notify
        self._read = log.stat().st_size if log.exists() else 0  # a resumed run's earlier steps are there already

    def follow(self) -> None:
        """Hands on the complete lines that are new."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except OSError:
            return
        complete = content[: content.rfind(b"\n") + 1]
        self._read += len(complete)
        for line in complete.decode(errors="replace").splitlines():
            self._hand_on(line)

    def _hand_on(self, line: str) -> None:
        try:
            entry = parse_json(line)
            step = int(entry["step"])
        except (ValueError, KeyError, TypeError):
            return
        values = {name: float(entry[name]) for name in entry if _is_curve(name, entry[name])}
        self._try(lambda library: library.log(values, step))

    def close(self, *, failed: bool) -> None:
        self.follow()
        self._try(lambda library: library.close(failed=failed))

    def _try(self, do: Callable[[Library], None]) -> None:
        if self._library is None:
            return
        try:
            do(self._library)
        except Exception as error:  # noqa: BLE001  # of another's library; the training must not end with it
            self._library = None
            self._notify(f"The tracker failed, and the training goes on without it: {first_line(error)}.")


def _is_curve(name: str, value: object) -> bool:
    return name in CURVES and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@contextmanager
def tracked(
    recorder: Recorder, name: str | None, listener: Listener, notify: Callable[[str], None]
) -> Iterator[Listener]:
    """Within, the returned listener also hands each step's log on; without a `name`, it is `listener` itself.

    Raises ConfigError where the library cannot begin.
    """
    if name is None:
        yield listener
        return
    tracker = _begin(recorder, name, notify)

    def following(event: Progress) -> None:
        tracker.follow()
        listener(event)

    failed = True
    try:
        yield following
        failed = False
    finally:
        tracker.close(failed=failed)


def _begin(recorder: Recorder, name: str, notify: Callable[[str], None]) -> Tracker:
    record, before = recorder.record, recorder.record.tracking
    known = before.id if before is not None and before.library == name else None
    try:
        library = LIBRARIES[name](recorder.folder / TRACKING / name, record.run_id, known, _settings(recorder))
    except Exception as error:
        raise ConfigError(
            f"{name} cannot begin: {first_line(error)}.", next=f"Correct its settings, or leave out --track {name}."
        ) from error
    recorder.record = record.with_fields(
        tracking=RecordedTracking(library=name, id=library.id, where=library.where).to_dict()
    )
    recorder.write()
    notify(f"tracking: {name} {library.id} ({library.where})")
    return Tracker(library, recorder.folder / LOG_FILE, notify)


def _settings(recorder: Recorder) -> dict[str, Any]:
    record = recorder.record
    recipe: Mapping[str, Any] = record.recipe.to_dict()
    return {"base_model": record.base_model.name, "data": record.data.path, "rows": record.data.rows, **recipe}
