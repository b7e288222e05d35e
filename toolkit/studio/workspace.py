"""The files that the studio shows and changes: data sets of the work folder, and its own state in the output folder.

A request names a data set by a name that is listed; no other path is ever opened for it.
"""

import hashlib
import re
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import SHIPPED_DATA, data_folder, lock_folder, write_bytes
from toolkit.core.links import require_no_link
from toolkit.core.text import is_utf8
from toolkit.data.dataset import DATA_SUFFIXES
from toolkit.runs.layout import COMPARISON, HISTORY, LATEST, RECORD, REPORT
from toolkit.runs.run import run_folders
from toolkit.sweep.record import RECORD as SWEEP_RECORD
from toolkit.sweep.record import SWEEPS
from toolkit.train.teach import FOLDER as TAUGHT
from toolkit.train.teach import TRIED_SUFFIX

STATE = ".studio"  # in the output folder
BROUGHT = "data"  # in the output folder: what was uploaded or copied, so that it outlives a container
MOST_UPLOADED = 64_000_000  # bytes
MOST_LISTED = 500
FILE_NAME = re.compile(r"[^\w.-]+")
QUESTIONS_SUFFIX = ".questions.jsonl"
HIDDEN = (TRIED_SUFFIX, QUESTIONS_SUFFIX, ".probes.jsonl")


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """`name`: as the command line and the pages have it. `shipped`: it is not the user's, and is never changed."""

    name: str
    path: Path
    shipped: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def questions(self) -> Path:
        """The user's choice among the questions that a model wrote around its rows."""
        return self.path.with_name(f"{self.path.stem}{QUESTIONS_SUFFIX}")


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """`folder`: the work folder, absolute; `output`: as the command line has it, relative to it or absolute."""

    folder: Path
    output: Path

    @property
    def results(self) -> Path:
        """The output folder, absolute."""
        return self.folder / self.output

    def state(self, *parts: str) -> Path:
        """A folder of the studio's own, which is made if it is missing. Raises ConfigError."""
        place = self.results / STATE
        try:
            require_no_link(place)
            place.joinpath(*parts).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"{place} cannot be made: {error.strerror}.", next="Name another --output.") from None
        return place.joinpath(*parts)

    def lock(self) -> TextIOWrapper:
        """Of the studio's state, until it is closed. Raises ConfigError while another process has it."""
        try:
            return lock_folder(self.state())
        except BlockingIOError:
            raise ConfigError(
                f"A studio, or an agent's server, is open on {self.output} already.",
                next="Use that one (agents reach a studio at its /mcp), or name another --output.",
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self.output} cannot be written to: {error.strerror}.", next="Name another --output."
            ) from None

    def data_files(self) -> list[DataFile]:
        """Those of the work folder, those that were written from a text or brought, then the shipped ones."""
        found: dict[Path, DataFile] = {}
        for folder in (self.results / TAUGHT, self.results / BROUGHT, self.folder):
            for path in sorted(_data_in(folder), key=lambda one: -one.stat().st_mtime):
                found.setdefault(path.resolve(), DataFile(name=self._name(path), path=path))
        for path in sorted(_data_in(data_folder())):
            if path.resolve() not in found and path.stem in {Path(SHIPPED_DATA).stem, "corrected_fact"}:
                found[path.resolve()] = DataFile(name=path.name, path=path, shipped=True)
        return list(found.values())[:MOST_LISTED]

    def data_file(self, name: str) -> DataFile:
        """The listed one of this name. Raises DataError."""
        one = next((file for file in self.data_files() if file.name == name), None)
        if one is None:
            raise DataError(f"No data set {name!r} here.", next="Choose one from the list.")
        return one

    def bring(self, name: str, content: bytes) -> DataFile:
        """A new data set, under a name that no other has. Raises DataError for one of another kind."""
        plain = FILE_NAME.sub("-", Path(name.replace("\\", "/")).name).strip(".-")[-100:]
        path = Path(plain)
        if path.suffix.lower() not in DATA_SUFFIXES or not path.stem:
            raise DataError(
                f"{name!r} is not a data file by its name.", next=f"Bring one of {', '.join(DATA_SUFFIXES)}."
            )
        folder = self.results / BROUGHT
        require_no_link(folder)
        folder.mkdir(parents=True, exist_ok=True)
        target, number = folder / plain, 1
        while target.exists():
            number += 1
            target = folder / f"{path.stem}-{number}{path.suffix}"
        write_bytes(target, content)
        return DataFile(name=self._name(target), path=target)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(path)

    def version(self) -> str:
        """Changes whenever a run, a data set or the studio's own state does: what the pages show."""
        seen = [self.results / LATEST, self.results / HISTORY]
        for folder in run_folders(self.results):
            seen += [folder / RECORD, folder / COMPARISON / REPORT]
        seen += [self.results / TAUGHT, self.results / BROUGHT, self.folder]
        seen += sorted((self.results / SWEEPS).glob(f"*/{SWEEP_RECORD}"))
        seen += [file.path for file in self.data_files()]
        seen += sorted((self.results / STATE).glob("*.json"))
        seen += [
            *sorted((self.results / STATE).glob("*/*.json")),
            *sorted((self.results / STATE).glob("jobs/*/job.json")),
        ]
        return hashlib.sha256(repr([_stamp(path) for path in seen]).encode()).hexdigest()[:16]


def _data_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and path.suffix.lower() in DATA_SUFFIXES
        and not path.name.endswith(HIDDEN)
        and path.name != RECORD
        and is_utf8(path.name)  # no command takes another name, and no page can show it
        and path.is_file()
    ]


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        found = path.lstat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_mtime_ns, found.st_size
