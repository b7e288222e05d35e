"""The doctor's judgement of what drivers and tools tell. No engine, no card."""

from pathlib import Path

import pytest

from image.core.project import find_lock
from image.doctor import (
    Card,
    Command,
    EngineInfo,
    _check_buildx,
    _check_card,
    _check_disk,
    _check_driver,
    _check_engine,
    _check_python,
    _check_store,
    examine,
    find_card,
)

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


def test_the_card_with_the_most_free_memory_counts() -> None:
    card = find_card(told("NVIDIA A10, 580.65.06, 1024, 23028\nNVIDIA L4, 580.65.06, 22000, 23034\n"))
    assert card == Card(name="NVIDIA L4", driver="580.65.06", free_bytes=22000 * 1024**2, total_bytes=23034 * 1024**2)


@pytest.mark.parametrize("text", [None, "", "No devices were found\n", "NVIDIA A10, 580, [N/A], [N/A]\n"])
def test_a_driver_that_tells_nothing_is_no_card(text: str | None) -> None:
    assert find_card(told(text)) is None


def test_a_card_of_24_gb_will_do_and_one_of_16_will_not() -> None:
    assert _check_card(Card(name="c", driver="580", free_bytes=23 * GIB, total_bytes=24 * GIB), SEVEN_B).state == "ok"
    small = _check_card(Card(name="c", driver="580", free_bytes=15 * GIB, total_bytes=16 * GIB), SEVEN_B)
    assert small.state == "bad"
    assert "Training needs up to 23 GiB" in small.why


def test_without_a_card_only_a_small_model_runs() -> None:
    assert _check_card(None, SEVEN_B).state == "bad"
    assert _check_card(None, find_lock("tiny-qwen2")).state == "note"


@pytest.mark.parametrize(("driver", "state"), [("580.65.06", "ok"), ("590.1", "ok"), ("570.133.20", "bad")])
def test_the_driver_must_know_the_images_cuda(driver: str, state: str) -> None:
    finding = _check_driver(Card(name="c", driver=driver, free_bytes=GIB, total_bytes=GIB))
    assert finding.state == state
    assert "CUDA 13 needs 580 or newer" in finding.what


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
    assert [arguments[0] for arguments in asked] == ["nvidia-smi"]


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "bad"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "bad"), ((4, 0), "bad")]
)
def test_the_python_must_fit_the_lock(version: tuple[int, int], state: str) -> None:
    assert _check_python(version).state == state
