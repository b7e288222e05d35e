"""Waits for the next version of a data set."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.events import StopRequests
from toolkit.core.files import file_sha256
from toolkit.data.probes import probes_beside
from toolkit.train.sources import source_file

POLL_S = 0.3


def versions(
    data: str, stop: StopRequests, waits: Callable[[], None], wait: Callable[[], None] = lambda: time.sleep(POLL_S)
) -> Iterator[None]:
    """Yields at once, and again after each change of the data set or the probe file beside it.

    `waits` is called before it waits for one. Ctrl-C from then on ends it. Raises DataError if the data set does not
    exist.
    """
    path = source_file(data)
    files = _WatchedFiles(paths=(path, probes_beside(path)))
    while not stop.requested:  # requested in a training's last step: that run is complete
        try:
            if files.content is not None:
                waits()
            while not files.changed(wait):
                wait()
        except KeyboardInterrupt:
            return
        yield


@dataclass(kw_only=True)
class _WatchedFiles:
    """`content`: each file's sha256 when it was last looked at, None for a missing file."""

    paths: Sequence[Path]
    content: tuple[str | None, ...] | None = None

    def changed(self, wait: Callable[[], None]) -> bool:
        """Whether a file has new content that stays the same for one `wait`: an editor may still be writing."""
        now = self._content()
        if now == self.content:
            return False
        wait()
        if now != self._content():
            return False
        self.content = now
        return True

    def _content(self) -> tuple[str | None, ...]:
        return tuple(map(_sha256, self.paths))


def _sha256(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except OSError:  # removed, or not there yet
        return None
