"""What a container gets: mounts, devices, memory. No engine."""

from pathlib import Path

import docker
import pytest

from image.cli.run import Publish, Size
from image.core.errors import ConfigError
from image.engine import ContainerConfig, EngineInfo, Mount, Port
from image.engine.connection import split_reference
from image.engine.containers import _creation
from image.run.mounts import mounts_for
from image.run.run import RunConfig, _container


@pytest.fixture(name="here")
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with data/ and a file of one's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/self_cognition.json").write_text("[]")
    (tmp_path / "mine.jsonl").write_text("")
    return tmp_path


def mounted(*arguments: str, output: str = "output") -> dict[str, Mount]:
    found = mounts_for(arguments, output=Path(output), data=Path("data"))
    return {mount.target: mount for mount in found}


def test_results_can_be_written_and_data_can_be_read(here: Path) -> None:
    mounts = mounted("finetune")
    assert mounts["/root/output"] == Mount(source=f"{here}/output", target="/root/output", read_only=False)
    assert mounts["/root/data"] == Mount(source=f"{here}/data", target="/root/data")
    assert (here / "output").is_dir()


def test_a_file_in_the_arguments_is_where_the_command_looks(here: Path) -> None:
    assert mounted("finetune", "mine.jsonl")["/root/mine.jsonl"].source == f"{here}/mine.jsonl"
    assert mounted("finetune", str(here / "mine.jsonl"))[f"{here}/mine.jsonl"].source == f"{here}/mine.jsonl"
    assert "/root/mine.jsonl" in mounted("finetune", "--keep=mine.jsonl")
    assert "/root/mine.jsonl" in mounted("finetune", "--mix", "mine.jsonl#20")


def test_a_data_sets_own_probes_come_along(here: Path) -> None:
    (here / "mine.probes.yaml").write_text("")
    assert mounted("finetune", "mine.jsonl")["/root/mine.probes.yaml"].source == f"{here}/mine.probes.yaml"


def test_the_hosts_copy_of_a_data_set_hides_the_images(here: Path) -> None:
    mount = mounted("finetune", "self_cognition.json")["/root/self_cognition.json"]
    assert mount.source == f"{here}/data/self_cognition.json"


def test_what_a_mounted_folder_holds_is_not_mounted_again(here: Path) -> None:
    (here / "output/v0").mkdir(parents=True)
    assert set(mounted("compare", "output/v0", "data/self_cognition.json")) == {"/root/output", "/root/data"}


def test_words_that_are_no_files_are_left_alone(here: Path) -> None:
    (here / "v3").mkdir()
    assert set(mounted("compare", "v3", "--epochs", "5", "", "你" * 400)) == {"/root/output", "/root/data"}


def test_the_images_own_folders_cannot_be_hidden(here: Path) -> None:
    with pytest.raises(ConfigError, match="would hide /tmp"):
        mounted("check", "/tmp")


def test_a_path_of_the_system_means_the_containers_own(here: Path) -> None:
    assert set(mounted("ls", "/dev/null", "/etc/hosts", "/usr/bin/env")) == {"/root/output", "/root/data"}


def creation(**settings: object) -> dict[str, dict[str, object]]:
    api = docker.APIClient(base_url="unix:///nowhere.sock", version="1.45")
    return _creation(api, ContainerConfig(image="i", command=("true",), **settings))  # type: ignore[arg-type]


def test_all_cards_or_the_named_ones_are_asked_for() -> None:
    assert creation()["host_config"]["DeviceRequests"] == []
    [every] = creation(gpus="all")["host_config"]["DeviceRequests"]  # type: ignore[misc]
    assert every["Count"] == -1
    [named] = creation(gpus="0,2")["host_config"]["DeviceRequests"]  # type: ignore[misc]
    assert named["DeviceIDs"] == ["0", "2"]
    assert named["Capabilities"] == [["gpu"]]


def test_a_container_removes_itself_and_reaches_no_network() -> None:
    host = creation()["host_config"]
    assert host["AutoRemove"] is True
    assert host["Init"] is True
    assert host["NetworkMode"] == "none"
    assert host["ShmSize"] == 2 * 1024**3


def test_memory_is_a_limit_without_swap() -> None:
    host = creation(memory_bytes=1024**3)["host_config"]
    assert host["Memory"] == host["MemorySwap"] == 1024**3


@pytest.mark.parametrize(("text", "expected"), [("500m", 500 * 1024**2), ("2g", 2 * 1024**3), ("1024", 1024)])
def test_sizes_are_read_as_docker_reads_them(text: str, expected: int) -> None:
    assert Size().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "g", "-1", "0", "2x", "1.5g"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is no size"):
        Size().convert(text, None, None)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("ft:1", ("ft", "1")),
        ("ft", ("ft", "latest")),
        ("localhost:5000/team/ft", ("localhost:5000/team/ft", "latest")),
        ("localhost:5000/team/ft:1", ("localhost:5000/team/ft", "1")),
        ("r.example/ft@sha256:abc", ("r.example/ft", "sha256:abc")),
    ],
)
def test_references_are_taken_apart(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


def test_a_published_port_is_this_hosts_alone_unless_an_address_is_named() -> None:
    def read(text: str) -> Port:
        return Publish().convert(text, None, None)

    assert read("8000") == Port(host="127.0.0.1", outside=8000, inside=8000)
    assert read("9000:8000") == Port(host="127.0.0.1", outside=9000, inside=8000)
    assert read("0.0.0.0:9000:8000") == Port(host="0.0.0.0", outside=9000, inside=8000)
    assert read("[::1]:9000") == Port(host="::1", outside=9000, inside=9000)


@pytest.mark.parametrize("text", ["", "0", "70000", "8000:0", "host:8000", "1:2:3:4", "-8000"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is no port"):
        Publish().convert(text, None, None)


def test_a_port_is_bound_where_it_was_asked_for() -> None:
    made = creation(network="bridge", port=Port(host="127.0.0.1", outside=9000, inside=8000))

    assert made["host_config"]["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9000"}]}
    assert made["ports"] == [8000]
    assert creation()["ports"] == []


def container(here: Path, **settings: object) -> ContainerConfig:
    config = RunConfig(image="i", command=("toolkit", "serve"), output=here / "output", data=here / "data", **settings)  # type: ignore[arg-type]
    info = EngineInfo(version="27", containerd_store=True, memory_bytes=1, storage=here, rootless=False, runtimes=())
    return _container(config, info)


def test_a_server_in_a_container_is_told_where_it_is_reached_and_its_key(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_API_KEY", "k-1")
    port = Port(host="127.0.0.1", outside=9000, inside=8000)
    made = container(here, port=port)

    assert made.environment["TOOLKIT_PUBLISHED"] == "127.0.0.1:9000"
    assert made.environment["TOOLKIT_API_KEY"] == "k-1"
    assert made.environment["HF_HUB_OFFLINE"] == "1"
    assert (made.network, made.port) == ("bridge", port)


def test_nobody_else_is_given_the_key_or_a_network(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_API_KEY", "k-1")
    made = container(here)

    assert "TOOLKIT_API_KEY" not in made.environment
    assert (made.network, made.port) == ("none", None)
