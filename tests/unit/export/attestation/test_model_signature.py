"""The statement of Model Signing as a value, and as OpenSSF's own library reads it and signs it."""

import copy
import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.attestable_run import attested, make_attestable_run
from toolkit.core.files import file_sha256
from toolkit.export.attestation.model_signature import IGNORED, model_statement, signed_files
from toolkit.export.attestation.policy import read_policy
from toolkit.export.attestation.signatures import first_opened
from toolkit.export.attestation.signing import create_key_pair

SIGNATURE = "model.sig"
FILES = {"b.json": "b" * 64, "a.safetensors": "a" * 64}


@pytest.fixture(name="statement")
def _statement() -> dict[str, Any]:
    return model_statement("v0", FILES)


def test_its_subject_is_the_digest_of_all_digests_in_the_order_of_the_names(statement: dict):
    both = bytes.fromhex("a" * 64 + "b" * 64)

    assert statement["subject"] == [{"name": "v0", "digest": {"sha256": sha256(both).hexdigest()}}]
    assert [one["name"] for one in statement["predicate"]["resources"]] == ["a.safetensors", "b.json"]


def test_it_is_the_same_after_reading(statement: dict):
    assert signed_files(statement) == FILES


@pytest.mark.parametrize("value", [None, [], {}, {"predicateType": 1, "subject": [], "predicate": {}}])
def test_anything_else_is_none(value: object):
    with pytest.raises(ValueError, match="is not a statement of Model Signing"):
        signed_files(value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("predicateType",), "https://slsa.dev/x"), (("subject", 0, "digest", "sha256"), "0" * 64), (("subject",), []),
        (("predicate", "resources", 0, "digest"), "c" * 64), (("predicate", "resources", 0, "digest"), "no digest"),
        (("predicate", "resources", 0, "name"), "b.json"), (("predicate", "resources", 0, "algorithm"), "blake2"),
        (("predicate", "serialization", "method"), "shards"),
    ],
)  # fmt: skip
def test_one_that_does_not_add_up_is_refused(statement: dict, path: tuple, value: object):
    changed = copy.deepcopy(statement)
    *outer, last = path
    inner: Any = changed
    for key in outer:
        inner = inner[key]
    inner[last] = value

    with pytest.raises(ValueError, match="is not a statement of Model Signing"):
        signed_files(changed)


@pytest.fixture(name="pulled")
def _pulled(tmp_path: Path) -> Path:
    """A signed adapter as others have it, from a hub, and beside its folder the key."""
    run = make_attestable_run(tmp_path / "output")
    attested(run, tmp_path / "release.key")
    shutil.copytree(run / "adapter", tmp_path / "pulled", ignore=shutil.ignore_patterns("export.json"))
    (tmp_path / "pulled" / ".gitattributes").write_text("a hub's own")
    (tmp_path / "pulled" / ".cache").mkdir()
    (tmp_path / "pulled" / ".cache" / "download.lock").write_text("")
    return tmp_path / "pulled"


def verify(folder: Path, key: str = "release.pub") -> None:
    import model_signing

    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=folder.parent / key)
    config.verify(folder, folder / SIGNATURE)


def test_the_library_accepts_what_attest_signed(pulled: Path):
    verify(pulled)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "report.json", "run.json"])
def test_the_library_refuses_a_file_that_has_changed(pulled: Path, name: str):
    (pulled / name).write_bytes((pulled / name).read_bytes() + b" ")

    with pytest.raises(ValueError, match=f"Hash mismatch for .*{name}"):
        verify(pulled)


def test_the_library_refuses_a_file_that_was_added(pulled: Path):
    (pulled / "adapter_model.bin").write_bytes(b"others")

    with pytest.raises(ValueError, match=r"Extra files found in model .*adapter_model\.bin"):
        verify(pulled)


def test_the_library_refuses_another_key(pulled: Path):
    create_key_pair(pulled.parent / "other.key")

    with pytest.raises(ValueError, match="Key mismatch"):
        verify(pulled, "other.pub")


def test_what_the_library_signed_is_read_here(pulled: Path):
    import model_signing

    ours = signed_by(pulled)
    (pulled / SIGNATURE).unlink()
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=pulled.parent / "release.key")
    hashing = model_signing.hashing.Config().set_ignored_paths(paths=[pulled / name for name in IGNORED])
    config.set_hashing_config(hashing).sign(pulled, pulled / SIGNATURE)

    assert signed_by(pulled) == ours == {
        path.name: file_sha256(path) for path in pulled.iterdir() if path.name not in IGNORED
    }  # fmt: skip


def signed_by(folder: Path) -> dict[str, str]:
    """As we read and verify it."""
    (folder.parent / "policy.yaml").write_text("schema_version: 1\nkeys: [release.pub]\n")
    found = first_opened([folder / SIGNATURE], read_policy(folder.parent / "policy.yaml"), signed_files)
    assert found is not None
    assert found.value is not None, found.text
    assert (
        json.loads((folder / SIGNATURE).read_text())["verificationMaterial"]["publicKey"]["hint"] == found.key.pem_hint
    )
    return found.value
