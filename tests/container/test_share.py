"""An adapter through a real registry and back onto its base: as the host's commands do it, without an engine."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.core import labels
from tests.container.cutting_proxy import cutting_proxy
from tests.container.host import Done, Host
from tests.container.local_registry import Login, Registry, open_registry
from tests.container.private_engine import install_if_absent
from tests.fakes.made_run import make_lively
from tests.fakes.micro_model import make_micro_model
from tests.fakes.shared_run import compare_again, make_shared_run

LOGIN = Login(user="ci", password="a password of its own")
NAME = "finetune-and-prove-adapter"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", name="base")
def _base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return make_lively(folder / "lively", make_micro_model(folder / "micro"))


@pytest.fixture(scope="module", name="shared")
def _shared(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that passed its comparison, and its portable adapter."""
    folder = tmp_path_factory.mktemp("shared")
    make_shared_run(folder / "output", base)
    return folder


@pytest.fixture(name="user")
def _user(shared: Path, tmp_path: Path) -> Host:
    """At a host's shell, with nobody logged in anywhere."""
    shutil.copytree(shared, tmp_path / "mine", symlinks=True)
    (tmp_path / "docker").mkdir()
    environment = {**os.environ, "DOCKER_CONFIG": str(tmp_path / "docker")}
    return Host(environment=environment, folder=tmp_path / "mine", project=ROOT)


@pytest.fixture(scope="module", name="registry")  # in place of the session's, which asks for an engine
def _registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    install_if_absent("docker-registry")
    with open_registry(tmp_path_factory.mktemp("open")) as registry:
        yield registry


@pytest.fixture(scope="module", name="guarded")
def _guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Path]]:
    """With TLS and a login; and its certificate."""
    install_if_absent("docker-registry")
    folder = tmp_path_factory.mktemp("guarded")
    with open_registry(folder, LOGIN) as registry:
        yield registry, folder / "server.crt"


def publishes(user: Host, registry: str, *options: str, **environment: str) -> Done:
    return user.image("publish-adapter", f"{registry}/team", "--output", str(user.output), *options, **environment)


def pulls(user: Host, reference: str, *options: str, **environment: str) -> Done:
    return user.image("pull-adapter", reference, "--output", str(user.output), *options, **environment)


