"""Waits for the next version of a data set."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.events import StopRequests
from toolkit.core.files import file_sha256
from toolkit.data.dataset import find_dataset
from toolkit.data.probes import probes_beside

POLL_S = 0.3


def versions(data: str, stop: StopRequests, wait: Callable[[], None] = lambda: time.sleep(POLL_S)) -> Iterator[None]:
    """One at once, and one after each change of the data set or the probes beside it; Ctrl-C meanwhile ends it.

    Raises DataError where there is no such data set.
    """
    path = find_dataset(data)
    seen = _Seen(files=(path, probes_beside(path)))
    while not stop.requested:  # in a training's last step: that one is whole
        try:
            if not seen.changed(wait):
                wait()
                continue
        except KeyboardInterrupt:
            return
        yield


@dataclass(kw_only=True)
class _Seen:
    """What the files held when they were last looked at."""

    files: Sequence[Path]
    content: tuple[str | None, ...] | None = None

    def changed(self, wait: Callable[[], None]) -> bool:
        """Whether they hold something else, which is whole: an editor may be at it still."""
        now = self._content()
        if now == self.content:
            return False
        wait()
        if now != self._content():
            return False
        self.content = now
        return True

    def _content(self) -> tuple[str | None, ...]:
        return tuple(map(_sha256, self.files))


def _sha256(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except OSError:  # gone, or not there yet
        return None
