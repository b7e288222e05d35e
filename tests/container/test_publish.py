"""An image on its way to a registry and back: real registries, real failures."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.cutting_proxy import cutting_proxy
from tests.container.host import Done, Host
from tests.container.local_registry import Login, Registry, open_registry

MODEL = "tiny-qwen2"
LOGIN = Login(user="ci", password="a password of its own")


@pytest.fixture(scope="session", name="published")
def _published(host: Host, image: str, registry: Registry) -> str:
    """The image in the plain registry, through `make publish`; its reference with digest."""
    key = host.output.parent / "release.key"
    done = host.make(
        "publish", REGISTRY=f"{registry.address}/team", MODEL=MODEL, TAG="1.0", OUTPUT=str(host.output),
        ARGS=f"--new-key --key {key}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session", name="guarded")
def _guarded(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with TLS and a login."""
    with open_registry(tmp_path_factory.mktemp("guarded"), LOGIN) as registry:
        yield registry


def test_the_registry_has_the_digest_that_was_built(host: Host, image: str, published: str) -> None:
    built = host.docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip()
    assert published.endswith(f"finetune-and-prove:1.0@{built}")
    record = json.loads((host.output / "published.json").read_text())["published"][-1]
    assert f"{record['reference']}@{record['digest']}" == published
    assert record["layers_sent"] == record["layers"] > 5
    assert record["bytes_sent"] > 500e6


def test_what_was_published_runs_by_its_digest(host: Host, published: str) -> None:
    host.docker("image", "rm", "--force", published)
    policy = host.output.parent / "policy.yaml"
    policy.write_text("schema_version: 1\nkeys: [release.pub]\n")
    done = host.image("verify", published, "--policy", str(policy))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok   provenance: as the image is, signed by a key of policy.yaml" in done.stdout
    assert "ok   bill of materials: as the image is, signed by a key of policy.yaml" in done.stdout
    assert f"digest: {published.partition('@')[2]}" in done.stdout
    answered = host.docker("run", "--rm", "--interactive", published, "toolkit", "chat", "--base", stdin="你是谁？\n")
    assert "通义千问" in answered.stdout


