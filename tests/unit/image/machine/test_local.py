"""The path without an engine: Python, torch against the driver, disks, port, and where pip and the hubs lead."""

import socket
import sys
from pathlib import Path

import pytest

from image.core.project import GIB
from image.machine import local
from image.machine.card import Card
from image.machine.local import (
    check_disks,
    check_network,
    check_port,
    check_python,
    check_torch,
    examine_local,
    find_torch,
    without_password,
)
from toolkit.core.files import DATA_DISKS

CARD = Card(name="NVIDIA GeForce RTX 4090", driver="550.90", free_bytes=23 * GIB, total_bytes=24 * GIB)


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "bad"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "bad"), ((4, 0), "bad")]
)
def test_the_python_must_fit_the_lock(version: tuple[int, int], state: str) -> None:
    assert check_python(version).state == state


def test_both_worlds_look_for_the_same_data_disks() -> None:
    assert local.DATA_DISKS == DATA_DISKS


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n", ("2.13.0+cpu", "")),
        ("__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\n", ("2.13.0+cu130", "13")),
        ("", None),
    ],
)
def test_torch_is_read_without_importing_it(tmp_path: Path, lines: str, found: object) -> None:
    folder = tmp_path / "lib/python3.12/site-packages/torch"
    folder.mkdir(parents=True)
    (folder / "version.py").write_text(lines)

    assert find_torch(tmp_path) == found
    assert find_torch(tmp_path / "lib") is None


def test_this_machines_own_torch_is_found() -> None:
    import torch

    assert find_torch(Path(sys.executable).parents[1]) == (torch.__version__, (torch.version.cuda or "")[:2])


@pytest.mark.parametrize(
    ("torch", "card", "states"),
    [
        (("2.13.0", "13"), CARD, ["ok", "bad"]),  # the driver knows CUDA 12
        (("2.13.0+cu126", "12"), CARD, ["ok", "ok"]),
        (("2.13.0+cpu", ""), CARD, ["bad"]),
        (("2.13.0+cpu", ""), None, ["ok"]),
        (None, CARD, ["note", "bad"]),  # what would be installed
        (None, None, ["note"]),
    ],
)
def test_torch_is_judged_against_the_driver(
    torch: tuple[str, str] | None, card: Card | None, states: list[str]
) -> None:
    found = list(check_torch(torch, card))

    assert [one.state for one in found] == states
    if card is not None and "bad" in states:
        assert "make clean setup" in found[-1].remedy


def test_system_and_data_disk_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOOLKIT_HOME", raising=False)

    system, data = check_disks(tmp_path, None, has_card=True, data_disks=("/nowhere", "/dev/shm"))
    assert system.what.startswith("disk: ")
    assert ".venv need 6" in system.what
    assert data.what.startswith("data disk: ")
    assert "free in /dev/shm, models and runs need 0" in data.what

    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path))
    assert len(list(check_disks(tmp_path, None, has_card=True, data_disks=("/dev/shm",)))) == 1, "the named one is here"


def test_a_port_in_use_is_named_with_another() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"PORT={port + 1}" in check_port(port).remedy
    assert check_port(port).state == "ok"


def test_mirrors_and_proxies_are_shown_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in local.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy.example:7890")
    pip = "global.index-url='https://me:secret@pip.example/simple'\n:env:.index-url='x'\nglobal.timeout='9'\n"

    shown = [one.what for one in check_network(lambda _: pip)]

    assert shown == [
        "pip: index-url https://***@pip.example/simple",
        "HF_ENDPOINT: https://mirror.example",
        "https_proxy: http://***@proxy.example:7890",
    ]
    assert without_password("a:b@host:1") == "***@host:1"
    assert without_password("http://[") == "***"


def test_the_whole_path_is_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    first_words = [one.what.split(":")[0] for one in examine_local(None, None, lambda _: None, port=0)]

    assert first_words[:3] == ["Python", "torch", "disk"]
    assert {"memory", "port"} <= set(first_words)
