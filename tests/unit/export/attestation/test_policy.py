"""A policy's text: what it may say, and that nothing in it is passed over."""

from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256, locks_folder
from toolkit.export.attestation.policy import read_policy
from toolkit.export.attestation.signing import create_key_pair

HEAD = "schema_version: 1\nkeys: [release.pub]\n"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    create_key_pair(tmp_path / "release.key")
    return tmp_path


def policy(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text)
    return path


def test_a_policy_demands_a_key_and_a_passed_verdict_and_nothing_unsaid(folder: Path):
    found = read_policy(policy(folder, HEAD))

    assert [key.name for key in found.keys] == ["release.pub"]
    assert (found.verdict, found.thresholds) == ("passed", {})
    assert (found.base, found.data, found.probes, found.image) == (None, None, None, None)


def test_a_base_is_named_by_its_model_or_its_locks_sha256(folder: Path):
    lock = file_sha256(locks_folder() / "tiny-qwen2.json")
    found = read_policy(policy(folder, f"{HEAD}base: [Tiny-Qwen2, {'a' * 64}, 'sha256:{'b' * 64}']\n"))

    assert found.base == {"tiny-qwen2": lock, "a" * 64: "a" * 64, f"sha256:{'b' * 64}": "b" * 64}


def test_identities_stand_beside_keys_or_in_their_place(folder: Path):
    who = "identities: [{identity: me@example.org, issuer: 'https://example.org'}]\ntrust: trust.json\n"
    found = read_policy(policy(folder, f"schema_version: 1\n{who}"))

    assert found.keys == []
    assert [(one.name, one.hint) for one in found.identities] == [("me@example.org", "https://example.org")]
    assert found.trust == folder / "trust.json"
    assert [key.name for key in read_policy(policy(folder, HEAD + who)).keys] == ["release.pub"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not a mapping"),
        ("[", "it cannot be read: line 1"),
        ("keys: [release.pub]\n", "schema_version must be 1"),
        ("schema_version: 1\n", "keys is missing: without it, anybody's signature would do"),
        ("schema_version: 1\nidentities: []\n", "identities must be a list of mappings with identity and issuer"),
        ("schema_version: 1\nidentities: [{identity: me}]\n", "identities must be a list of mappings"),
        ("schema_version: 1\nidentities: [{identity: me, issuer: 1}]\n", "identities must be a list of mappings"),
        (HEAD + "trust: trust.json\n", "trust must name a file, and belongs to identities"),
        ("schema_version: 1\nkeys: []\n", "keys must be a list of text, with at least one entry"),
        ("schema_version: 1\nkeys: release.pub\n", "keys must be a list"),
        (HEAD + "tresholds: {kl: 1}\n", "\"tresholds\" is not known. Did you mean 'thresholds'?"),
        (HEAD + "thresholds: {klm: 1}\n", '"klm" is not a judged metric'),
        (HEAD + "thresholds: {kl: low}\n", "kl must be a number"),
        (HEAD + "thresholds: {kl: .nan}\n", "kl must be a number"),
        (HEAD + "thresholds: {kl: true}\n", "kl must be a number"),
        (HEAD + "thresholds: [kl]\n", "thresholds must be a mapping"),
        (HEAD + "verdict: maybe\n", "verdict must be one of passed, strict, any"),
        (HEAD + "verdict: [passed]\n", "verdict must be one of passed, strict, any"),
        (HEAD + "base: [llama]\n", '"llama" is neither a known model nor the sha256 of a lock'),
        (HEAD + "base: []\n", "base must be a list of text, with at least one entry"),
        (HEAD + "data: [abc]\n", 'data: "abc" is not a sha256'),
        (HEAD + "image: [1]\n", "image must be a list of text"),
    ],
)
def test_what_a_policy_cannot_say_is_refused(folder: Path, text: str, why: str):
    with pytest.raises(ConfigError) as caught:
        read_policy(policy(folder, text))

    assert why in str(caught.value)
    assert caught.value.next == "docs/evidence.md has an example."


def test_a_policy_or_a_key_that_is_missing_is_named(folder: Path):
    with pytest.raises(ConfigError, match=r"There is no policy .*none\.yaml"):
        read_policy(folder / "none.yaml")
    with pytest.raises(ConfigError, match=r"There is no key .*other\.pub"):
        read_policy(policy(folder, "schema_version: 1\nkeys: [other.pub]\n"))
