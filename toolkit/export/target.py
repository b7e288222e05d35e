"""The folder that an export writes: an earlier export in it, free space, and files that appear all at once.

Files are written in `….partial`, which its process locks (flock): a second export to the same target is refused, and
the leftovers of a killed one are removed.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import RAISE_LIMIT, TOO_LARGE, ConfigError, ExportError, is_full, is_over_limit
from toolkit.core.files import LOCK_NAME, is_same_file, lock_folder, require_free_space, write_json
from toolkit.core.links import require_no_link, require_no_links_in
from toolkit.runs.layout import EXPORT_MANIFEST

DISK_MARGIN_BYTES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Target:
    """`identity`: the manifest's entries that identify an export of this adapter in this format.

    `mutable_files`: files that may change afterwards; their sizes are not checked.
    """

    folder: Path
    identity: Mapping[str, Any]
    mutable_files: frozenset[str] = frozenset()

    def find(self, *, force: bool) -> Mapping[str, Any] | None:
        """The manifest of an earlier export; None without one, or if `force` is to replace it.

        Raises ConfigError where the target is something else or contains a link, and ExportError where it is damaged.
        """
        self._require_no_links()
        if not os.path.lexists(self.folder):
            return None
        try:
            manifest = read_json(self.folder / EXPORT_MANIFEST)
            identity = {name: manifest.get(name) for name in self.identity}
            manifest["parity"], manifest["adapter_sha256"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError(
                f"{self.folder} was not written by an export (it has no {EXPORT_MANIFEST}).",
                next="Move it away, or name another --folder.",
            ) from None
        if force:
            return None
        if identity != dict(self.identity):
            raise ConfigError(
                f"{self.folder} exists and is not this run's export.",
                next="Give --force to replace it, or name another --folder.",
            )
        require_no_links_in(self.folder)  # `refresh` writes into it, and it is made to be published
        self._require_complete(manifest.get("files", {}))
        return dict(manifest)

    def _require_no_links(self) -> None:
        """Of the names that are read, emptied or replaced. Raises ConfigError."""
        partial = self._beside("partial")
        require_no_link(self.folder, partial, partial / LOCK_NAME, self._beside("old"), self._beside("rejected"))

    def _require_complete(self, sizes: Mapping[str, int]) -> None:
        """Raises ExportError where a file no longer has the size with which it was exported."""
        for name, expected in sizes.items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else 0
            if size != expected:
                raise ExportError(
                    f"The earlier export is damaged: {path} has {size} of {expected} bytes.",
                    next="Give --force to replace it.",
                )

    def require_disk(self, bytes_needed: int, title: str) -> None:
        """Raises ExportError."""
        require_free_space(
            self.folder.parent, bytes_needed, DISK_MARGIN_BYTES,
            purpose=f"the {title}", option="--folder", error=ExportError,
        )  # fmt: skip

    @contextmanager
    def partial(self) -> Iterator[Path]:
        """An empty folder, locked by this process; removed at the end unless it was accepted or rejected.

        Raises ConfigError while another process exports to the same target, and ExportError when the disk fails.
        """
        self._require_no_links()
        folder = self._beside("partial")
        try:
            with _lock(folder) as lock:
                try:
                    for leftover in folder.iterdir():
                        if leftover.name != LOCK_NAME:
                            _remove(leftover)
                    yield folder
                finally:
                    if is_same_file(folder / LOCK_NAME, lock):
                        shutil.rmtree(folder, ignore_errors=True)
        except BaseException as error:
            if (user_error := user_error_for(error, self.folder)) is not None:
                raise user_error from error
            raise

    def accept(self, manifest: dict[str, Any]) -> None:
        """The partial folder replaces the target."""
        self._write(manifest)
        old = self._beside("old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(old)
        self._rename_to(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def reject(self, manifest: dict[str, Any]) -> Path:
        """The partial folder becomes `….rejected`, which is returned; the target stays as it was."""
        self._write(manifest)
        rejected = self._beside("rejected")
        shutil.rmtree(rejected, ignore_errors=True)
        self._rename_to(rejected)
        return rejected

    def _write(self, manifest: dict[str, Any]) -> None:
        folder = self._beside("partial")
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LOCK_NAME)
        names = {str(path.relative_to(folder)): path for path in files}
        sizes = {name: path.stat().st_size for name, path in names.items() if name not in self.mutable_files}
        write_json(folder / EXPORT_MANIFEST, {**manifest, "files": sizes})
        mode = (folder / EXPORT_MANIFEST).stat().st_mode
        for path in files:
            path.chmod(mode)  # safetensors makes files private to their owner; another user may serve the model

    def _rename_to(self, folder: Path) -> None:
        self._beside("partial").rename(folder)
        (folder / LOCK_NAME).unlink()  # after the rename: until then no other process may take the name

    def _beside(self, kind: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}.{kind}")


def _lock(folder: Path) -> TextIOWrapper:
    """Locks the folder until the returned file is closed. Raises ConfigError while another process has the lock."""
    while True:
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
        with suppress(FileNotFoundError):  # renamed since
            try:
                return lock_folder(folder)
            except BlockingIOError:
                raise ConfigError(
                    f"Another process is exporting to {folder.with_suffix('')}.",
                    next="Wait for it, or name another --folder.",
                ) from None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def user_error_for(error: BaseException, target: Path) -> ExportError | None:
    """The error as the user should read it; None where it is one already, or a bug."""
    if is_full(error):  # safetensors raises its own exception type
        return ExportError(f"The disk of {target} is full.", next="Free some space, or name another --folder.")
    if is_over_limit(error):
        return ExportError(f"The export to {target} failed: {TOO_LARGE}.", next=RAISE_LIMIT)
    if isinstance(error, OSError):
        return ExportError(f"The export to {target} failed: {error.strerror or error}.", next="Name another --folder.")
    return None
