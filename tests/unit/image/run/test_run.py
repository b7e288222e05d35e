"""What a command in a container is told about the host, and what it is not. No engine."""

from pathlib import Path

import pytest

from image.engine import ContainerConfig, EngineInfo, ImageInfo, Port
from image.run.run import RunConfig, _container_config


def container(here: Path, digests: tuple[str, ...] = (), **settings: object) -> ContainerConfig:
    config = RunConfig(image="i", command=("toolkit", "serve"), output=here / "output", data=here / "data", **settings)  # type: ignore[arg-type]
    info = EngineInfo(version="27", containerd_store=True, memory_bytes=1, storage=here, rootless=False, runtimes=())
    image = ImageInfo(reference="i", image_id="sha256:1d", labels={}, repo_digests=digests)
    return _container_config(config, info, image)


def test_a_server_in_a_container_is_told_where_it_is_reached_and_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_API_KEY", "k-1")
    port = Port(host="127.0.0.1", host_port=9000, container_port=8000)
    made = container(tmp_path, port=port)

    assert made.environment["TOOLKIT_PUBLISHED"] == "127.0.0.1:9000"
    assert made.environment["TOOLKIT_API_KEY"] == "k-1"
    assert made.environment["HF_HUB_OFFLINE"] == "1"
    assert (made.network, made.port) == ("bridge", port)


def test_nobody_else_is_given_the_key_or_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_API_KEY", "k-1")
    made = container(tmp_path)

    assert "TOOLKIT_API_KEY" not in made.environment
    assert (made.network, made.port) == ("none", None)


@pytest.mark.parametrize(
    ("digests", "given"),
    [((), "sha256:1d"), (("ghcr.io/me/i@sha256:a0", "localhost:5000/i@sha256:b0"), "sha256:a0")],
)
def test_a_container_is_told_which_image_it_is_of(tmp_path: Path, digests: tuple[str, ...], given: str) -> None:
    """By the digest under which others find it, for the run's record."""
    assert container(tmp_path, digests).environment["TOOLKIT_IMAGE"] == given


@pytest.mark.parametrize(("value", "given"), [("zh_CN.UTF-8", "zh"), ("en_US.UTF-8", None)])
def test_a_container_speaks_the_hosts_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, given: str | None
) -> None:
    for name in ("TOOLKIT_LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", value)

    assert container(tmp_path).environment.get("TOOLKIT_LANG") == given


@pytest.mark.parametrize("given", [None, "1"])
def test_a_container_computes_with_the_callers_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)

    assert container(tmp_path).environment.get("OMP_NUM_THREADS") == given
