"""Which run `latest` means, and how it came to: every move is a line in `output/latest.jsonl`, so it can be undone.

A training that finishes moves it, and so does `use`; `undo` goes back to where it pointed before the last move that
was not undone. The runs themselves stay as they are.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from toolkit.core.errors import ConfigError
from toolkit.runs.layout import LATEST
from toolkit.runs.run import Run, find_run, point_latest_at, read_run

HISTORY = "latest.jsonl"
Cause = Literal["finetune", "use", "undo"]


@dataclass(frozen=True, kw_only=True)
class Move:
    """`run_id`: where `latest` points from `at` (ISO 8601, UTC) on."""

    run_id: str
    cause: Cause
    at: str


def move_latest(folder: Path, cause: Cause) -> None:
    """Points `latest` at the run in `folder`, and adds the move to the history. Raises OSError where it cannot."""
    output = folder.parent
    _remember_what_was(output)
    point_latest_at(folder)
    _add(output, Move(run_id=folder.name, cause=cause, at=_now()))


def use(name: str, output: Path) -> Run:
    """Makes the run called `name` the latest. Raises ConfigError for one that is not finished, or not in `output`."""
    run = find_run(name, output)
    if run.status != "finished":
        raise ConfigError(f"{run.run_id} is {run.status}.", next="Only a finished run can be the latest.")
    if run.folder.resolve().parent != output.resolve():
        raise ConfigError(f"{run.folder} is not in {output}.", next="Name its own folder with --output.")
    _moved(run, "use")
    return run


def undo(output: Path) -> Run:
    """Takes back the last move that was not taken back yet. Raises ConfigError where there is none."""
    standing = _standing(history(output))
    if len(standing) <= 1:
        raise ConfigError(f"In {output} nothing is left to undo.", next="Name a run: toolkit runs use RUN.")
    folder = output / standing[-2]
    try:
        run = read_run(folder)
    except ConfigError as error:
        raise ConfigError(f"{folder.name} is gone: {error.what}", next="Name another: toolkit runs use RUN.") from None
    _moved(run, "undo")
    return run


def history(output: Path) -> list[Move]:
    """The moves so far, the oldest first; a line that a full disk cut off is left out."""
    moves = []
    with suppress(FileNotFoundError):
        for line in (output / HISTORY).read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, TypeError):
                moves.append(Move(**json.loads(line)))
    return moves


def _standing(moves: Sequence[Move]) -> list[str]:
    """The runs that `latest` pointed at, without those that were taken back; the present one last."""
    standing: list[str] = []
    for move in moves:
        if move.cause == "undo":
            del standing[-1:]
        elif not standing or standing[-1] != move.run_id:
            standing.append(move.run_id)
    return standing


def _moved(run: Run, cause: Cause) -> None:
    try:
        move_latest(run.folder, cause)
    except OSError as error:
        raise ConfigError(
            f"{run.folder.parent / LATEST} cannot be moved: {error.strerror}.", next="Make room, or mend its rights."
        ) from None


def _remember_what_was(output: Path) -> None:
    """What `latest` points at, where that is older than the history, or was moved by hand."""
    link = output / LATEST
    if not link.is_symlink():
        return
    standing = _standing(history(output))
    here = link.resolve().name
    if not standing or standing[-1] != here:
        _add(output, Move(run_id=here, cause="use", at=_now()))


def _add(output: Path, move: Move) -> None:
    path = output / HISTORY
    cut_off = path.is_file() and path.read_bytes()[-1:] not in {b"", b"\n"}
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if cut_off else "") + json.dumps(asdict(move)) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
