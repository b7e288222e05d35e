"""Signed evidence as a referrer: what is attached, where a registry has no list for it, and what is passed over."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from image.attached.statements import BUNDLE_TYPE
from image.core.errors import ConfigError, RegistryError
from image.share.artifact import MEDIA_TYPES
from image.share.evidence import MODEL_SIGNATURE_TYPE
from tests.fakes.artifact_exchange import published, pulled
from tests.fakes.portable_run import make_portable_run
from tests.fakes.registry import FakeRegistry, fake_registry

EVIDENCE = "evidence.sigstore.json"
PREDICATE = "https://finetune-and-prove/verdict/v1"


@pytest.fixture(name="registry", params=[True, False], ids=["referrers API", "no referrers API"])
def _registry(request: pytest.FixtureRequest):
    with fake_registry(has_referrers=request.param) as registry:
        yield registry


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Path:
    sign(make_portable_run(tmp_path / "output"))
    return tmp_path / "output"


def sign(run: Path, signature: str = "signature") -> Path:
    """A bundle about the published files; no signature is checked by what is tested here."""
    files = [path for path in sorted((run / "adapter").iterdir()) if path.name in MEDIA_TYPES]
    subject = [
        {"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}} for path in files
    ]
    payload = base64.b64encode(json.dumps({"subject": subject, "predicateType": PREDICATE}).encode()).decode()
    path = run / "adapter" / EVIDENCE
    path.write_text(json.dumps({"dsseEnvelope": {"payload": payload, "signatures": [{"sig": signature}]}}))
    return path


def sign_files(run: Path) -> Path:
    """What other programs read, in the form of Model Signing."""
    files = [path for path in sorted((run / "adapter").iterdir()) if path.name in MEDIA_TYPES]
    resources = [{"name": path.name, "digest": hashlib.sha256(path.read_bytes()).hexdigest()} for path in files]
    statement = {"predicateType": MODEL_SIGNATURE_TYPE, "predicate": {"resources": resources}}
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    path = run / "adapter" / "model.sig"
    path.write_text(json.dumps({"dsseEnvelope": {"payload": payload}}))
    return path


def run_in(output: Path) -> Path:
    return next(output.glob("v0-*"))


def manifests(registry: FakeRegistry) -> list[dict[str, Any]]:
    return [json.loads(content) for content in registry.manifests.values()]


def test_evidence_is_attached_as_cosign_attaches_a_bundle(output: Path, registry: FakeRegistry):
    record = published(registry, output)

    [referrer] = {json.dumps(one): one for one in manifests(registry) if "subject" in one}.values()
    assert referrer["subject"]["digest"] == record.digest
    assert referrer["subject"]["size"] == len(registry.manifests[record.digest])
    assert referrer["artifactType"] == BUNDLE_TYPE
    assert referrer["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert [layer["mediaType"] for layer in referrer["layers"]] == [BUNDLE_TYPE]
    content = registry.blobs[referrer["layers"][0]["digest"]]
    assert content == (run_in(output) / "adapter" / EVIDENCE).read_bytes()
    assert referrer["annotations"] == {
        "dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": PREDICATE,
    }  # fmt: skip


def test_a_registry_without_the_api_gets_the_index_instead(output: Path):
    with fake_registry() as registry:
        digest = published(registry, output).digest.replace(":", "-")
        first = json.loads(registry.manifests[digest])
        published(registry, output)  # again: nothing is listed twice
        again = json.loads(registry.manifests[digest])
        sign(run_in(output), "another signature")
        published(registry, output)
        both = json.loads(registry.manifests[digest])

    assert first == again
    assert [one["artifactType"] for one in first["manifests"]] == [BUNDLE_TYPE]
    assert both["manifests"][0] == first["manifests"][0]
    assert len(both["manifests"]) == 2


def test_a_registry_with_the_api_gets_no_index(output: Path):
    with fake_registry(has_referrers=True) as registry:
        published(registry, output)

        assert [name for name in registry.manifests if name.startswith("sha256-")] == []


def test_the_artifact_itself_stays_what_it_is_without_evidence(output: Path, registry: FakeRegistry):
    signed = published(registry, output).digest
    (run_in(output) / "adapter" / EVIDENCE).unlink()

    assert published(registry, output).digest == signed


def test_evidence_is_pulled_with_the_adapter(output: Path, registry: FakeRegistry, tmp_path: Path):
    published(registry, output)
    result = pulled(registry, tmp_path / "elsewhere")

    assert result.evidence == 1
    assert (result.folder / EVIDENCE).read_bytes() == (run_in(output) / "adapter" / EVIDENCE).read_bytes()
    assert pulled(registry, tmp_path / "elsewhere").downloaded is False


def test_evidence_of_several_signers_is_pulled_in_files_of_its_own(
    output: Path, registry: FakeRegistry, tmp_path: Path
):
    first = (run_in(output) / "adapter" / EVIDENCE).read_bytes()
    published(registry, output)
    second = sign(run_in(output), "another signature").read_bytes()
    published(registry, output)
    result = pulled(registry, tmp_path / "elsewhere")

    names = (EVIDENCE, "evidence-2.sigstore.json")
    assert {(result.folder / name).read_bytes() for name in names} == {first, second}
    assert result.evidence == 2


def test_the_files_signature_is_attached_and_pulled_under_its_own_name(
    output: Path, registry: FakeRegistry, tmp_path: Path
):
    signature = sign_files(run_in(output)).read_bytes()
    published(registry, output)
    result = pulled(registry, tmp_path / "elsewhere")

    assert result.evidence == 1  # verdicts
    assert (result.folder / "model.sig").read_bytes() == signature
    assert (result.folder / EVIDENCE).read_bytes() == (run_in(output) / "adapter" / EVIDENCE).read_bytes()
    types = {one["annotations"]["dev.sigstore.bundle.predicateType"] for one in manifests(registry) if "subject" in one}
    assert types == {PREDICATE, MODEL_SIGNATURE_TYPE}


def test_a_files_signature_about_other_files_is_not_published(output: Path, registry: FakeRegistry):
    run = run_in(output)
    sign_files(run)
    (run / "adapter" / "README.md").write_text("# Another card\n")
    sign(run)

    with pytest.raises(ConfigError, match=r"model\.sig is not about the files beside it: README\.md has changed"):
        published(registry, output)
    assert registry.sent("PUT") == []


def test_without_evidence_nothing_is_attached_or_pulled(output: Path, registry: FakeRegistry, tmp_path: Path):
    (run_in(output) / "adapter" / EVIDENCE).unlink()
    published(registry, output)
    result = pulled(registry, tmp_path / "elsewhere")

    assert result.evidence == 0
    assert not (result.folder / EVIDENCE).exists()
    assert [one for one in manifests(registry) if "subject" in one] == []


@pytest.mark.parametrize("name", ["README.md", "report.json", "run.json"])
def test_evidence_about_other_files_is_not_published(output: Path, registry: FakeRegistry, name: str):
    path = run_in(output) / "adapter" / name
    path.write_text(path.read_text() + "\n")

    with pytest.raises(ConfigError, match=rf"{name} has changed since it was signed\. Sign it again with .make attest"):
        published(registry, output)
    assert registry.sent("PUT") == []


@pytest.mark.parametrize("content", ["", "[]", '{"dsseEnvelope": {"payload": "%"}}', '{"dsseEnvelope": {}}'])
def test_what_is_no_evidence_is_not_published(output: Path, registry: FakeRegistry, content: str):
    (run_in(output) / "adapter" / EVIDENCE).write_text(content)

    with pytest.raises(ConfigError, match="is not signed evidence"):
        published(registry, output)
    assert registry.sent("PUT") == []


def test_a_link_in_the_place_of_evidence_is_refused(output: Path, registry: FakeRegistry, tmp_path: Path):
    path = run_in(output) / "adapter" / EVIDENCE
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")

    with pytest.raises(ConfigError, match="is a link, so it is not shared"):
        published(registry, output)


def attach(registry: FakeRegistry, to: str, **changes: Any) -> None:
    """A referrer that somebody else made, in the list of the digest `to`."""
    registry.blobs["sha256:" + hashlib.sha256(b"{}").hexdigest()] = b"{}"
    layer = {"mediaType": BUNDLE_TYPE, "digest": "sha256:" + hashlib.sha256(b"{}").hexdigest(), "size": 2}
    content = json.dumps({"artifactType": BUNDLE_TYPE, "subject": {"digest": to}, "layers": [layer]} | changes).encode()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    registry.manifests[digest] = content
    descriptor = {"digest": digest, "size": len(content), "artifactType": BUNDLE_TYPE}
    registry.manifests[to.replace(":", "-")] = json.dumps({"manifests": [descriptor]}).encode()


@pytest.mark.parametrize("changes", [{"subject": {"digest": "sha256:" + "0" * 64}}, {"layers": 1}, {"subject": None}])
def test_a_referrer_to_something_else_is_passed_over(output: Path, tmp_path: Path, changes: dict[str, Any]):
    with fake_registry() as registry:
        (run_in(output) / "adapter" / EVIDENCE).unlink()
        attach(registry, published(registry, output).digest, **changes)

        assert pulled(registry, tmp_path / "elsewhere").evidence == 0


@pytest.mark.parametrize("layer", [{"digest": "sha256:x", "size": 2}, {"digest": "sha256:" + "0" * 64, "size": 2**40},
                                   {"digest": "sha256:" + "0" * 64, "size": -1}])  # fmt: skip
def test_evidence_of_no_valid_size_or_digest_is_refused(output: Path, tmp_path: Path, layer: dict[str, Any]):
    with fake_registry() as registry:
        digest = published(registry, output).digest
        attach(registry, digest, layers=[layer | {"mediaType": BUNDLE_TYPE}])

        with pytest.raises(RegistryError, match="has evidence attached that is not valid"):
            pulled(registry, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / "pulled").exists()


@pytest.mark.parametrize("listed", [b"no JSON", b"[]", b'{"manifests": {}}', b'{"manifests": [1, {"digest": 5}]}'])
def test_a_list_that_is_none_is_an_error_and_entries_that_are_none_are_passed_over(
    output: Path, tmp_path: Path, listed: bytes
):
    with fake_registry() as registry:
        (run_in(output) / "adapter" / EVIDENCE).unlink()
        registry.manifests[published(registry, output).digest.replace(":", "-")] = listed

        if b"[1" in listed:
            assert pulled(registry, tmp_path / "elsewhere").evidence == 0
        else:
            with pytest.raises(RegistryError, match="its list of what is attached is not one"):
                pulled(registry, tmp_path / "elsewhere")
