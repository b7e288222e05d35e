"""Where an export goes: what stands there, whether it fits, and its appearance in one step or not at all.

It is written in `….partial`, which holds a lock (flock) for as long as its process lives: a second export to the
same target is refused, and what a killed one left is cleared away.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError, ExportError
from toolkit.core.files import write_json
from toolkit.runs.layout import EXPORT_MANIFEST, LOCK

DISK_MARGIN_BYTES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Place:
    """`identity`: the manifest's entries by which an export of this adapter in this format is known again.

    `following`: files that may change afterwards, so that their sizes are nobody's to check.
    """

    target: Path
    identity: Mapping[str, Any]
    mutable_files: frozenset[str] = frozenset()

    def find(self, *, force: bool) -> Mapping[str, Any] | None:
        """The manifest of the same export; None where nothing stands, or `force` may replace it.

        Raises ConfigError where the target is something else, and ExportError where it is damaged.
        """
        if not os.path.lexists(self.target):
            return None
        try:
            manifest = json.loads((self.target / EXPORT_MANIFEST).read_text(encoding="utf-8"))
            known = {name: manifest.get(name) for name in self.identity}
            manifest["parity"], manifest["adapter_sha256"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError(
                f"{self.target} was not written by an export (it has no {EXPORT_MANIFEST}).",
                next="Move it away, or name another --folder.",
            ) from None
        if force:
            return None
        if known != dict(self.identity):
            raise ConfigError(
                f"{self.target} exists and is not this run's export.",
                next="Give --force to replace it, or name another --folder.",
            )
        self._require_whole(manifest.get("files", {}))
        return dict(manifest)

    def _require_whole(self, sizes: Mapping[str, int]) -> None:
        """Raises ExportError where a file has not the size that it was exported with."""
        for name, wanted in sizes.items():
            path = self.target / name
            size = path.stat().st_size if path.is_file() else 0
            if size != wanted:
                raise ExportError(
                    f"The earlier export is damaged: {path} has {size} of {wanted} bytes.",
                    next="Give --force to replace it.",
                )

    def require_disk(self, bytes_needed: int, title: str) -> None:
        """Raises ExportError."""
        place = self.target.parent
        while not place.exists():
            place = place.parent
        free, needed = shutil.disk_usage(place).free, bytes_needed + DISK_MARGIN_BYTES
        if free < needed:
            raise ExportError(
                f"{place} has {free / 1e9:.1f} GB free, the {title} needs {needed / 1e9:.1f} GB.",
                next="Free some space, or name another folder with --folder.",
            )

    @contextmanager
    def partial(self) -> Iterator[Path]:
        """An empty folder of this process alone, gone at the end unless it was let out or rejected.

        Raises ConfigError where another process writes to the same target, and ExportError for a disk's faults.
        """
        folder = self._beside("partial")
        try:
            with _lock(folder) as lock:
                try:
                    for left in folder.iterdir():
                        if left.name != LOCK:
                            _remove(left)
                    yield folder
                finally:
                    if _is_still(folder / LOCK, lock):
                        shutil.rmtree(folder, ignore_errors=True)
        except BaseException as error:
            if (told := _told(error, self.target)) is not None:
                raise told from error
            raise

    def accept(self, manifest: dict[str, Any]) -> None:
        """The partial folder becomes the target; what stood there goes."""
        self._write(manifest)
        old = self._beside("old")
        shutil.rmtree(old, ignore_errors=True)
        if self.target.exists():
            self.target.rename(old)
        self._rename_to(self.target)
        shutil.rmtree(old, ignore_errors=True)

    def reject(self, manifest: dict[str, Any]) -> Path:
        """The partial folder becomes `….rejected`; the target stays what it was."""
        self._write(manifest)
        rejected = self._beside("rejected")
        shutil.rmtree(rejected, ignore_errors=True)
        self._rename_to(rejected)
        return rejected

    def _write(self, manifest: dict[str, Any]) -> None:
        folder = self._beside("partial")
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
        names = {str(path.relative_to(folder)): path for path in files}
        sizes = {name: path.stat().st_size for name, path in names.items() if name not in self.mutable_files}
        write_json(folder / EXPORT_MANIFEST, {**manifest, "files": sizes})
        mode = (folder / EXPORT_MANIFEST).stat().st_mode
        for path in files:
            path.chmod(mode)  # safetensors writes for its owner alone; whoever serves the model may be another

    def _rename_to(self, folder: Path) -> None:
        self._beside("partial").rename(folder)
        (folder / LOCK).unlink()  # afterwards: until the name is gone, nobody else may take it

    def _beside(self, kind: str) -> Path:
        return self.target.with_name(f"{self.target.name}.{kind}")


def _lock(folder: Path) -> TextIOWrapper:
    """Makes the folder this process's own until the file is closed. Raises ConfigError where it is another's."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            file = (folder / LOCK).open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise ConfigError(
                    f"Another process is exporting to {folder.with_suffix('')}.",
                    next="Wait for it, or name another --folder.",
                ) from None
            if _is_still(folder / LOCK, file):
                return file
            file.close()


def _is_still(path: Path, file: TextIOWrapper) -> bool:
    """False where the folder was let out or cleared away between opening and locking."""
    with suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _told(error: BaseException, target: Path) -> ExportError | None:
    """The error as the user should read it; None where it already is, or is a bug."""
    if "No space left" in str(error):  # safetensors tells it in words of its own
        return ExportError(f"The disk of {target} is full.", next="Free some space, or name another --folder.")
    if isinstance(error, OSError):
        return ExportError(f"The export to {target} failed: {error.strerror or error}.", next="Name another --folder.")
    return None
