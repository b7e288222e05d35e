"""What is attached to a published image, through a registry in memory: right, changed, unsigned, signed by others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.core.address import read_address
from image.core.errors import ConfigError, RegistryError
from image.core.files import content_digest
from image.registry import Repository
from image.share.image_evidence import SigningKey, attach_evidence
from image.verify.attached import Finding, check_attached
from tests.fakes.built_image import BuiltImage
from tests.fakes.registry import FakeRegistry, fake_registry
from toolkit.export.attestation.signing import create_key_pair

MANIFEST = b'{"schemaVersion": 2}'


@pytest.fixture(name="registry")
def _registry() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        registry.manifests |= {"1": MANIFEST, content_digest(MANIFEST): MANIFEST}
        yield registry


@pytest.fixture(name="image")
def _image() -> BuiltImage:
    return BuiltImage(digest=content_digest(MANIFEST))


def reference(registry: FakeRegistry) -> str:
    return f"{registry.address}/team/image:1"


def door(registry: FakeRegistry) -> Repository:
    return Repository(read_address(reference(registry)), notify=lambda _: None, pause=lambda _: None, tries=1)


def attach(registry: FakeRegistry, image: BuiltImage, key: SigningKey | None = None) -> list[str]:
    """What was told."""
    told: list[str] = []
    attach_evidence(
        image, reference(registry), image.digest, key, told.append, lambda _: None, door(registry),  # type: ignore[arg-type]
    )  # fmt: skip
    return told


def found(registry: FakeRegistry, image: BuiltImage, policy: Path | None = None) -> list[Finding]:
    shown = image.find_image(reference(registry))
    return list(check_attached(image, shown, policy, lambda _: None, door(registry)))  # type: ignore[arg-type]


def policy_in(folder: Path) -> Path:
    path = folder / "policy.yaml"
    path.write_text("schema_version: 1\nkeys: [release.pub]\n")
    return path


def test_what_was_attached_is_the_images(registry: FakeRegistry, image: BuiltImage) -> None:
    assert attach(registry, image) == [
        "attached: https://slsa.dev/provenance/v1, not signed", "attached: https://cyclonedx.org/bom, not signed",
    ]  # fmt: skip
    assert found(registry, image) == [
        Finding(ok=True, what="provenance: as the image is, not signed"),
        Finding(ok=True, what="bill of materials: as the image is, not signed"),
    ]


def test_an_image_without_them_is_told_and_no_fault_unless_demanded(
    registry: FakeRegistry, image: BuiltImage, tmp_path: Path
) -> None:
    assert [(one.ok, one.what) for one in found(registry, image)] == [
        (True, "provenance: none is attached"), (True, "bill of materials: none is attached"),
    ]  # fmt: skip
    assert not any(one.ok for one in found(registry, image, policy_in(tmp_path)))


def test_a_signed_one_meets_a_policy_with_that_key_and_no_other(
    registry: FakeRegistry, image: BuiltImage, tmp_path: Path
) -> None:
    attach(registry, image, SigningKey(path=tmp_path / "release.key", new=True))
    policy = policy_in(tmp_path)

    assert found(registry, image, policy) == [
        Finding(ok=True, what="provenance: as the image is, signed by a key of policy.yaml"),
        Finding(ok=True, what="bill of materials: as the image is, signed by a key of policy.yaml"),
    ]
    (tmp_path / "release.pub").unlink()
    with pytest.raises(ConfigError, match=r"policy\.yaml cannot be used"):
        found(registry, image, policy)


def test_an_unsigned_one_and_one_of_somebody_else_do_not_meet_a_policy(
    registry: FakeRegistry, image: BuiltImage, tmp_path: Path
) -> None:
    attach(registry, image)
    create_key_pair(tmp_path / "release.key")
    policy = policy_in(tmp_path)
    assert found(registry, image, policy)[0] == Finding(ok=False, what="provenance: not signed")

    attach(registry, image, SigningKey(path=tmp_path / "others.key", new=True))
    for one in found(registry, image, policy):
        assert not one.ok
        assert "is not signed by a key of the policy (release.pub), but by" in one.what


def test_a_changed_statement_is_named_with_what_differs(registry: FakeRegistry, image: BuiltImage) -> None:
    attach(registry, image)
    image.labels["org.opencontainers.image.revision"] = "f" * 40
    image.files["/opt/toolkit/sbom.cdx.json"] = json.dumps({"bomFormat": "CycloneDX", "components": []})

    first, second = found(registry, image)
    assert (first.ok, second.ok) == (False, False)
    assert first.what.startswith("provenance: not the image's: buildDefinition.resolvedDependencies[0].uri: ")
    assert second.what == (
        "bill of materials: not the image's: components: 3 entries is stated, and the image has 2 entries"
    )


def test_another_image_under_the_same_tag_is_named(registry: FakeRegistry, image: BuiltImage) -> None:
    registry.manifests["1"] = MANIFEST + b" "

    [one] = found(registry, image)
    assert (one.ok, "the registry has another image under" in one.what) == (False, True)


def test_an_image_of_this_engine_alone_has_nothing_attached(image: BuiltImage, tmp_path: Path) -> None:
    local = image.find_image("finetune-and-prove:tiny-qwen2")

    assert list(check_attached(image, local, None, lambda _: None)) == []  # type: ignore[arg-type]
    [one] = check_attached(image, local, policy_in(tmp_path), lambda _: None)  # type: ignore[arg-type]
    assert (one.ok, "is in no registry" in one.what) == (False, True)


def test_a_blob_that_is_gone_is_an_error(registry: FakeRegistry, image: BuiltImage) -> None:
    attach(registry, image)
    for digest, content in list(registry.blobs.items()):
        if b"predicateType" in content:
            del registry.blobs[digest]

    with pytest.raises(RegistryError, match="404"):
        found(registry, image)


def test_a_registry_that_cannot_be_reached_is_a_note_without_a_key_and_an_error_with_one(
    registry: FakeRegistry, image: BuiltImage, tmp_path: Path
) -> None:
    registry.manifests.clear()

    [told] = attach(registry, image)
    assert told.startswith("note: no provenance and no bill of materials were attached: ")
    with pytest.raises(RegistryError):
        attach(registry, image, SigningKey(path=tmp_path / "release.key"))