def test_what_was_published_is_pulled_back_and_applied(user: Host, registry: Registry, base: Path) -> None:
    published = publishes(user, registry.address, "--tag", "1.0")
    assert published.returncode == 0, published.stderr
    reference = published.stdout.strip()
    assert reference.startswith(f"{registry.address}/team/{NAME}:1.0@sha256:")

    pulled = pulls(user, reference)
    assert pulled.returncode == 0, pulled.stderr
    folder = user.output / "pulled" / f"{NAME}-1.0"
    assert pulled.stdout == f"{folder}\n"
    assert "verdict when published: passed" in pulled.stderr
    applied = subprocess.run(
        [
            *(sys.executable, "-m", "toolkit", "compare", "--before", "v0", "--after", folder, "--model", base),
            *("--output", user.output, "--probes", user.folder / "probes.yaml", "--system", "Be brief."),
            *("--report", user.folder / "report", "--threshold", "kl=1e-6", "--max-new-tokens", "8"),
        ],
        cwd=ROOT, env=user.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert applied.returncode == 0, applied.stderr
    report = json.loads((user.folder / "report" / "report.json").read_text())
    assert report["after"]["adapter_sha256"] == report["before"]["adapter_sha256"]
    assert report["metrics"]["kl"]["value"] < 1e-6
    [record] = json.loads((user.output / "published.json").read_text())["published"]
    assert f"{record['reference']}@{record['digest']}" == reference


def test_the_same_content_has_the_same_digest_and_does_not_travel_twice(user: Host, registry: Registry) -> None:
    first = publishes(user, registry.address, "--tag", "a")
    before = registry.stored_bytes()
    second = publishes(user, registry.address, "--tag", "b")

    assert first.stdout.partition("@")[2] == second.stdout.partition("@")[2] != ""
    assert "0 of " in second.stderr
    assert registry.stored_bytes() == before


def test_the_registry_itself_tells_what_it_is(user: Host, registry: Registry) -> None:
    """As another client sees it: over plain HTTP, by the distribution specification."""
    import requests

    assert publishes(user, registry.address, "--tag", "told").returncode == 0
    answer = requests.get(
        f"http://{registry.address}/v2/team/{NAME}/manifests/told", timeout=10, proxies={"http": ""},
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )  # fmt: skip
    manifest = answer.json()

    assert answer.headers["Content-Type"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    run = json.loads((user.output / "latest" / "run.json").read_text())
    assert manifest["annotations"][labels.RUN_ID] == run["run_id"]
    assert manifest["annotations"][labels.RUN_VERDICT] == "passed"
    assert manifest["annotations"][labels.DATA_SHA256] == run["data"]["sha256"]
    assert manifest["layers"][0]["digest"] == f"sha256:{run['adapter']['sha256']}"


def test_plain_oras_pulls_the_same_files(user: Host, registry: Registry, tmp_path: Path) -> None:
    """Another client, which knows nothing of models: it finds every file under its name."""
    import oras.client

    reference = publishes(user, registry.address, "--tag", "plain").stdout.strip()
    client = oras.client.OrasClient(insecure=True)
    client.session.trust_env = False
    client.pull(reference.partition("@")[0], outdir=str(tmp_path / "plain"))

    ours = user.output / "latest" / "adapter"
    pulled = {path.name: path.read_bytes() for path in (tmp_path / "plain").iterdir()}
    assert pulled == {path.name: path.read_bytes() for path in ours.iterdir() if path.name != "export.json"}


@pytest.fixture(name="signed")
def _signed(user: Host) -> Host:
    """The user has signed the verdict, and wrote what they demand of others' evidence."""
    run = (user.output / "latest").resolve()
    (run / "train.jsonl").write_text('{"messages": []}\n')
    (run / "logging.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
    done = toolkit(user, "attest", "v0", "--output", user.output, "--new-key", "--key", user.folder / "release.key")
    assert done.returncode == 0, done.stderr
    (user.folder / "policy.yaml").write_text("schema_version: 1\nkeys: [release.pub]\n")
    return user


def toolkit(user: Host, *arguments: str | Path, **environment: str) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "toolkit", *arguments],
        cwd=ROOT, env=user.environment | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_signed_evidence_is_attached_pulled_and_holds(signed: Host, registry: Registry) -> None:
    """With make, as docs/evidence.md has it, on a registry that has no referrers API."""
    given = {"RUNTIME": "local", "OUTPUT": str(signed.output)}
    published = signed.make("publish-adapter", REGISTRY=f"{registry.address}/team", TAG="signed", **given)
    assert published.returncode == 0, published.stderr
    assert "attached: the signed evidence, sha256:" in published.stderr
    assert "attached: its files' signature, sha256:" in published.stderr
    pulled = signed.make("pull-adapter", REF=published.stdout.splitlines()[-1], **given)
    assert pulled.returncode == 0, pulled.stderr
    assert "signed evidence: 1, not checked yet" in pulled.stderr

    folder = pulled.stdout.strip()
    given |= {"POLICY": str(signed.folder / "policy.yaml")}
    verified = signed.make("verify-evidence", FOLDER=folder, **given)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "Verified: signed by release.pub" in verified.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("adapter_model.safetensors", "FAILED adapter: adapter_model.safetensors has changed since it was signed"),
        ("report.json", "FAILED report: report.json has changed since it was signed"),
        ("run.json", "FAILED record: run.json has changed since it was signed"),  # data and base model
        ("model*.sig", "FAILED model signature: model"),
        ("evidence*.sigstore.json", ".sigstore.json has changed since it was signed: its signature is not the one of"),
    ],
)
def test_what_was_changed_on_its_way_through_a_registry_is_named(
    signed: Host, registry: Registry, name: str, said: str
) -> None:
    """By somebody who may write to the registry, and whose digests are all right.

    All tests sign the same files, so that this artifact has the evidence of several signers.
    """
    published = publishes(signed, registry.address, "--tag", "changed")
    assert published.returncode == 0, published.stderr
    folder = Path(pulls(signed, published.stdout.strip()).stdout.strip())
    for path in folder.glob(name):
        path.write_bytes(path.read_bytes().replace(b'"payload": "ewog', b'"payload": "ewoK') + b"\n")

    verified = toolkit(signed, "verify-evidence", folder, "--policy", signed.folder / "policy.yaml")
    assert verified.returncode == 25
    assert said in verified.stdout


