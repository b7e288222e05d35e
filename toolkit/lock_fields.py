"""The fields of a lock file, each read with its rule. Pure; every breach is a ConfigError naming file and field."""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn

from toolkit.errors import ConfigError


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
