"""Attaches to a published image where it came from and what is in it, signed where there is a key."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.attached.manifest import Subject
from image.attached.referrers import push_referrer
from image.attached.statements import make_statement, packed
from image.build.provenance import predicates
from image.build.sbom import sbom
from image.core.address import read_address
from image.core.errors import ConfigError, EngineError, RegistryError
from image.core.files import content_digest
from image.core.progress import Listener, Notify
from image.engine import Engine, find_login
from image.registry import Repository


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """Of the file `path`; `new`: the pair is made first."""

    path: Path
    new: bool = False


def attach_evidence(
    engine: Engine, reference: str, digest: str, key: SigningKey | None, notify: Notify, listener: Listener,
    registry: Repository | None = None,
) -> None:  # fmt: skip
    """Without a key, a registry that cannot be reached from here is a note: the engine has pushed the image.

    Raises RegistryError, EngineError and ConfigError with a key.
    """
    try:
        _attach(engine, reference, digest, key, notify, listener, registry)
    except (RegistryError, EngineError, ConfigError) as error:
        if key is not None:
            raise
        notify(f"note: no provenance and no bill of materials were attached: {error}")


def _attach(
    engine: Engine, reference: str, digest: str, key: SigningKey | None, notify: Notify, listener: Listener,
    registry: Repository | None,
) -> None:  # fmt: skip
    image = engine.find_image(reference)
    if image is None:
        raise EngineError(f"The engine has no image {reference}.")
    address = read_address(f"{reference}@{digest}")
    registry = registry or Repository(address, notify=notify, login=find_login(address.registry))
    manifest = registry.manifest(digest)
    if content_digest(manifest) != digest:
        raise RegistryError(f"The registry sent {content_digest(manifest)} when asked for {digest}.")
    subject = Subject(digest=digest, size_bytes=len(manifest))
    stated: Mapping[str, Any] = predicates(image.labels, sbom(reference, engine))
    name = f"{address.registry}/{address.repository}"
    for at, (kind, predicate) in enumerate(stated.items()):
        statement = make_statement(name, digest, kind, predicate)
        private, new = (None, False) if key is None else (key.path, key.new and at == 0)
        with packed(statement, subject, private, new_key=new) as referrer:
            push_referrer(registry, referrer, digest, listener)
        notify(f"attached: {kind}, {'not signed' if private is None else f'signed with {private.name}'}")
