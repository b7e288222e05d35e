"""Which run `latest` means. Every move is a line in `output/latest.jsonl`, so it can be undone.

A finished training moves it, a finished sweep (to the run that it recommends), and `use`; `undo` returns to where it
pointed before the last move that was not undone. The runs themselves stay as they are.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from toolkit.core.errors import ConfigError
from toolkit.core.files import write_lock, write_text
from toolkit.core.links import leads_into, open_regular
from toolkit.runs.layout import HISTORY, LATEST, NAME, list_command
from toolkit.runs.record import FINISHED
from toolkit.runs.run import Run, find_run, point_latest_at, read_run

Cause = Literal["finetune", "sweep", "use", "undo"]
CAUSES: tuple[str, ...] = Cause.__args__  # type: ignore[attr-defined]  # a Literal's values


@dataclass(frozen=True, kw_only=True)
class Move:
    """`latest` points at `run_id` since `at` (ISO 8601, UTC)."""

    run_id: str
    cause: Cause
    at: str


def move_latest(folder: Path, cause: Cause) -> None:
    """Points `latest` at the run in `folder` and adds the move to the history. Raises OSError, ConfigError for a link.

    Processes take turns: else each would record the other's move as one of its own.
    """
    with write_lock(folder.parent.resolve()):
        _move(folder, cause)


def _move(folder: Path, cause: Cause) -> None:
    output = folder.parent
    _record_current(output)
    point_latest_at(folder)
    _add(output, Move(run_id=folder.name, cause=cause, at=_now()))


def use(name: str, output: Path, cause: Cause = "use") -> Run:
    """Makes the run called `name` the latest. Raises ConfigError if it is not finished, or not in `output`."""
    run = find_run(name, output)
    if run.status != FINISHED:
        raise ConfigError(f"{run.run_id} is {run.status}.", next="Only a finished run can be the latest.")
    if run.folder.resolve().parent != output.resolve():
        raise ConfigError(f"{run.folder} is not in {output}.", next="Name its own folder with --output.")
    try:
        move_latest(run.folder, cause)
    except OSError as error:
        raise _not_moved(output, error) from None
    return run


def undo(output: Path) -> Run:
    """Undoes the last move that was not undone yet. Raises ConfigError if there is none."""
    try:
        with write_lock(output.resolve()):
            return _undo(output)
    except FileNotFoundError:
        raise _nothing_to_undo(output) from None
    except OSError as error:
        raise _not_moved(output, error) from None


def _undo(output: Path) -> Run:
    targets = _targets(history(output))
    if len(targets) <= 1:
        raise _nothing_to_undo(output)
    folder = output / targets[-2]
    try:
        run = read_run(folder)
    except ConfigError as error:
        raise ConfigError(
            f"{folder.name} is gone: {error.what}",
            next=f'Choose another run for "runs use"; "{list_command(output)}" lists them.',
        ) from None
    _move(run.folder, "undo")
    return run


def _nothing_to_undo(output: Path) -> ConfigError:
    return ConfigError(
        f"There is nothing left to undo in {output}.",
        next=f'Choose a run for "runs use"; "{list_command(output)}" lists them.',
    )


def history(output: Path) -> list[Move]:
    """The moves so far, the oldest first, without a line that is damaged. Raises ConfigError for a link."""
    moves = []
    for line in _lines(output):
        with suppress(ValueError, TypeError, RecursionError):
            move = Move(**json.loads(line))
            if NAME.fullmatch(move.run_id) and move.cause in CAUSES and isinstance(move.at, str):
                moves.append(move)  # else the name could be a path that leads elsewhere
    return moves


def _lines(output: Path) -> list[str]:
    try:
        with os.fdopen(open_regular(output / HISTORY, os.O_RDONLY), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _targets(moves: Sequence[Move]) -> list[str]:
    """The runs that `latest` pointed at, without those that were undone; the present one last."""
    targets: list[str] = []
    for move in moves:
        if move.cause == "undo":
            del targets[-1:]
        elif not targets or targets[-1] != move.run_id:
            targets.append(move.run_id)
    return targets


def _not_moved(output: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{output / LATEST} cannot be moved: {error.strerror}.", next="Free some space, or correct its permissions."
    )


def _record_current(output: Path) -> None:
    """Adds where `latest` points to the history, if the link is older than that or was moved by hand."""
    link = output / LATEST
    if not link.is_symlink() or not leads_into(link, output):
        return
    targets = _targets(history(output))
    here = link.resolve().name
    if not targets or targets[-1] != here:
        _add(output, Move(run_id=here, cause="use", at=_now()))


def _add(output: Path, move: Move) -> None:
    lines = [*_lines(output), json.dumps(asdict(move))]
    write_text(output / HISTORY, "".join(f"{line}\n" for line in lines))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
