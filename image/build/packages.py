"""The Debian packages of an image, which no lock names, and how they differ from those of another image."""

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from image.core.errors import EngineError
from image.engine import Engine

STATUS, RELEASE = "/var/lib/dpkg/status", "/usr/lib/os-release"
INSTALLED = "install ok installed"
FIELD = re.compile(r"^(\w[\w-]*): (.*)$", re.MULTILINE)
MOST_NAMED = 12


@dataclass(frozen=True, kw_only=True)
class Package:
    name: str
    version: str
    architecture: str

    def component(self, distribution: str) -> dict[str, str]:
        """As CycloneDX has it, with its package URL (https://github.com/package-url/purl-spec)."""
        where = f"pkg:deb/{distribution}/{quote(self.name)}@{quote(self.version)}?arch={self.architecture}"
        return {"bom-ref": where, "type": "library", "name": self.name, "version": self.version, "purl": where}


def image_file(engine: Engine, reference: str, path: str) -> str:
    """The text of a file in the image, which is not started. Raises EngineError if there is none."""
    with engine.archive(reference, path) as stream, tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        content = archive.extractfile(path.rpartition("/")[2])
        if content is None:
            raise EngineError(f"{reference} has no {path}.", next="Build it again: make build.")
        return content.read().decode(errors="replace")


def packages(engine: Engine, reference: str) -> tuple[Package, ...]:
    """In the order of their names; none for an image without Debian's package manager."""
    try:
        status = image_file(engine, reference, STATUS)
    except (EngineError, KeyError):
        return ()
    return tuple(sorted(_installed(status), key=lambda one: (one.name, one.architecture)))


def _installed(status: str) -> Iterator[Package]:
    """https://manpages.debian.org/deb-control.5"""
    for paragraph in status.split("\n\n"):
        fields = dict(FIELD.findall(paragraph))
        if fields.get("Status") == INSTALLED and {"Package", "Version", "Architecture"} <= fields.keys():
            yield Package(name=fields["Package"], version=fields["Version"], architecture=fields["Architecture"])


def distribution(engine: Engine, reference: str) -> str:
    """Such as `debian` or `ubuntu`."""
    try:
        found = re.search(r'^ID="?([a-z0-9._-]+)"?$', image_file(engine, reference, RELEASE), re.MULTILINE)
    except (EngineError, KeyError):
        found = None
    return found[1] if found else "debian"


def changes(before: tuple[Package, ...], after: tuple[Package, ...]) -> str:
    """Such as `gcc 12.2.0-14 → 12.2.0-15, vim added`; of many, the first and their number. Empty if none differs."""
    first, second = (_versions(one) for one in (before, after))
    names = [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]
    texts = [_change(name, first, second) for name in names[:MOST_NAMED]]
    rest = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*texts, *rest])


def _versions(found: tuple[Package, ...]) -> dict[str, str]:
    return {one.name: one.version for one in found}


def _change(name: str, first: Mapping[str, str], second: Mapping[str, str]) -> str:
    if name not in first:
        return f"{name} {second[name]} added"
    return f"{name} {first[name]} → {second[name]}" if name in second else f"{name} {first[name]} removed"
