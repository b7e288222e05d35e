"""The lock of a base model: which files it has, how long they are, what their sha256 is. Reads, writes nothing.

A folder may hold more than the lock names, as long as nothing of it would be loaded: a README, a licence, hidden files.
Weights, code, templates and token maps that the lock does not know are reported as `unknown`, since transformers or
peft would pick them up.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn

from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256, locks_folder

DEFAULT_MODEL = "qwen2.5-7b-instruct"


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    name: str  # relative to the folder, with "/"
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Lock:
    name: str
    folder: str  # the folder's usual name
    repository: str  # "owner/name" on a hub; "" where the model ships with the toolkit
    revision: str  # 40 hex digits; "" where there is no repository
    licence: str
    files: tuple[LockedFile, ...]

    @property
    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def read_lock(path: Path) -> Lock:
    """The lock in `path`. Raises ConfigError with the file and the field that is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The lock {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"The lock {path} is not JSON: {error}.") from error
    fields = Fields(path=path, content=content)
    fields.require_version(1)
    repository = fields.repository("repository")
    files = fields.table("files")
    return Lock(
        name=fields.plain_name("name"),
        folder=fields.plain_name("folder"),
        repository=repository,
        revision=fields.revision("revision") if repository else "",
        licence=fields.text("licence"),
        files=tuple(
            LockedFile(name=entry.file_name(), size_bytes=entry.size("bytes"), sha256=entry.sha256("sha256"))
            for entry in files
        ),
    )


def known_locks() -> dict[str, Path]:
    """Name → file of every shipped lock."""
    return {path.stem: path for path in sorted(locks_folder().glob("*.json"))}


def find_lock(name: str) -> Lock:
    """The shipped lock called `name`; its folder's or repository's name will do too, in any case."""
    locks = known_locks()
    if name.lower() in locks:
        return read_lock(locks[name.lower()])
    for lock in map(read_lock, locks.values()):
        if name.lower() in {lock.folder.lower(), lock.repository.lower()}:
            return lock
    raise ConfigError(f'No base model is called "{name}".', next=f"Known are: {', '.join(locks) or 'none'}.")


def choose_lock(folder: Path, wanted: str | None = None) -> Lock:
    """The lock for `folder`: `wanted` (a name or a file), else by the folder's name, else by its config.json."""
    if wanted is not None:
        is_file = wanted.endswith(".json") or Path(wanted).is_file()
        return read_lock(Path(wanted)) if is_file else find_lock(wanted)
    locks = [read_lock(path) for path in known_locks().values()]
    here = folder.resolve().name.lower()
    for lock in locks:
        if here in {lock.name.lower(), lock.folder.lower()}:
            return lock
    config = folder / "config.json"
    found = file_sha256(config) if config.is_file() else ""
    for lock in locks:
        if any(file.name == "config.json" and file.sha256 == found for file in lock.files):
            return lock
    raise ConfigError(
        f"No lock fits {folder}: neither its name nor its config.json is that of a known base model.",
        next=f"Name one with --lock: {', '.join(lock.name for lock in locks)}, or a file.",
    )


@dataclass(frozen=True, kw_only=True)
class Fields:
    path: Path
    content: object
    within: tuple[str, ...] = field(default=())

    def require_version(self, version: int) -> None:
        found = self._value("schema_version")
        if found != version:
            self._refuse("schema_version", f"must be {version}, not {found!r}")

    def text(self, key: str) -> str:
        value = self._value(key)
        if not isinstance(value, str) or not value.strip():
            self._refuse(key, "must be a text that is not empty")
        return value

    def plain_name(self, key: str) -> str:
        return self._matching(key, r"(?!\.)[\w.\-]+", "must be a plain name, without a slash")

    def repository(self, key: str) -> str:
        return self._matching(key, r"([\w.\-]+/[\w.\-]+)?", 'must be "owner/name", or "" for a model that ships')

    def revision(self, key: str) -> str:
        return self._matching(key, r"[0-9a-f]{40}", "must be 40 hex digits, so that it cannot move")

    def sha256(self, key: str) -> str:
        return self._matching(key, r"[0-9a-f]{64}", "must be 64 hex digits")

    def size(self, key: str) -> int:
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._refuse(key, "must be a whole number of bytes")
        return value

    def table(self, key: str) -> "list[Fields]":
        value = self._value(key)
        if not isinstance(value, dict) or not value:
            self._refuse(key, "must name at least one file")
        return [
            Fields(path=self.path, content=entry, within=(*self.within, key, name)) for name, entry in value.items()
        ]

    def file_name(self) -> str:
        """The name that this entry stands under: inside the folder, with forward slashes."""
        name = self.within[-1]
        parts = PurePosixPath(name).parts
        if not parts or "\\" in name or name != "/".join(parts) or ".." in parts or name.startswith("/"):
            self._refuse("", "must be a path inside the folder")
        return name

    def _matching(self, key: str, pattern: str, rule: str) -> str:
        value = self._value(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            self._refuse(key, f"{rule}, not {value!r}")
        return value

    def _value(self, key: str) -> object:
        if not isinstance(self.content, dict):
            self._refuse("", "must be an object")
        if key not in self.content:
            self._refuse(key, "is missing")
        value: object = self.content[key]
        return value

    def _refuse(self, key: str, rule: str) -> NoReturn:
        where = " → ".join(part for part in (*self.within, key) if part) or "the whole file"
        raise ConfigError(f"The lock {self.path} is wrong: {where} {rule}.", next="Take it from the repository afresh.")
