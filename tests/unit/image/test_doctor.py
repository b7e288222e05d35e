"""The doctor's judgement of what drivers and tools tell. No engine, no card."""

import sys
from pathlib import Path

import pytest

from image.core.project import find_lock
from image.doctor import (
    EngineInfo,
    _check_buildx,
    _check_disk,
    _check_engine,
    _check_store,
    examine,
)
from image.machine.finding import Command

GIB = 1024**3
SEVEN_B = find_lock("qwen2.5-7b-instruct")


def told(text: str | None) -> Command:
    return lambda _: text


def engine(**changes: object) -> EngineInfo:
    settings: dict[str, object] = {
        "version": "26.1.5", "containerd_store": True, "memory_bytes": 64 * GIB, "storage": Path("/"),
        "rootless": False, "runtimes": ("runc",),
    }  # fmt: skip
    return EngineInfo(**(settings | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("github.com/docker/buildx v0.17.1 257815a", "ok"),
        ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3", "ok"),
        ("github.com/docker/buildx v0.8.2 6224def", "bad"),
        (None, "bad"),
    ],
)
def test_buildx_must_be_able_to_rewrite_times(text: str | None, state: str) -> None:
    assert _check_buildx(told(text)).state == state


def test_an_old_engine_is_told_which_one_is_needed() -> None:
    assert _check_engine(engine()).state == "ok"
    assert "25.0 is needed" in _check_engine(engine(version="20.10.24+dfsg1")).what


def test_the_other_image_store_is_a_note_with_the_setting() -> None:
    assert _check_store(engine()).state == "ok"
    assert "containerd-snapshotter" in _check_store(engine(containerd_store=False)).remedy


def test_the_disk_is_measured_where_the_engine_stores() -> None:
    assert "a build needs 46" in _check_disk(engine(), SEVEN_B).what
    assert _check_disk(engine(storage=Path("/not/on/this/machine")), SEVEN_B).state == "note"


def test_a_local_runtime_needs_nothing_of_the_engine(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def command(arguments: list[str]) -> None:
        asked.append(arguments)

    found = list(examine("tiny-qwen2", tmp_path, runtime="local", command=command))
    assert [one.what for one in found if one.state == "bad"] == []
    said = " ".join(f"{one.what} {one.why} {one.remedy}" for one in found).lower()
    assert not [word for word in ("docker", "buildx", "engine", "container") if word in said]
    assert [arguments[0] for arguments in asked] == ["nvidia-smi", sys.executable]
    assert asked[1][1:] == ["-m", "pip", "config", "list"]
