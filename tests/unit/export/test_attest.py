"""What `attest` signs, and what it does not sign."""

import json
from pathlib import Path

import pytest

from tests.fakes.attestable_run import LOCK, RUN, attested, make_attestable_run, write_compared
from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256
from toolkit.export.attest import AttestConfig, attest, sign_statement
from toolkit.export.attestation.bundle import read_bundle


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    return make_attestable_run(tmp_path / "output")


@pytest.fixture(name="key")
def _key(tmp_path: Path) -> Path:
    return tmp_path / "release.key"


def signed(path: Path) -> dict:
    return json.loads(read_bundle(json.loads(path.read_text())).payload)


def test_the_statement_is_about_every_published_file(run: Path, key: Path):
    found = attested(run, key)
    statement = signed(found.path)

    assert found.path == run / "adapter" / "evidence.sigstore.json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    subjects = {one["name"]: one["digest"] for one in statement["subject"]}
    names = ("adapter_model.safetensors", "adapter_config.json", "README.md", "report.json", "report.md", "run.json")
    assert subjects == {name: {"sha256": file_sha256(run / "adapter" / name)} for name in names}


def test_the_predicate_is_the_verdict_and_what_it_rests_on(run: Path, key: Path):
    predicate = signed(attested(run, key).path)["predicate"]
    report = json.loads((run / "adapter" / "report.json").read_text())

    assert predicate["run_id"] == RUN
    assert predicate["verdict"]["passed"] is True
    assert predicate["thresholds"] == report["thresholds"]
    assert predicate["metrics"]["reliability"] == report["metrics"]["reliability"]
    assert {"value", "low", "high", "n"} <= predicate["metrics"]["reliability"].keys()
    assert predicate["report_sha256"] == report["content_sha256"]
    assert predicate["base_model"]["lock_sha256"] == file_sha256(LOCK)
    assert predicate["data"] == {
        "sha256": "d" * 64, "rows": 1, "files": {"train.jsonl": file_sha256(run / "train.jsonl")},
    }  # fmt: skip
    assert predicate["probes"] == {"sha256": "b" * 64, "bank": None}
    assert predicate["toolkit"] == {"versions": {"torch": "2.13.0"}, "image": "sha256:" + "e" * 64}


def test_no_path_of_this_machine_is_signed(tmp_path: Path, key: Path):
    run = make_attestable_run(tmp_path / "output", base_model={"name": "/home/me/mine", "path": "/home/me/mine"})

    assert "/home/me" not in json.dumps(signed(attested(run, key).path))


@pytest.mark.parametrize(("recorded", "stated"), [({"image": None}, "not in an image"), ({}, "sha256:" + "e" * 64)])
def test_the_image_is_stated_as_it_was_recorded(tmp_path: Path, key: Path, recorded: dict, stated: str):
    run = make_attestable_run(tmp_path / "output", **recorded)

    assert signed(attested(run, key).path)["predicate"]["toolkit"]["image"] == stated


def test_a_run_of_an_older_version_states_no_image(run: Path, key: Path):
    record = json.loads((run / "run.json").read_text())
    del record["image"]
    (run / "run.json").write_text(json.dumps(record))

    assert signed(attested(run, key).path)["predicate"]["toolkit"]["image"] is None


def test_a_failed_verdict_is_signed_as_failed(tmp_path: Path, key: Path):
    run = make_attestable_run(tmp_path / "output", after="Qwen")

    verdict = signed(attested(run, key).path)["predicate"]["verdict"]
    assert (verdict["passed"], verdict["took"]) == (False, False)


def test_a_further_subject_is_stated(run: Path, key: Path):
    digest = "f" * 64
    found = attested(run, key, subjects=(f"ghcr.io/me/tuned@sha256:{digest}",))

    assert {"name": "ghcr.io/me/tuned", "digest": {"sha256": digest}} in signed(found.path)["subject"]


@pytest.mark.parametrize("subject", ["ghcr.io/me/tuned:1.0", "@sha256:" + "f" * 64, "a@sha256:f",
                                     "README.md@sha256:" + "f" * 64])  # fmt: skip
def test_a_subject_that_names_nothing_is_refused_before_anything_is_written(run: Path, key: Path, subject: str):
    with pytest.raises(ConfigError, match="names no subject"):
        attested(run, key, subjects=(subject,))
    assert not key.exists()


@pytest.mark.parametrize("name", ["train.jsonl", "checkpoint-2/adapter_model.safetensors"])
def test_nothing_is_signed_of_a_run_in_which_something_has_changed(run: Path, key: Path, name: str):
    (run / name).write_text("changed")

    with pytest.raises(ConfigError, match="has changed since the training"):
        attested(run, key)
    assert not key.exists()


def test_nothing_is_signed_of_a_report_that_has_changed(run: Path, key: Path):
    path = run / "compare" / "report.json"
    path.write_text(path.read_text().replace('"passed": true', '"passed": false', 1))

    with pytest.raises(ConfigError, match="it has changed since it was written"):
        attested(run, key)


def test_a_run_that_was_not_compared_has_no_verdict_to_sign(run: Path, key: Path):
    (run / "compare" / "report.json").unlink()

    with pytest.raises(ConfigError, match="was not compared"):
        attested(run, key)


def test_a_portable_adapter_with_an_older_report_is_exported_first(run: Path, key: Path):
    """`make` stands for the export, which brings it up to date."""
    before = (run / "adapter" / "report.json").read_bytes()
    write_compared(run, "Qwen")
    current = (run / "adapter" / "report.json").read_bytes()
    (run / "adapter" / "report.json").write_bytes(before)
    made = []

    def make(config, _listener):
        made.append(config.run)
        (run / "adapter" / "report.json").write_bytes(current)
        return type("Result", (), {"folder": run / "adapter"})

    found = attest(AttestConfig(run=RUN, output=run.parent, key=key, new_key=True), make=make)

    assert made == [str(run)]
    assert found.statement.predicate.verdict.passed is False


STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "image", "digest": {"sha256": "f" * 64}}],
    "predicateType": "https://slsa.dev/provenance/v1", "predicate": {},
}  # fmt: skip


def test_another_statement_is_signed_as_it_is(tmp_path: Path, key: Path):
    (tmp_path / "statement.json").write_text(json.dumps(STATEMENT))
    found = sign_statement(tmp_path / "statement.json", key, new_key=True)

    assert found.path == tmp_path / "statement.sigstore.json"
    assert signed(found.path) == STATEMENT


@pytest.mark.parametrize("value", [[], STATEMENT | {"subject": []}, STATEMENT | {"_type": 1}, None])
def test_what_is_no_statement_is_not_signed(tmp_path: Path, key: Path, value: object):
    (tmp_path / "statement.json").write_text(json.dumps(value))

    with pytest.raises(ConfigError, match=r"statement\.json cannot be signed"):
        sign_statement(tmp_path / "statement.json", key, new_key=True)
    assert not key.exists()


def test_a_link_among_the_published_files_is_refused(run: Path, key: Path):
    (run / "adapter" / "LICENSE").symlink_to("/etc/hostname")

    with pytest.raises(ConfigError, match="symbolic link"):
        attested(run, key)
