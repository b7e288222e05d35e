"""A tracker's library that notes what it gets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar


class FakeTracker:
    """As the classes of `toolkit.train.tracking.libraries`; the last one made is in `made`."""

    made: ClassVar["list[FakeTracker]"] = []

    def __init__(self, folder: Path, run_id: str, known: str | None, settings: Mapping[str, Any]):
        self.folder, self.settings = folder, settings
        self.id, self.where = known or f"id-of-{run_id}", str(folder)
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.failed: bool | None = None
        self.fails = False
        self.made.append(self)

    def log(self, values: Mapping[str, float], step: int) -> None:
        if self.fails:
            raise OSError("the disk of the tracker is full")
        self.logged.append((step, dict(values)))

    def close(self, *, failed: bool) -> None:
        self.failed = failed
