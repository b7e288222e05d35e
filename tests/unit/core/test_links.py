"""Symbolic links are refused wherever they point; regular files are copied."""

import os
from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.core.links import (
    circle_of_links,
    copy_regular_file,
    require_links_stay_in,
    require_no_link,
    require_no_links_in,
    target_name,
)


@pytest.fixture(name="secret")
def _secret(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "secret"


def test_a_file_a_folder_and_nothing_are_no_links(secret: Path, tmp_path: Path) -> None:
    require_no_link(secret, tmp_path, tmp_path / "missing")


@pytest.mark.parametrize("goal", ["secret", "missing", "."])
def test_a_link_is_refused_wherever_it_points(secret: Path, tmp_path: Path, goal: str) -> None:
    (tmp_path / "link").symlink_to(goal)

    with pytest.raises(ConfigError, match=r"link is a symbolic link.*remove it"):
        require_no_link(secret, tmp_path / "link")


@pytest.mark.parametrize("name", ["link", "inner/link", "inner/deeper/link"])
def test_a_link_at_any_depth_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "inner" / "deeper").mkdir(parents=True)
    require_no_links_in(tmp_path)
    (tmp_path / name).symlink_to("/")

    with pytest.raises(ConfigError, match="is a symbolic link"):
        require_no_links_in(tmp_path)


def test_a_folder_that_is_a_link_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)

    with pytest.raises(ConfigError, match="is a symbolic link"):
        require_no_links_in(tmp_path / "link")


def test_a_regular_file_is_copied(secret: Path, tmp_path: Path) -> None:
    copy_regular_file(secret, tmp_path / "copy")

    assert (tmp_path / "copy").read_text() == "secret"


def test_neither_a_link_nor_a_fifo_is_copied(secret: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "fifo")

    for name in ("link", "fifo"):
        with pytest.raises(ConfigError, match=r"is a symbolic link|is not a regular file"):
            copy_regular_file(tmp_path / name, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_replaces_a_link_and_does_not_follow_it(secret: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "copy").symlink_to(tmp_path / "elsewhere")

    copy_regular_file(secret, tmp_path / "copy")

    assert not (tmp_path / "copy").is_symlink()
    assert (tmp_path / "copy").read_text() == "secret"
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.mark.parametrize(
    ("target", "stays"),
    [
        ("checkpoint-1", True), ("inner/../checkpoint-1", True), ("missing", True), ("../run/checkpoint-1", True),
        ("..", False), ("../elsewhere", False), ("/etc/passwd", False), ("/missing", False), ("circle", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["link", "inner/link"])
def test_a_link_may_lead_within_a_folder_and_not_out_of_it(
    tmp_path: Path, target: str, stays: bool, place: str
) -> None:
    folder = tmp_path / "run"
    for name in ("inner", "checkpoint-1"):
        (folder / name).mkdir(parents=True)
    (folder / "circle").symlink_to("circle") if target == "circle" else None
    (folder / place).symlink_to(target if place == "link" or target.startswith("/") else f"../{target}")

    if stays:
        require_links_stay_in(folder)
    else:
        with pytest.raises(ConfigError, match="is a symbolic link"):
            require_links_stay_in(folder)


@pytest.mark.parametrize(("target", "name"), [("v1", "v1"), ("../v1", "v1"), ("latest", None), (None, None)])
def test_the_name_that_a_link_leads_to(tmp_path: Path, target: str | None, name: str | None) -> None:
    link = tmp_path / "latest"
    link.mkdir() if target is None else link.symlink_to(target)

    assert target_name(link) == name


def test_a_circle_of_links_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    error = RuntimeError(f"Symlink loop from {str(tmp_path / 'one')!r}")  # as Path.resolve, up to Python 3.12

    told = circle_of_links(error)

    assert told is not None
    assert str(tmp_path / "one") in told.what
    assert circle_of_links(RuntimeError("CUDA error")) is None
