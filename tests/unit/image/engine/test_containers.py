"""What the engine is asked to create: devices, memory, ports. No engine."""

import docker

from image.engine import ContainerConfig, Port
from image.engine.containers import _create_options


def creation(**settings: object) -> dict[str, dict[str, object]]:
    api = docker.APIClient(base_url="unix:///nowhere.sock", version="1.45")
    return _create_options(api, ContainerConfig(image="i", command=("true",), **settings))  # type: ignore[arg-type]


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


def test_a_port_is_bound_where_it_was_asked_for() -> None:
    made = creation(network="bridge", port=Port(host="127.0.0.1", host_port=9000, container_port=8000))

    assert made["host_config"]["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9000"}]}
    assert made["ports"] == [8000]
    assert creation()["ports"] == []
