"""Key pairs: made for their owner only, never replaced, read with a password; keys of other kinds are refused."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from toolkit.core.errors import ConfigError
from toolkit.export.attestation.signing import create_key_pair, default_key, read_key_pair, read_public_key


def test_a_key_pair_signs_what_its_public_half_verifies(tmp_path: Path):
    made = create_key_pair(tmp_path / "keys" / "release.key")
    read = read_key_pair(tmp_path / "keys" / "release.key")
    public = read_public_key(tmp_path / "keys" / "release.pub")

    assert made.public == read.public == public
    signature = read.sign(b"message")
    assert public.verifies(signature, b"message")
    assert not public.verifies(signature, b"another")
    assert not public.verifies(b"no signature", b"message")


def test_the_private_key_is_its_owners_and_takes_no_files_place(tmp_path: Path):
    key = tmp_path / "release.key"
    create_key_pair(key)
    before = key.read_bytes()

    assert key.stat().st_mode & 0o777 == 0o600
    assert b"BEGIN PRIVATE KEY" in before  # PKCS #8, which "cosign import-key-pair" takes
    assert b"BEGIN PUBLIC KEY" in (tmp_path / "release.pub").read_bytes()  # cosign's own form
    with pytest.raises(ConfigError, match=r"release\.key exists: no key is replaced"):
        create_key_pair(key)
    key.unlink()
    with pytest.raises(ConfigError, match=r"release\.pub exists"):
        create_key_pair(key)
    assert not key.exists()


def test_a_link_in_the_keys_place_is_not_written_through(tmp_path: Path):
    (tmp_path / "release.key").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="exists"):
        create_key_pair(tmp_path / "release.key")
    assert not (tmp_path / "elsewhere").exists()


def test_a_password_encrypts_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key = tmp_path / "release.key"
    monkeypatch.setenv("TOOLKIT_KEY_PASSWORD", "open sesame")
    made = create_key_pair(key)

    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key.read_bytes()
    assert read_key_pair(key).public == made.public
    monkeypatch.setenv("TOOLKIT_KEY_PASSWORD", "wrong")
    with pytest.raises(ConfigError, match="TOOLKIT_KEY_PASSWORD is wrong"):
        read_key_pair(key)
    monkeypatch.delenv("TOOLKIT_KEY_PASSWORD")
    with pytest.raises(ConfigError, match=r"is encrypted\. Set TOOLKIT_KEY_PASSWORD"):
        read_key_pair(key)


def test_a_password_without_an_encrypted_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    create_key_pair(tmp_path / "release.key")
    monkeypatch.setenv("TOOLKIT_KEY_PASSWORD", "open sesame")

    with pytest.raises(ConfigError, match="is not encrypted, and TOOLKIT_KEY_PASSWORD is set"):
        read_key_pair(tmp_path / "release.key")


def test_a_missing_key_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"There is no key .*none\.key\. Create one with --new-key"):
        read_key_pair(tmp_path / "none.key")
    with pytest.raises(ConfigError, match=r"There is no key .*none\.pub\. The publisher has it"):
        read_public_key(tmp_path / "none.pub")


def test_cosigns_own_encrypted_form_is_named(tmp_path: Path):
    (tmp_path / "cosign.key").write_text("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n")

    with pytest.raises(ConfigError, match="cosign's own form, which only cosign reads"):
        read_key_pair(tmp_path / "cosign.key")


@pytest.mark.parametrize(("key", "kind"), [(ec.generate_private_key(ec.SECP384R1()), "secp384r1"),
                                           (ed25519.Ed25519PrivateKey.generate(), "Ed25519")])  # fmt: skip
def test_a_key_of_another_kind_is_refused(tmp_path: Path, key, kind: str):
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "a.key").write_bytes(private)
    (tmp_path / "a.pub").write_bytes(public)

    with pytest.raises(ConfigError, match=f"is a key of another kind .*{kind}"):
        read_key_pair(tmp_path / "a.key")
    with pytest.raises(ConfigError, match=f"is a key of another kind .*{kind}"):
        read_public_key(tmp_path / "a.pub")


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff\xfe", b"-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.key").write_bytes(content)

    with pytest.raises(ConfigError, match=r"is not a key|cannot be read"):
        read_key_pair(tmp_path / "a.key")
    with pytest.raises(ConfigError, match=r"is not a public key|cannot be read"):
        read_public_key(tmp_path / "a.key")


def test_the_users_key_is_in_their_configuration(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/me/settings")

    assert default_key() == Path("/home/me/settings/finetune-and-prove/evidence.key")
