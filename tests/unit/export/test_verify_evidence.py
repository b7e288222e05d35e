"""Evidence that holds, and every way in which it does not: each with the part that was changed in its message."""

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.attestable_run import BASE, LOCK, attested, make_attestable_run
from tests.fakes.json_answers import holds
from tests.fakes.skeletons import ROOT, texts_of
from toolkit.cli.sharing.verify_evidence import chinese, lines
from toolkit.core.errors import ConfigError
from toolkit.core.files import data_folder, file_sha256, write_json
from toolkit.export.attestation.bundle import read_bundle, signed_bundle
from toolkit.export.attestation.model_signature import model_statement
from toolkit.export.attestation.signing import create_key_pair, read_key_pair
from toolkit.export.verify_evidence import Verified, VerifyEvidenceConfig, verify_evidence
from toolkit.runs.comparison import with_digest

HAN = re.compile("[\u4e00-\u9fff]")
MODULES = [ROOT / "toolkit/export/verify_evidence.py", *sorted((ROOT / "toolkit/export/attestation").glob("*.py"))]
SAYS = {"Check": ("subject", "text"), "Opened": ("text",), "ValueError": ("what",), "WrongSignatureError": ("what",)}
EVIDENCE = "evidence.sigstore.json"
POLICY = f"""
schema_version: 1
keys: [release.pub]
thresholds: {{reliability: 0.5, residue: 0.1}}
base: [{BASE}]
data: [{"d" * 64}]
probes: [{"b" * 64}]
image: ["sha256:{"e" * 64}"]
"""


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    """A run whose verdict is signed, and beside it a policy that it meets."""
    run = make_attestable_run(tmp_path / "output")
    attested(run, tmp_path / "release.key")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return run


@pytest.fixture(name="pulled")
def _pulled(run: Path, tmp_path: Path) -> Path:
    """The portable adapter as others have it."""
    folder = tmp_path / "pulled"
    shutil.copytree(run / "adapter", folder, ignore=shutil.ignore_patterns("export.json"))
    return folder


def verified(evidence: Path | str, **options: Any) -> Verified:
    folder = Path(evidence)
    policy = next(parent / "policy.yaml" for parent in folder.parents if (parent / "policy.yaml").is_file())
    return verify_evidence(VerifyEvidenceConfig(evidence=str(evidence), policy=policy, **options))


def failures(evidence: Path) -> list[tuple[str, str]]:
    found = verified(evidence)
    assert found.exit_code == (0 if all(check.holds for check in found.checks) else 25)
    return [(check.subject, check.text) for check in found.checks if not check.holds]


def policy_of(pulled: Path, **changes: Any) -> None:
    value = {"schema_version": 1, "keys": ["release.pub"]} | changes
    (pulled.parent / "policy.yaml").write_text(json.dumps(value))


def test_what_was_published_meets_the_policy(pulled: Path):
    found = verified(pulled)

    assert (found.holds, found.exit_code) == (True, 0)
    subjects = [check.subject for check in found.checks]
    assert subjects[:2] == ["signature", "model signature"]
    assert subjects[2:] == ["files", "verdict", "reliability", "residue", "base", "data", "probes", "image"]
    assert list(lines(found))[-1] == "Verified: signed by release.pub, and all 10 checks hold."
    assert holds("verify-evidence", found.to_dict())["verified"] is True