def test_an_adapter_that_somebody_else_signed_is_not_accepted(signed: Host, registry: Registry) -> None:
    key = signed.folder / "intruder.key"
    assert toolkit(signed, "attest", "v0", "--output", signed.output, "--new-key", "--key", key).returncode == 0
    reference = publishes(signed, registry.address, "--tag", "intruder").stdout.strip()
    folder = pulls(signed, reference).stdout.strip()

    verified = toolkit(signed, "verify-evidence", folder, "--policy", signed.folder / "policy.yaml")
    assert verified.returncode == 25
    assert "is not signed by a key of the policy (release.pub)" in verified.stdout


def test_somebody_else_verifies_and_replays_in_three_commands(user: Host, registry: Registry, tmp_path: Path) -> None:
    """What docs/evidence.md shows, with a training of the embedded model."""
    rows = json.loads((ROOT / "data" / "self_cognition.json").read_text(encoding="utf-8"))[:4]
    data = user.folder / "few.json"
    data.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    shutil.copyfile(user.folder / "probes.yaml", user.folder / "few.probes.yaml")
    mine = user.folder / "trained"
    key = ("--new-key", "--key", user.folder / "release.key")
    for command in (
        ("finetune", data, "--model", "tiny-qwen2", "--keep-weight", "0", "--epochs", "2"),
        ("compare", "--system", "Be brief.", "--outside", "0"),
        ("export", "--to", "adapter"),
        ("attest", *key),
    ):
        done = toolkit(user, *command, "--output", mine)
        assert done.returncode in {0, 20, 21, 22}, done.stderr
    given = ("--tag", "replayable", "--output", str(mine), "--with-rows", "--even-if-failed")
    published = user.image("publish-adapter", f"{registry.address}/team", *given)
    assert published.returncode == 0, published.stderr
    shutil.rmtree(mine)
    (user.folder / "policy.yaml").write_text(
        "schema_version: 1\nkeys: [release.pub]\nverdict: any\nbase: [tiny-qwen2]\n"
    )

    pulled = pulls(user, published.stdout.strip(), "--with-rows")
    assert pulled.returncode == 0, pulled.stderr
    run = pulled.stdout.strip()
    assert run.endswith("-replayable-run")
    verified = toolkit(user, "verify-evidence", run, "--policy", user.folder / "policy.yaml")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "run: its adapter, report and rows are those of the evidence" in verified.stdout
    replayed = toolkit(user, "replay", run)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert replayed.stdout.endswith("Replayed: the second run is the first one, bit for bit.\n")

    verify = ("verify-evidence", run, "--policy", user.folder / "policy.yaml")
    locks = tmp_path / "data" / "locks"
    shutil.copytree(ROOT / "data" / "locks", locks)
    (locks / "tiny-qwen2.json").write_text((locks / "tiny-qwen2.json").read_text() + "\n")
    changed = toolkit(user, *verify, TOOLKIT_DATA=str(locks.parent))
    assert changed.returncode == 25
    assert "FAILED base: tiny-qwen2, lock " in changed.stdout
    assert "; the lock of that name here is " in changed.stdout

    digest = hashlib.sha256((user.folder / "policy.yaml").read_bytes()).hexdigest()
    (user.folder / "policy.yaml").write_text("schema_version: 1\nkeys: [release.pub]\nverdict: any\n")
    changed = toolkit(user, *verify, "--policy-sha256", digest)
    assert changed.returncode == 3
    assert "policy.yaml has changed: its sha256 is " in changed.stderr

    (Path(run) / "train.jsonl").write_text('{"messages": []}\n')
    changed = toolkit(user, *verify)
    assert changed.returncode == 25
    assert "FAILED data: train.jsonl has changed since it was signed" in changed.stdout
    assert toolkit(user, "replay", run).returncode == 3


