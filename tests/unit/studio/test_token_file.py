"""A token that stays: its file is the user's own, or nothing is opened."""

import os
import stat
from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.studio.token_file import TOKEN, kept_token, new_token


def test_the_file_is_made_for_its_owner_and_read_again(tmp_path: Path):
    file = tmp_path / "studio.token"

    token = kept_token(file)

    assert TOKEN.fullmatch(token)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kept_token(file) == token
    assert new_token() != new_token()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int):
    file = tmp_path / "studio.token"
    kept_token(file)
    file.chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        kept_token(file)


@pytest.mark.parametrize("content", ["", "short", "a" * 19, "x" * 201, "with spaces in the middle of it", "a\n" * 30])
def test_a_file_with_something_else_is_refused_and_kept(tmp_path: Path, content: str):
    file = tmp_path / "studio.token"
    file.write_text(content, encoding="utf-8")
    file.chmod(0o600)

    with pytest.raises(ConfigError, match="has no token") as error:
        kept_token(file)
    assert content.strip() not in str(error.value) or not content
    assert file.read_text(encoding="utf-8") == content


def test_no_link_no_pipe_and_no_folder_is_followed(tmp_path: Path):
    target = tmp_path / "target.token"
    kept_token(target)
    (tmp_path / "link.token").symlink_to(target)
    (tmp_path / "dangling.token").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.token", 0o600)

    for name in ("link.token", "dangling.token", "pipe.token", "."):
        with pytest.raises(ConfigError):
            kept_token(tmp_path / name)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["token.json", "token.jsonl", "TOKEN.CSV"])
def test_a_name_that_pages_and_agents_would_list_as_data_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match="data set"):
        kept_token(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_folder_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="No such file"):
        kept_token(tmp_path / "none" / "studio.token")