def test_the_lines_are_in_the_users_language(pulled: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_LANG", "zh")
    held = list(lines(verified(pulled)))
    (pulled / "adapter_config.json").write_text('{"r": 1}')
    failed = list(lines(verified(pulled)))

    assert held[0].startswith("签名：有效，由 release.pub 签名（")
    assert held[2] == f"文件：全部 {len(list(pulled.iterdir())) - 2} 个与签名时相同"
    assert held[3:5] == ["结论：按数值通过，按区间证据不足", "可靠性：1，下限 0.5"]
    assert held[-1] == "核对通过：由 release.pub 签名，10 项检查全部成立。"
    assert failed[2].startswith("不成立 文件：adapter_config.json 在签名之后改过：它的 sha256 是 ")
    assert failed[-1] == "核对未通过：10 项检查中 1 项不成立。"


def test_every_text_has_its_chinese():
    texts = [one for path in MODULES for name, said in SAYS.items() for one in texts_of(path, {name}, said)]
    own = {one.skeleton: one.place for one in texts if one.skeleton and any(map(str.isalpha, one.skeleton))}

    assert len(own) > 30
    assert [f"{place}: {text}" for text, place in own.items() if not HAN.search(chinese(text.replace("{}", "7")))] == []


def test_a_run_is_checked_with_its_rows_and_its_report(run: Path):
    assert failures(run) == []
    assert [check.subject for check in verified(run).checks][:4] == ["signature", "model signature", "files", "run"]
    named = VerifyEvidenceConfig(evidence="v0", policy=run.parents[1] / "policy.yaml", output=run.parent)
    assert verify_evidence(named).holds


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("adapter_model.safetensors", "adapter"), ("adapter_config.json", "file"), ("report.json", "report"),
        ("report.md", "file"), ("README.md", "file"), ("run.json", "record"),
    ],
)  # fmt: skip
def test_a_published_file_that_has_changed_is_named(pulled: Path, name: str, subject: str):
    (pulled / name).write_text((pulled / name).read_text() + " ")
    sha256 = file_sha256(pulled / name)

    assert failures(pulled) == [(subject, f"{name} has changed since it was signed: its sha256 is {sha256}")]


@pytest.mark.parametrize(("name", "subject"), [("adapter_model.safetensors", "adapter"), ("report.json", "report")])
def test_a_published_file_that_is_missing_is_named(pulled: Path, name: str, subject: str):
    (pulled / name).unlink()

    assert failures(pulled) == [(subject, f"{name} is missing")]


def test_a_file_that_was_added_is_named(pulled: Path):
    (pulled / "adapter_model.bin").write_bytes(b"other weights")
    (pulled / ".gitattributes").write_text("a hub's own")

    assert failures(pulled) == [("file", "adapter_model.bin was not signed")]


def test_rows_that_have_changed_are_named(run: Path):
    (run / "train.jsonl").write_text('{"messages": [1]}\n')
    sha256 = file_sha256(run / "train.jsonl")

    assert failures(run) == [("data", f"train.jsonl has changed since it was signed: its sha256 is {sha256}")]


def test_a_runs_own_adapter_that_has_changed_is_named(run: Path):
    (run / "checkpoint-2" / "adapter_model.safetensors").write_bytes(b"others")

    [(subject, text)] = failures(run)
    assert (subject, text[:41]) == ("adapter", "adapter_model.safetensors has changed sin")


def test_a_runs_own_report_that_has_changed_is_named_although_its_digest_is_right(run: Path):
    path = run / "compare" / "report.json"
    report = json.loads(path.read_text())
    report["metrics"]["reliability"]["value"] = 0.5
    write_json(path, with_digest(report))

    assert failures(run) == [("report", "compare/report.json is not the one that was signed")]


@pytest.mark.parametrize(
    ("field", "change", "subject"),
    [("data", {"sha256": "0" * 64}, "data"), ("base_model", {"lock_sha256": "0" * 64}, "base")],
)
def test_a_runs_record_that_names_something_else_is_told(run: Path, field: str, change: dict, subject: str):
    path = run / "run.json"
    record = json.loads(path.read_text())
    record[field] |= change
    path.write_text(json.dumps(record))

    [(found, text)] = failures(run)
    assert found == subject
    assert text.startswith(f"run.json has {'0' * 64}, but ")


