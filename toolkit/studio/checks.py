"""What `toolkit check` says of a data set, asked in a child process and kept by the file's digest and the settings."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core import environment
from toolkit.core.documents import read_json
from toolkit.core.errors import DataError
from toolkit.core.files import write_json
from toolkit.studio.jobs import PROGRAM
from toolkit.studio.workspace import DataFile

KEPT = 100
KINDS = frozenset({0, DataError.exit_code})  # a sound file, and one with errors
UNKNOWN: dict[str, Any] = {"state": "checking", "findings": [], "previews": []}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A file at one state of it, with the options of `toolkit check`."""

    file: DataFile
    sha256: str
    options: tuple[str, ...]
    without_card: bool = False

    @property
    def key(self) -> str:
        parts = [self.file.name, self.sha256, self.options, self.without_card]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("check", self.file.name, *self.options)


class Checks:
    """One child at a time: it reads a tokenizer, and the newest question counts."""

    def __init__(self, folder: Path, work_folder: Path, changed: Callable[[], None]) -> None:
        self.folder, self.work_folder, self.changed = folder, work_folder, changed
        self.lock = threading.Lock()
        self.waiting: Request | None = None
        self.child: subprocess.Popen[bytes] | None = None
        self.closed = False

    def of(self, file: DataFile, options: Sequence[str], *, without_card: bool = False) -> dict[str, Any]:
        """The findings, `state` "checked" or "failed" (then with `error`); "checking" until they are there.

        `without_card`: nothing is said of its memory, and none is taken, which a job may need to the last byte.
        """
        request = Request(file=file, sha256=file.sha256, options=tuple(options), without_card=without_card)
        with suppress(OSError, ValueError):
            return dict(read_json(self.folder / f"{request.key}.json"))
        with self.lock:
            begins = self.waiting is None and self.child is None
            self.waiting = request
            if begins and not self.closed:
                threading.Thread(target=self._work, daemon=True).start()
        return UNKNOWN

    def close(self) -> None:
        with self.lock:
            self.closed, self.waiting = True, None
            if self.child is not None:
                self.child.kill()

    def _work(self) -> None:
        while True:
            with self.lock:
                request, self.waiting = self.waiting, None
                if request is None or self.closed:
                    return
                command = [*PROGRAM, *request.arguments, "--json", "--preview", "3"]
                self.child = subprocess.Popen(
                    command, cwd=self.work_folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, start_new_session=True,
                    env=environment.for_child(**({environment.VISIBLE_CARDS: ""} if request.without_card else {})),
                )  # fmt: skip
            out, err = self.child.communicate()
            found = _found(self.child.returncode, out, err)
            with self.lock:
                self.child = None
            if not self.closed:
                self._keep(request, found)

    def _keep(self, request: Request, found: dict[str, Any]) -> None:
        with suppress(OSError):
            kept = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in kept[: max(0, len(kept) + 1 - KEPT)]:
                old.unlink(missing_ok=True)
            write_json(self.folder / f"{request.key}.json", found)
        self.changed()


def _found(code: int, out: bytes, err: bytes) -> dict[str, Any]:
    """A file that cannot be read at all has exit code 5 too, and no JSON."""
    if code in KINDS:
        with suppress(ValueError):
            found = json.loads(out)
            if "previews" not in found:  # see `toolkit.train.questions.faults`
                return _failed("These are questions for finetune --questions, not a data set.")
            return {"state": "checked", **found}
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    return _failed(lines[-1].removeprefix("Error: ") if lines else f"exit code {code}")


def _failed(error: str) -> dict[str, Any]:
    return {"state": "failed", "error": error, "findings": [], "previews": []}
