"""The lock of a base model: the names, sizes and sha256 of its files. Read-only."""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn

from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError
from toolkit.core.files import MODELS, file_sha256, home, locks_folder, write_json
from toolkit.core.spelling import did_you_mean

LONGEST_NAME = 255  # bytes of a file's name
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)  # owner/name
DEFAULT_MODEL = "qwen2.5-7b-instruct"


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    name: str  # relative to the folder, with "/"
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Lock:
    name: str
    folder: str  # the usual name of its folder
    repository: str  # "owner/name" on a hub; "" for a model that ships with the toolkit
    revision: str  # 40 hex digits; "" without a repository
    licence: str
    files: tuple[LockedFile, ...]

    @property
    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def models_folder() -> Path:
    """Where models are downloaded to."""
    return home() / MODELS


def own_locks() -> Path:
    """The folder of the locks of models that were downloaded, beside them."""
    return models_folder() / "locks"


def read_lock(path: Path) -> Lock:
    """The lock in the file `path`. Raises ConfigError, which names the file and the wrong field."""
    try:
        content = read_json(path)
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
    """The shipped locks, then those of models that were downloaded here: name → file."""
    own = {path.stem: path for path in sorted(own_locks().glob("*.json"))}
    shipped = {path.stem: path for path in sorted(locks_folder().glob("*.json"))}
    return shipped | {name: path for name, path in own.items() if name not in shipped}


def write_lock(lock: Lock) -> Path:
    """Writes the lock of a model that is downloaded here. Raises ConfigError where another model's has its name."""
    path = own_locks() / f"{lock.name}.json"
    other = known_locks().get(lock.name)
    if other is not None and (there := read_lock(other).repository) != lock.repository:
        raise ConfigError(
            f"{lock.repository} and {there or 'a shipped model'} have the same name, {lock.name}.",
            next=f"Download it from another folder, or delete {path} and the other model.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    files = {file.name: {"bytes": file.size_bytes, "sha256": file.sha256} for file in lock.files}
    fields = {"name": lock.name, "folder": lock.folder, "repository": lock.repository, "revision": lock.revision}
    write_json(path, {"schema_version": 1, **fields, "licence": lock.licence, "files": files})
    return path


def find_lock(name: str) -> Lock:
    """The shipped lock by its name, its folder's or its repository's, whatever the case. Raises ConfigError."""
    locks = known_locks()
    if (known := called(name)) is not None:
        return read_lock(locks[known])
    raise ConfigError(
        f'No base model is called "{name}".{near_lock(name)}',
        next=f"Known: {', '.join(locks) or 'none'}.{hub_advice(name)}",
    )


def called(name: str) -> str | None:
    """The name of the shipped lock that is called `name`: its own name, its folder's or its repository's."""
    locks = known_locks()
    if name.lower() in locks:
        return name.lower()
    return next(
        (
            known
            for known, path in locks.items()
            if name.lower() in {(lock := read_lock(path)).folder.lower(), lock.repository.lower()}
        ),
        None,
    )


def near_lock(name: str) -> str:
    """The shipped locks that a mistyped `name` may mean; nothing for an owner/name of a hub."""
    return "" if HUB_NAME.fullmatch(name) else did_you_mean(name, list(known_locks()))


def hub_advice(name: str) -> str:
    """How to get a model from the hub that is not locked here; empty if `name` cannot be on a hub."""
    if not HUB_NAME.fullmatch(name):
        return ""
    return f' If you mean the model on the Hugging Face hub, fetch it with "toolkit download {name}".'


def choose_lock(folder: Path, wanted: str | None = None) -> Lock:
    """The lock for `folder`: `wanted` (a name or a file), else by the folder's name, else by its config.json.

    Raises ConfigError if none fits.
    """
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
        f"No lock fits {folder}: neither its name nor its config.json belongs to a known base model.",
        next=f"Name one with --lock: {', '.join(lock.name for lock in locks)}, or a file.",
    )


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The fields of one object in a lock, each checked as it is read; `within` is the path to that object."""

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
            self._refuse(key, "must be a non-empty string")
        return value

    def plain_name(self, key: str) -> str:
        return self._matching(key, r"(?!\.)[\w.\-]+", "must be a plain name, without a slash")

    def repository(self, key: str) -> str:
        return self._matching(key, r"([\w.\-]+/[\w.\-]+)?", 'must be "owner/name", or "" for a shipped model')

    def revision(self, key: str) -> str:
        return self._matching(key, r"[0-9a-f]{40}", "must be a full commit of 40 hex digits")

    def sha256(self, key: str) -> str:
        return self._matching(key, r"[0-9a-f]{64}", "must be 64 hex digits")

    def size(self, key: str) -> int:
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._refuse(key, "must be an integer number of bytes")
        return value

    def table(self, key: str) -> "list[Fields]":
        value = self._value(key)
        if not isinstance(value, dict) or not value:
            self._refuse(key, "must name at least one file")
        return [
            Fields(path=self.path, content=entry, within=(*self.within, key, name)) for name, entry in value.items()
        ]

    def file_name(self) -> str:
        """The key of this entry: a path inside the folder, with forward slashes."""
        name = self.within[-1]
        parts = PurePosixPath(name).parts
        if not parts or "\\" in name or name != "/".join(parts) or ".." in parts or name.startswith("/"):
            self._refuse("", "must be a path inside the folder")
        if any(len(part.encode()) > LONGEST_NAME or "\0" in part for part in parts):
            self._refuse("", "must be a name that a disk can hold")
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
        where = " → ".join(part for part in (*self.within, key) if part) or "the file"
        raise ConfigError(f"The lock {self.path} is wrong: {where} {rule}.", next="Restore it from the repository.")