def test_a_signature_that_was_replaced_is_named(pulled: Path):
    """By a valid one of the same key for something else."""
    bundle = json.loads((pulled / EVIDENCE).read_text())
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(b"0" * 70).decode()
    write_json(pulled / EVIDENCE, bundle)

    [(subject, text)] = failures(pulled)
    assert subject == "signature"
    assert text.startswith(f"{EVIDENCE} has changed since it was signed")


def test_a_statement_that_has_changed_is_named_and_nothing_in_it_counts(pulled: Path):
    bundle = json.loads((pulled / EVIDENCE).read_text())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    statement["predicate"]["metrics"]["reliability"]["value"] = 0.0
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    write_json(pulled / EVIDENCE, bundle)

    found = verified(pulled)
    assert (found.statement, found.key, found.exit_code) == (None, None, 25)
    assert [check.subject for check in found.checks] == ["signature"]
    assert "has changed since it was signed" in found.checks[0].text


def test_evidence_of_somebody_else_is_named_with_the_keys_that_were_demanded(run: Path, tmp_path: Path):
    """Who signs anew what they changed is not who the policy names."""
    (run / "adapter" / "README.md").write_text("# Mine\n")
    attested(run, tmp_path / "intruder.key")

    [(subject, text)] = failures(run)
    assert subject == "signature"
    assert text.startswith(f"{EVIDENCE} is not signed by a key of the policy (release.pub), but by ")


def test_of_several_signers_the_one_of_the_policy_counts(pulled: Path, run: Path, tmp_path: Path):
    (pulled / EVIDENCE).rename(pulled / "evidence-2.sigstore.json")
    shutil.copyfile(attested(run, tmp_path / "other.key").path, pulled / EVIDENCE)

    assert failures(pulled) == []


def test_a_model_signature_that_has_changed_is_named(pulled: Path):
    bundle = json.loads((pulled / "model.sig").read_text())
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(b"0" * 70).decode()
    write_json(pulled / "model.sig", bundle)

    [(subject, text)] = failures(pulled)
    assert subject == "model signature"
    assert text.startswith("model.sig has changed since it was signed: its signature is not the one of release.pub")


def test_a_model_signature_of_somebody_else_is_named(pulled: Path, run: Path, tmp_path: Path):
    attested(run, tmp_path / "other.key")
    shutil.copyfile(run / "adapter" / "model.sig", pulled / "model.sig")

    [(subject, text)] = failures(pulled)
    assert subject == "model signature"
    assert text.startswith("model.sig is not signed by a key of the policy (release.pub), but by ")
    (pulled / "model.sig").rename(pulled / "model-2.sig")  # beside the publisher's, it changes nothing
    attested(run, tmp_path / "release.key")
    shutil.copyfile(run / "adapter" / "model.sig", pulled / "model.sig")
    assert failures(pulled) == []


def test_a_model_signature_of_the_same_key_about_other_files_is_named(pulled: Path, tmp_path: Path):
    pair = read_key_pair(tmp_path / "release.key")
    statement = model_statement("v0", {"adapter_model.safetensors": "0" * 64})
    (pulled / "model.sig").write_text(signed_bundle(statement, pair))

    assert failures(pulled) == [("model signature", "model.sig is about other files")]


def test_evidence_of_an_older_version_has_no_model_signature(pulled: Path):
    (pulled / "model.sig").unlink()

    assert failures(pulled) == []


def test_missing_evidence_is_a_failure(pulled: Path):
    (pulled / EVIDENCE).unlink()

    assert failures(pulled) == [("signature", f"{pulled} has no {EVIDENCE}")]
    assert list(lines(verified(pulled)))[-1] == "Not verified: 1 of 1 checks failed."


@pytest.mark.parametrize("content", ["", "[]", '{"mediaType": 1}', "\ud7ff", "{" * 200])
def test_evidence_that_is_none_is_a_failure(pulled: Path, content: str):
    (pulled / EVIDENCE).write_text(content)

    [(subject, text)] = failures(pulled)
    assert (subject, text.startswith(f"{EVIDENCE} cannot be used: ")) == ("signature", True)


