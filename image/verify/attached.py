"""What a registry has attached to an image: provenance and bill of materials, against the image itself and a policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.attached.statements import AttachedStatement, fetched, signature_fault
from image.build.provenance import PROVENANCE, SBOM, first_difference, predicates
from image.build.sbom import sbom
from image.core.address import Address, read_address
from image.core.errors import ConfigError
from image.core.files import content_digest
from image.core.progress import Notify
from image.engine import Engine, ImageInfo, find_login
from image.registry import Repository

NAMES = {PROVENANCE: "provenance", SBOM: "bill of materials"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    ok: bool
    what: str


def check_attached(
    engine: Engine, image: ImageInfo, policy: Path | None, notify: Notify, registry: Repository | None = None
) -> Iterator[Finding]:
    """A finding per statement; none for an image without a registry, unless a policy demands signatures.

    Raises RegistryError, and ConfigError for a policy that is not valid.
    """
    address = _address(image.reference)
    if address is None:
        if policy is not None:
            yield Finding(ok=False, what=f"attached: {image.reference} is in no registry, where signatures would be")
        return
    registry = registry or Repository(address, notify=notify, login=find_login(address.registry))
    subject = content_digest(registry.manifest())
    if subject not in {name.partition("@")[2] for name in image.repo_digests} | {image.image_id}:
        yield Finding(ok=False, what=f"attached: the registry has another image under {address}, {subject}")
        return
    expected = predicates(image.labels, sbom(image.reference, engine))
    with fetched(registry, subject) as found:
        for kind, predicate in expected.items():
            of_kind = [one for one in found if one.kind == kind and _is_about(one, subject)]
            right = [one for one in of_kind if one.value.get("predicate") == predicate]
            if not of_kind:
                yield Finding(ok=policy is None, what=f"{NAMES[kind]}: none is attached")
            elif not right:
                why = first_difference(of_kind[0].value.get("predicate"), predicate)
                yield Finding(ok=False, what=f"{NAMES[kind]}: not the image's: {why}")
            else:
                yield _signature(NAMES[kind], right, policy, subject)


def _signature(name: str, right: Sequence[AttachedStatement], policy: Path | None, subject: str) -> Finding:
    signed = [one for one in right if one.signed]
    if policy is None:
        state = "signed; --policy FILE checks by whom" if signed else "not signed"
        return Finding(ok=True, what=f"{name}: as the image is, {state}")
    faults = []
    for one in signed:
        if (fault := signature_fault(one.path, policy, subject)) is None:
            return Finding(ok=True, what=f"{name}: as the image is, signed by a key of {policy.name}")
        faults.append(fault)
    return Finding(ok=False, what=f"{name}: {faults[0] if faults else 'not signed'}")


def _is_about(one: AttachedStatement, subject: str) -> bool:
    try:
        digests = {each["digest"]["sha256"] for each in one.value["subject"]}
    except (KeyError, TypeError):
        return False
    return subject.removeprefix("sha256:") in digests


def _address(reference: str) -> Address | None:
    """None for an image that only this engine has."""
    try:
        address = read_address(reference)
    except ConfigError:
        return None
    return address if "." in address.registry or ":" in address.registry or address.on_loopback else None
