"""Variables that a launcher of several processes left behind, and those of an SSH connection."""

import os
from pathlib import Path

import pytest

from toolkit.core import environment
from toolkit.core.errors import ConfigError
from toolkit.core.startup import prepare_environment

LEFT_BY = {
    "torchrun": {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500",
                 "TORCHELASTIC_RUN_ID": "none"},
    "accelerate": {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_MIXED_PRECISION": "fp8"},
    "ms-swift": {"NPROC_PER_NODE": "4", "NNODES": "2", "NODE_RANK": "1"},
    "Open MPI": {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1"},
    "MPICH": {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1"},
    "one name only": {"LOCAL_RANK": "garbage"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name in environment.LAUNCHER_NAMES or name.startswith(environment.LAUNCHER_PREFIXES):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("launcher", LEFT_BY)
def test_what_a_launcher_left_is_removed_and_named(monkeypatch: pytest.MonkeyPatch, launcher: str):
    for name, value in LEFT_BY[launcher].items():
        monkeypatch.setenv(name, value)

    assert environment.ignore_launcher() == sorted(LEFT_BY[launcher])
    assert not LEFT_BY[launcher].keys() & os.environ.keys()
    assert environment.ignore_launcher() == []
    assert environment.launched() is None


def test_a_setting_that_an_image_has_for_every_process_is_no_launchers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PMIX_MCA_gds", "hash")
    monkeypatch.setenv("PMIX_RANK", "0")

    assert environment.ignore_launcher() == ["PMIX_RANK"]
    assert os.environ["PMIX_MCA_gds"] == "hash"  # noqa: SIM112  # its name


@pytest.mark.parametrize(
    ("parent", "obeyed"),
    [
        (b"/usr/bin/python\0/usr/bin/torchrun\0--nproc_per_node\0002", True),
        (b"python\0-m\0torch.distributed.run\0train.py", True),
        (b"/usr/bin/python\0/usr/bin/accelerate\0launch", True),
        (b"-bash\0", False),
        (b"\xff\xfe", False),
    ],
)
def test_only_a_launcher_that_started_this_process_is_obeyed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parent: bytes, obeyed: bool
):
    monkeypatch.setenv("LOCAL_RANK", "1")
    (tmp_path / str(os.getppid())).mkdir()
    (tmp_path / str(os.getppid()) / "cmdline").write_bytes(parent)

    assert environment.ignore_launcher(tmp_path) == ([] if obeyed else ["LOCAL_RANK"])


def test_without_proc_torchruns_own_variable_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert environment.ignore_launcher(tmp_path) == []

    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert environment.ignore_launcher(tmp_path) == ["RANK"]


@pytest.mark.parametrize("name", [*environment.NUMBERS, *environment.FLAGS])
@pytest.mark.parametrize("value", ["garbage", "", "1.5", "ten seconds"])
def test_a_value_that_a_library_refuses_is_named_before_it_is_imported(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    assert environment.invalid_variable() is None
    monkeypatch.setenv(name, "1")
    assert environment.invalid_variable() is None

    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match=f"^The environment variable {name} "):
        prepare_environment()


@pytest.mark.parametrize(
    ("names", "over"),
    [
        ({"SSH_CONNECTION"}, True), ({"SSH_TTY"}, True), (set(), False), ({"SSH_TTY", "TMUX"}, False),
        ({"SSH_TTY", "STY"}, False),
    ],
)  # fmt: skip
def test_tmux_and_screen_outlive_an_ssh_connection(monkeypatch: pytest.MonkeyPatch, names: set[str], over: bool):
    for name in ("SSH_CONNECTION", "SSH_TTY", "TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    for name in names:
        monkeypatch.setenv(name, "x")

    assert environment.is_over_ssh() is over


@pytest.mark.parametrize(
    ("visible", "cards", "name", "values"),
    [
        (None, 2, "CUDA_VISIBLE_DEVICES", ["0", "1"]),
        ("5,GPU-8af1", 2, "CUDA_VISIBLE_DEVICES", ["5", "GPU-8af1"]),
        (None, 0, "OMP_NUM_THREADS", ["3", "3"]),
    ],
)
def test_each_of_several_processes_has_its_card_or_its_share_of_the_cores(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, cards: int, name: str, values: list[str]
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(environment, "_cards_before", [])
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert [environment.of_process(card, cards, 2, on_one_host=True)[name] for card in range(2)] == values
    environment.see_one_card()
    assert [environment.of_process(card, cards, 2, on_one_host=True)[name] for card in range(2)] == values
    assert environment.of_process(0, cards, 2, on_one_host=True)["GLOO_SOCKET_IFNAME"] == "lo"
    assert "GLOO_SOCKET_IFNAME" not in environment.of_process(0, cards, 2, on_one_host=False)


@pytest.mark.parametrize(("visible", "one"), [(None, "0"), ("3,1", "3"), ("GPU-8af1", "GPU-8af1"), ("", "")])
def test_a_process_sees_one_card_and_its_children_all_of_the_users(monkeypatch, visible: str | None, one: str):
    monkeypatch.setattr(environment, "_cards_before", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    environment.see_one_card()
    environment.see_one_card()

    assert os.environ["CUDA_VISIBLE_DEVICES"] == one
    assert environment.for_child().get("CUDA_VISIBLE_DEVICES") == visible
    with environment.every_card():
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible
    assert os.environ["CUDA_VISIBLE_DEVICES"] == one