def test_a_signed_statement_about_something_else_is_a_failure(pulled: Path, tmp_path: Path):
    pair = read_key_pair(tmp_path / "release.key")
    value = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "https://slsa.dev/x",
             "predicate": {}}  # fmt: skip
    (pulled / EVIDENCE).write_text(signed_bundle(value, pair))

    text = f"{EVIDENCE} cannot be used: it states something else (https://slsa.dev/x)"
    assert failures(pulled) == [("signature", text)]


def test_a_figure_that_is_not_a_number_meets_nothing(pulled: Path, tmp_path: Path):
    pair = read_key_pair(tmp_path / "release.key")
    value = json.loads(read_bundle(json.loads((pulled / EVIDENCE).read_text())).payload)
    value["predicate"]["metrics"]["reliability"]["value"] = float("nan")
    (pulled / EVIDENCE).write_text(signed_bundle(value, pair))

    assert failures(pulled) == [("reliability", "nan, at least 0.5 was demanded")]


def test_a_lock_that_has_changed_here_is_named_with_both_digests(
    pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    signed = file_sha256(LOCK)
    shutil.copytree(data_folder(), tmp_path / "data", ignore=shutil.ignore_patterns("*.safetensors"))
    lock = tmp_path / "data" / "locks" / LOCK.name
    lock.write_text(lock.read_text() + "\n")
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))

    assert failures(pulled) == [
        ("base", f"{BASE}, lock {signed}; the lock of that name here is {file_sha256(lock)}")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("demand", "subject", "text"),
    [
        ({"base": ["qwen2.5-7b-instruct"]}, "base", "which the policy does not allow"),
        ({"data": ["0" * 64]}, "data", "which the policy does not allow"),
        ({"probes": ["0" * 64]}, "probes", "which the policy does not allow"),
        ({"image": ["0" * 64]}, "image", "which the policy does not allow"),
        ({"thresholds": {"reliability": 0.99}}, "reliability", "was judged by"),
        ({"thresholds": {"indirect": 0.9}}, "indirect", "was not judged; the policy demands 0.9"),
        ({"thresholds": {"residue": 0.0001}}, "residue", "was judged by 0.05; the policy demands 0.0001"),
        ({"thresholds": {"tool_locality": 0.9}}, "tool_locality", "was not judged; the policy demands 0.9"),
        ({"verdict": "strict"}, "verdict", "passed by its figures, inconclusive by their intervals"),
    ],
)
def test_a_demand_that_is_not_met_is_named(pulled: Path, demand: dict, subject: str, text: str):
    policy_of(pulled, **demand)

    [(found, why)] = failures(pulled)
    assert found == subject
    assert text in why


def test_a_verdict_of_one_half_meets_only_a_policy_that_takes_any(tmp_path: Path):
    run = make_attestable_run(tmp_path / "output", outside=False)
    attested(run, tmp_path / "release.key")
    policy_of(run.parent)

    [(subject, why)] = failures(run / "adapter")
    assert subject == "verdict"
    assert why.startswith("not judged completely by its figures, inconclusive by their intervals (")
    policy_of(run.parent, verdict="any")
    assert failures(run / "adapter") == []


def test_a_failed_verdict_meets_only_a_policy_that_takes_any(tmp_path: Path):
    run = make_attestable_run(tmp_path / "output", after="Qwen")
    attested(run, tmp_path / "release.key")
    policy_of(run.parent)

    [(subject, text)] = failures(run)
    assert (subject, text.startswith("failed (")) == ("verdict", True)
    assert chinese(text) == "未通过（可靠性为 0.000，低于 0.9；残留为 1.000，高于 0.05）"
    policy_of(run.parent, verdict="any")
    assert failures(run) == []
    policy_of(run.parent, verdict="any", thresholds={"reliability": 0.5})
    assert failures(run) == [("reliability", "0, at least 0.5 was demanded")]