def test_make_publishes_and_pulls(user: Host, registry: Registry) -> None:
    """As the README has it; what make exports beforehand is there already."""
    given = {"RUNTIME": "local", "OUTPUT": str(user.output)}
    published = user.make("publish-adapter", REGISTRY=f"{registry.address}/team", TAG="made", **given)
    assert published.returncode == 0, published.stderr
    reference = published.stdout.splitlines()[-1]  # before it, a make that sets up .venv tells of that

    pulled = user.make("pull-adapter", REF=reference, **given)
    assert pulled.returncode == 0, pulled.stderr
    assert Path(pulled.stdout.strip()) == user.output / "pulled" / f"{NAME}-made"


def test_a_verdict_that_failed_is_refused_unless_asked_for(user: Host, registry: Registry) -> None:
    compare_again(user.output, user.folder / "probes.yaml", passes=False)
    stale = publishes(user, registry.address)
    assert stale.returncode == 3
    assert "was compared again after" in stale.stderr

    from toolkit.export.export import export
    from toolkit.export.formats.base import ExportConfig

    export(ExportConfig(to="adapter", output=user.output, probes=user.folder / "probes.yaml"))
    refused = publishes(user, registry.address)
    assert refused.returncode == 3
    assert "--even-if-failed" in refused.stderr
    published = publishes(user, registry.address, "--even-if-failed")
    assert published.returncode == 0, published.stderr
    assert "verdict when published: failed" in pulls(user, published.stdout.strip()).stderr


def test_with_a_login_and_a_certificate_it_arrives(user: Host, guarded: tuple[Registry, Path], tmp_path: Path) -> None:
    registry, certificate = guarded
    trusted = ("--ca-bundle", str(certificate))
    logged_in = {"DOCKER_CONFIG": str(config_with(tmp_path, registry, LOGIN.password))}

    published = publishes(user, registry.address, *trusted, **logged_in)
    assert published.returncode == 0, published.stderr
    assert pulls(user, published.stdout.strip(), *trusted, **logged_in).returncode == 0
    assert LOGIN.password not in published.stderr


@pytest.mark.parametrize("password", [None, "wrong"])
def test_without_the_right_login_it_is_told_what_to_do(
    user: Host, guarded: tuple[Registry, Path], tmp_path: Path, password: str | None
) -> None:
    registry, certificate = guarded
    environment = {} if password is None else {"DOCKER_CONFIG": str(config_with(tmp_path, registry, password))}
    refused = publishes(user, registry.address, "--ca-bundle", str(certificate), **environment)

    assert refused.returncode == 10
    assert f"Log in: docker login {registry.address}" in refused.stderr
    assert "try 2" not in refused.stderr


def test_a_certificate_that_nobody_trusts_is_told(user: Host, guarded: tuple[Registry, Path]) -> None:
    refused = publishes(user, guarded[0].address)

    assert refused.returncode == 10
    assert "Provide its certificate with --ca-bundle FILE" in refused.stderr


def test_a_registry_that_is_down_is_named(user: Host) -> None:
    refused = publishes(user, "127.0.0.1:1", "--tries", "2")

    assert refused.returncode == 10
    assert "try 2 of 2" in refused.stderr
    assert "Check that 127.0.0.1:1 is the right name and is up." in refused.stderr


def test_a_tag_that_is_not_there_is_told(user: Host, registry: Registry) -> None:
    refused = pulls(user, f"{registry.address}/team/{NAME}:none")

    assert refused.returncode == 10
    assert "404" in refused.stderr
    assert not (user.output / "pulled").exists()


def test_a_connection_that_breaks_is_taken_up_again(user: Host, tmp_path: Path) -> None:
    with (
        open_registry(tmp_path / "registry") as empty,
        cutting_proxy(empty.address, cut_after_bytes=20_000, cuts=2) as proxy,
    ):
        published = publishes(user, proxy.address)
        assert published.returncode == 0, published.stderr
        assert proxy.cut == 2
        assert "failed" in published.stderr
        assert pulls(user, published.stdout.strip()).returncode == 0


def config_with(folder: Path, registry: Registry, password: str) -> Path:
    """A Docker configuration that holds this login and nothing else."""
    config = folder / "config"
    config.mkdir()
    auth = base64.b64encode(f"{LOGIN.user}:{password}".encode()).decode()
    (config / "config.json").write_text(json.dumps({"auths": {registry.address: {"auth": auth}}}))
    return config