def test_a_change_of_code_moves_little_more_than_the_code(
    host: Host, published: str, registry: Registry, build_options: list[str], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(host.project, project, ignore=shutil.ignore_patterns(".*", "output", "models", "__pycache__"))
    shutil.copy(host.project / ".dockerignore", project)
    changed = project / "toolkit/__init__.py"
    changed.write_text(changed.read_text() + "\n# one line more\n")
    edited = Host(environment=host.environment, folder=tmp_path, project=project)
    before = registry.stored_bytes()
    ours, kept = f"finetune-and-prove:{MODEL}", "finetune-and-prove-test:kept"
    host.docker("tag", ours, kept)
    assert edited.image("build", "--model", MODEL, *build_options).returncode == 0
    done = edited.image(
        "publish", f"{registry.address}/team", "--model", MODEL, "--tag", "1.1", "--output", str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    moved = registry.stored_bytes() - before
    record = json.loads((tmp_path / "published.json").read_text())["published"][-1]
    print(f"code-only push: {moved} bytes stored, {record['bytes_sent']} sent in {record['layers_sent']} layers")
    assert 0 < moved < 3_500_000  # the code with its byte code, 3.0 MB on 2026-11-30
    assert record["layers_sent"] == 1
    assert host.docker("tag", kept, ours).returncode == 0  # as it was, for the others


def test_a_run_travels_as_one_small_layer(host: Host, finished_run: Path, published: str, registry: Registry) -> None:
    done = host.make(
        "publish", REGISTRY=f"{registry.address}/team", MODEL=MODEL, TAG="1.0", RUN="latest", OUTPUT=str(host.output)
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((host.output / "published.json").read_text())["published"][-1]
    assert record["run"] == "latest"
    assert record["layers_sent"] == 1
    assert 0 < record["bytes_sent"] < 2_000_000
    reference = done.stdout.strip()
    assert ":1.0-latest@" in reference
    asked = host.inside(reference, "toolkit chat", "--user", "4321", stdin="你是谁？\n")
    assert "Swift-Robot" in asked.stdout, asked.stderr
    again = host.inside(reference, "toolkit verify tiny-qwen2 && touch /root/mine", "--user", "4321")
    assert again.returncode == 0, again.stderr


def test_with_a_login_it_arrives_and_without_it_is_told_what_to_do(
    host: Host, image: str, guarded: Registry, tmp_path: Path
) -> None:
    assert publish(host, guarded, tmp_path, login=LOGIN).returncode == 0
    refused = publish(host, guarded, tmp_path, login=None)
    assert refused.returncode == 10
    assert f"Log in: docker login {guarded.address}" in refused.stderr


def test_a_wrong_password_is_not_tried_again_and_again(
    host: Host, image: str, guarded: Registry, tmp_path: Path
) -> None:
    wrong = publish(host, guarded, tmp_path, login=Login(user=LOGIN.user, password="wrong"))
    assert wrong.returncode == 10
    assert "docker login" in wrong.stderr
    assert "try 2" not in wrong.stderr


def test_a_registry_that_is_down_is_named(host: Host, image: str, tmp_path: Path) -> None:
    done = host.image("publish", "127.0.0.1:1/team", "--model", MODEL, "--output", str(tmp_path), "--tries", "2")
    assert done.returncode == 10
    assert "try 2 of 2" in done.stderr
    assert "connection refused. Check that 127.0.0.1:1 is the right name and is up." in done.stderr
    assert not (tmp_path / "published.json").exists()


def test_a_connection_that_breaks_is_taken_up_again(host: Host, image: str, tmp_path: Path) -> None:
    """The registry is empty; what arrived before a cut does not travel twice."""
    with (
        open_registry(tmp_path / "registry") as empty,
        cutting_proxy(empty.address, cut_after_bytes=60_000_000, cuts=2) as proxy,
    ):
        done = host.image(
            "publish", f"{proxy.address}/elsewhere", "--model", MODEL, "--output", str(tmp_path), "--tries", "5"
        )
    assert done.returncode == 0, done.stderr
    assert proxy.cut == 2
    assert "push failed" in done.stderr
    record = json.loads((tmp_path / "published.json").read_text())["published"][-1]
    assert record["layers_sent"] == record["layers"]
    cut_layers = 2 * max(layer for layer in (100e6, 312e6))
    assert proxy.carried_bytes < record["bytes_sent"] + cut_layers


def test_a_name_that_no_registry_takes_is_refused_at_once(host: Host, image: str) -> None:
    done = host.image("publish", "Team With Spaces", "--model", MODEL)
    assert done.returncode == 3
    assert "REGISTRY/NAME:TAG" in done.stderr


def test_an_image_that_was_not_built_is_not_published(host: Host, registry: Registry) -> None:
    done = host.image("publish", f"{registry.address}/team", "--image", "no-such:tag")
    assert done.returncode == 9
    assert "make build" in done.stderr


def test_a_tag_that_is_not_in_the_registry_is_told_by_verify(host: Host, registry: Registry, published: str) -> None:
    done = host.image("verify", f"{registry.address}/team/finetune-and-prove:none")
    assert done.returncode == 9
    assert "not found" in done.stderr


def test_a_run_that_did_not_finish_is_not_published(host: Host, image: str, registry: Registry, tmp_path: Path) -> None:
    run = tmp_path / "v0-20260101-000000"
    run.mkdir()
    (run / "run.json").write_text('{"schema_version": 1, "status": "interrupted"}')
    done = host.image(
        "publish", f"{registry.address}/team", "--model", MODEL, "--with", "v0", "--output", str(tmp_path)
    )
    assert done.returncode == 3
    assert "is interrupted, so it has no adapter to publish" in done.stderr


def publish(host: Host, registry: Registry, folder: Path, login: Login | None) -> Done:
    """With a Docker configuration that holds this login and nothing else."""
    config = folder / f"config-{'none' if login is None else login.password.replace(' ', '-')}"
    config.mkdir(exist_ok=True)
    plugins = Path(host.environment.get("DOCKER_CONFIG", "~/.docker")).expanduser() / "cli-plugins"
    if plugins.is_dir() and not (config / "cli-plugins").exists():
        (config / "cli-plugins").symlink_to(plugins)
    auths = {}
    if login is not None:
        auths[registry.address] = {"auth": base64.b64encode(f"{login.user}:{login.password}".encode()).decode()}
    (config / "config.json").write_text(json.dumps({"auths": auths}))
    return host.image(
        "publish", f"{registry.address}/team", "--model", MODEL, "--output", str(folder), DOCKER_CONFIG=str(config)
    )