def test_a_policy_in_which_another_key_was_put_does_not_accept_the_publishers(pulled: Path, tmp_path: Path):
    create_key_pair(tmp_path / "other.key")
    policy_of(pulled, keys=["other.pub"])

    [(subject, text)] = failures(pulled)
    assert (subject, "(other.pub)" in text) == ("signature", True)


def test_a_policy_that_has_changed_is_refused_by_its_sha256(pulled: Path):
    policy = pulled.parent / "policy.yaml"
    before = file_sha256(policy)
    assert verified(pulled, policy_sha256=f"sha256:{before}").policy.sha256 == before
    policy.write_text(POLICY.replace("residue: 0.1", "residue: 1"))

    with pytest.raises(ConfigError, match=rf"policy\.yaml has changed: its sha256 is {file_sha256(policy)}"):
        verified(pulled, policy_sha256=before)


def test_a_further_subject_can_be_demanded(tmp_path: Path, run: Path):
    attested(run, tmp_path / "release.key", subjects=("image@sha256:" + "f" * 64,))

    assert verified(run, subject="sha256:" + "f" * 64).holds
    [text] = [one.text for one in verified(run, subject="0" * 64).checks if one.subject == "subject"]
    assert text == f"not about sha256:{'0' * 64}"


def test_a_statement_about_an_image_is_checked_in_its_file(pulled: Path, tmp_path: Path):
    stated = {
        "_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "image", "digest": {"sha256": "f" * 64}}],
        "predicateType": "https://slsa.dev/provenance/v1", "predicate": {},
    }  # fmt: skip
    path = tmp_path / "statement.sigstore.json"
    path.write_text(signed_bundle(stated, read_key_pair(tmp_path / "release.key")))

    found = verified(path, subject="f" * 64)
    assert [(one.subject, one.holds) for one in found.checks] == [
        ("signature", True), ("kind", True), ("subject", True),
    ]  # fmt: skip
    assert found.to_dict()["statement"] == stated
    assert verified(path, subject="0" * 64).exit_code == 25
    path.write_text(path.read_text().replace('"payload": "ewog', '"payload": "ewoK'))
    [(subject, text)] = failures(path)
    assert (subject, "has changed since it was signed" in text) == ("signature", True)


def test_a_verdict_without_its_files_is_refused(pulled: Path):
    with pytest.raises(ConfigError, match=r"is the verdict on an adapter\. Name the folder"):
        verified(pulled / EVIDENCE)


def test_an_identity_that_the_policy_does_not_name_is_told(pulled: Path):
    bundle = json.loads((pulled / EVIDENCE).read_text())
    bundle["verificationMaterial"] = {"certificate": {"rawBytes": ""}, "tlogEntries": []}
    write_json(pulled / EVIDENCE, bundle)

    text = f"{EVIDENCE} cannot be used: it is signed by an identity, and the policy names none"
    assert failures(pulled) == [("signature", text)]


def test_a_link_in_the_folder_is_refused(pulled: Path):
    (pulled / "LICENSE").symlink_to("/etc/hostname")

    with pytest.raises(ConfigError, match="symbolic link"):
        verified(pulled)


def test_a_folder_that_does_not_exist_is_no_failed_check(pulled: Path):
    with pytest.raises(ConfigError):
        verified(pulled / "none")


def test_each_check_is_a_line(pulled: Path):
    assert [line for line in lines(verified(pulled)) if "FAILED" in line] == []
    (pulled / "README.md").write_text("# Better\n")
    shown = list(lines(verified(pulled)))

    assert len(shown) == len(verified(pulled).checks) + 1
    assert [line for line in shown if line.startswith("FAILED file: README.md has changed")] == [shown[2]]
    assert shown[-1] == "Not verified: 1 of 10 checks failed."
