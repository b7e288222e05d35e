"""Where a pair's page and JSON are written."""

import json
from pathlib import Path

import pytest

from tests.fakes.paired import two_runs
from toolkit.compare.report.pair.files import write_pair
from toolkit.compare.report.pair.pair import read_pair
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError
from toolkit.runs.run import run_folders


def test_both_files_are_in_a_folder_of_the_output_that_is_no_run(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path))

    written = write_pair(pair, tmp_path, None, Texts())

    assert written == tmp_path / "pairs" / "v0-20260101-000000-and-v1-20260101-000001"
    assert sorted(path.name for path in written.iterdir()) == ["pair.html", "pair.json"]
    assert json.loads((written / "pair.json").read_text(encoding="utf-8"))["schema_version"] == 1
    assert len(list(run_folders(tmp_path))) == 2


def test_a_named_folder_keeps_its_other_files(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("x", encoding="utf-8")

    for _ in range(2):
        write_pair(pair, tmp_path, tmp_path / "mine", Texts("zh"))

    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["note.txt", "pair.html", "pair.json"]
    assert '<html lang="zh-CN">' in (tmp_path / "mine" / "pair.html").read_text(encoding="utf-8")


def test_no_link_is_followed_out_of_the_output(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path / "output"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output" / "pairs").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="link"):
        write_pair(pair, tmp_path / "output", None, Texts())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_place_that_is_a_file_is_named(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path))
    (tmp_path / "file").write_text("x", encoding="utf-8")

    with pytest.raises(ConfigError, match="The page cannot be written to"):
        write_pair(pair, tmp_path, tmp_path / "file", Texts())
