"""Sigstore's own client against services on loopback: an identity signs, and a policy demands it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.attestable_run import attested, make_attestable_run
from tests.fakes.sigstore_services import ISSUER, sigstore, token
from toolkit.core.errors import ConfigError
from toolkit.export.attestation.keyless import Identity, Keyless, KeylessSigner
from toolkit.export.attestation.signatures import require_current_signatures
from toolkit.export.attestation.signing import create_key_pair
from toolkit.export.verify_evidence import Verified, VerifyEvidenceConfig, verify_evidence
from toolkit.runs.run import read_run

WHO = "release@example.org"
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "image", "digest": {"sha256": "f" * 64}}],
    "predicateType": "https://slsa.dev/provenance/v1", "predicate": {},
}  # fmt: skip
SIGNATURES = ("evidence.sigstore.json", "model.sig")


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run that an identity has signed, and beside it the services' trust configuration."""
    folder = tmp_path_factory.mktemp("keyless")
    with sigstore() as services:
        (folder / "trust.json").write_text(services.trust())
        (folder / "token").write_text(token(WHO))
        run = make_attestable_run(folder / "output")
        found = attested(run, folder / "no.key", keyless=keyless(folder), new_key=False)
    assert (found.signer, found.public_key) == (Identity(name=WHO, hint=ISSUER), None)
    return folder


@pytest.fixture(name="pulled")
def _pulled(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder / "output", tmp_path / "output")
    shutil.copyfile(folder / "trust.json", tmp_path / "trust.json")
    return next((tmp_path / "output").glob("v0-*"))


def keyless(folder: Path) -> Keyless:
    return Keyless(token=folder / "token", trust=folder / "trust.json")


def verified(run: Path, identity: str = WHO, issuer: str = ISSUER, trust: str | None = "trust.json") -> Verified:
    policy = {"schema_version": 1, "identities": [{"identity": identity, "issuer": issuer}]}
    path = run.parents[1] / "policy.yaml"
    path.write_text(json.dumps(policy | ({"trust": trust} if trust else {})))
    return verify_evidence(VerifyEvidenceConfig(evidence=str(run), policy=path))


def failures(found: Verified) -> list[str]:
    return [f"{one.subject}: {one.text}" for one in found.checks if not one.holds]


def test_what_an_identity_signed_meets_a_policy_with_it(pulled: Path):
    found = verified(pulled)

    assert failures(found) == []
    assert found.checks[0].text == f"valid, by {WHO} ({ISSUER})"
    require_current_signatures(pulled / "adapter", read_run(pulled))


@pytest.mark.parametrize("demanded", [{"identity": "intruder@example.org"}, {"issuer": "https://other.example.org"}])
def test_another_identity_or_another_issuer_is_not_accepted(pulled: Path, demanded: dict[str, str]):
    [failed] = failures(verified(pulled, **demanded))

    assert failed.startswith(
        "signature: evidence.sigstore.json cannot be used: no identity of the policy has signed it"
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_statement_that_has_changed_is_not_accepted(pulled: Path, name: str):
    path = pulled / "adapter" / name
    bundle = json.loads(path.read_text())
    bundle["dsseEnvelope"]["payload"] = bundle["dsseEnvelope"]["payload"].replace("ewog", "ewoK", 1)
    path.write_text(json.dumps(bundle))

    [failed] = failures(verified(pulled))
    assert f"{name} cannot be used: no identity of the policy has signed it" in failed


def test_the_public_sigstore_vouches_for_nobody_of_another_one(pulled: Path):
    [failed] = failures(verified(pulled, trust=None))

    assert "no identity of the policy has signed it" in failed


def test_a_policy_with_keys_does_not_take_an_identity(pulled: Path):
    create_key_pair(pulled.parents[1] / "release.key")
    path = pulled.parents[1] / "policy.yaml"
    path.write_text("schema_version: 1\nkeys: [release.pub]\n")

    [failed] = failures(verify_evidence(VerifyEvidenceConfig(evidence=str(pulled), policy=path)))
    assert "it is signed by an identity, and the policy names none" in failed


def test_model_signings_library_accepts_the_identity_too(pulled: Path):
    import model_signing

    config = model_signing.verifying.Config().use_sigstore_verifier(
        identity=WHO, oidc_issuer=ISSUER, trust_config=pulled.parents[1] / "trust.json"
    )
    config.verify(pulled / "adapter", pulled / "adapter" / "model.sig")
    (pulled / "adapter" / "report.json").write_text("{}")
    with pytest.raises(ValueError, match=r"Hash mismatch for .*report\.json"):
        config.verify(pulled / "adapter", pulled / "adapter" / "model.sig")


def test_services_that_do_not_answer_are_told_with_what_to_do(folder: Path):
    """They have ended by now."""
    signer = KeylessSigner(keyless(folder))

    with pytest.raises(ConfigError, match=r"Sigstore did not sign: .* Sign with a key instead"):
        signer.sign(STATEMENT)


@pytest.mark.parametrize("content", ["", "no token", "a.b.c"])
def test_what_is_no_token_is_refused(tmp_path: Path, content: str):
    (tmp_path / "token").write_text(content)

    with pytest.raises(ConfigError, match="The identity token is not valid"):
        KeylessSigner(Keyless(token=tmp_path / "token"))


def test_where_no_service_gives_an_identity_a_key_is_advised(monkeypatch: pytest.MonkeyPatch):
    for name in ("GITHUB_ACTIONS", "CI", "GITLAB_CI", "CIRCLECI", "BUILDKITE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigError, match=r"There is no identity to sign as.* Sign with a key instead"):
        KeylessSigner(Keyless())


def test_a_trust_configuration_that_is_none_is_named(pulled: Path):
    (pulled.parents[1] / "trust.json").write_text("{}")

    with pytest.raises(ConfigError, match=r"The trust configuration .*trust\.json is not valid"):
        verified(pulled)
