"""Files that are one result: no kill and no second writer leaves a new one beside an old one."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.core import file_set
from toolkit.core.file_set import write_file_set

NAMES = ("report.md", "report.html", "report.json")


class Killed(BaseException):
    """As far as files go, what kill -9 does."""


@pytest.fixture(
    name="folder", params=[(True, True), (True, False), (False, True)], ids=["swapped", "replaced", "other"]
)
def _folder(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    own, exchanges = request.param
    if not exchanges:
        monkeypatch.setattr(file_set, "_exchange", lambda *_: False)
    monkeypatch.setattr(file_set, "OWN", own, raising=False)
    return tmp_path / "compare"


def write(folder: Path, text: str, **others: str | None) -> None:
    write_file_set(folder, dict.fromkeys(NAMES, text) | others, own=file_set.OWN)  # type: ignore[attr-defined]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_first_and_a_second_set(folder: Path) -> None:
    for text in ("old", "new"):
        write(folder, text)
        assert contents(folder) == dict.fromkeys(NAMES, text)
        assert [path.name for path in folder.parent.iterdir()] == ["compare"]


def test_other_files_and_the_mode_of_the_folder_stay(folder: Path) -> None:
    write(folder, "old")
    (folder / "notes.txt").write_text("mine")
    folder.chmod(0o750)

    write(folder, "new")

    assert contents(folder) == {**dict.fromkeys(NAMES, "new"), "notes.txt": "mine"}
    assert folder.stat().st_mode & 0o777 == 0o750


def test_a_file_that_the_new_set_has_not_is_removed(folder: Path) -> None:
    write(folder, "old", extra="old")
    write(folder, "new", extra=None)

    assert contents(folder) == dict.fromkeys(NAMES, "new")


def test_a_folder_within_is_kept_too(folder: Path) -> None:
    write(folder, "old")
    (folder / "inner").mkdir()
    (folder / "inner" / "mine").write_text("mine")

    write(folder, "new")

    assert (folder / "inner" / "mine").read_text() == "mine"
    assert {(folder / name).read_text() for name in NAMES} == {"new"}


@pytest.mark.parametrize("call", ["write_text", "replace", "link", "rmtree", "unlink"])
@pytest.mark.parametrize("count", range(5))
def test_a_kill_at_any_moment_leaves_no_mixture_and_the_next_write_none_of_its_leftovers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, count: int
) -> None:
    write(folder, "old")
    (folder / "notes.txt").write_text("mine")
    place = {"write_text": file_set, "link": os, "rmtree": file_set.shutil, "replace": Path, "unlink": Path}[call]
    with monkeypatch.context() as patch:
        patch.setattr(place, call, killing(getattr(place, call), count))
        patch.setattr(file_set.shutil, "rmtree", lambda *_, **__: None)  # a killed process cleans nothing up
        with contextlib.suppress(Killed):
            write(folder, "new")

    left = {name: (folder / name).read_text() for name in NAMES if (folder / name).exists()}
    assert len(set(left.values())) <= 1, left
    assert (folder / "notes.txt").read_text() == "mine"

    write(folder, "newest")
    assert contents(folder) == {**dict.fromkeys(NAMES, "newest"), "notes.txt": "mine"}
    assert [path.name for path in folder.parent.iterdir()] == ["compare"]


def killing(real: Callable[..., object], count: int) -> Callable[..., object]:
    calls = []

    def call(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) > count:
            raise Killed
        return real(*arguments, **options)

    return call


def _write_often(folder: Path, number: int) -> None:
    for turn in range(4):
        write_file_set(folder, dict.fromkeys(NAMES, f"{number}-{turn}"), own=True)


def test_processes_that_write_one_set_at_once_all_succeed_and_leave_one(tmp_path: Path) -> None:
    folder, context = tmp_path / "compare", multiprocessing.get_context("fork")
    children = [context.Process(target=_write_often, args=(folder, number)) for number in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)

    assert [child.exitcode for child in children] == [0] * 8
    assert len(set(contents(folder).values())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["compare"]


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "compare").symlink_to("elsewhere")

    with pytest.raises(NotADirectoryError):
        write_file_set(tmp_path / "compare", {"report.md": "new"}, own=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_links_in_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("years of work")
    folder.mkdir()
    for name in ("report.md", "report.html"):
        (folder / name).symlink_to(tmp_path / "thesis")

    write(folder, "new")

    assert (tmp_path / "thesis").read_text() == "years of work"
    assert contents(folder) == dict.fromkeys(NAMES, "new")
