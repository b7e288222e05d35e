"""Which files the studio sees, and under which names; what is brought never replaces anything."""

from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import data_folder
from toolkit.studio.workspace import Workspace


@pytest.fixture(name="workspace")
def _workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "work").mkdir()
    return Workspace(folder=tmp_path / "work", output=Path("output"))


def write(workspace: Workspace, name: str, content: str = "[]") -> Path:
    path = workspace.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def own(workspace: Workspace) -> list[str]:
    return [file.name for file in workspace.data_files() if not file.shipped]


def test_a_name_that_is_not_utf_8_hides_no_other_data_set(workspace: Workspace):
    for name in ("a.json", "\udcd6\udcd0.json"):  # as an archive from Windows leaves a Chinese name
        write(workspace, name)

    assert own(workspace) == ["a.json"]


def test_data_sets_are_those_here_written_and_brought_and_the_shipped_ones(workspace: Workspace):
    for name in ("a.jsonl", "output/taught/b.jsonl", "output/data/c.csv"):
        write(workspace, name)
    for name in ("note.txt", ".hidden.json", "deep/d.json", "a.questions.jsonl", "output/taught/b.tried.jsonl"):
        write(workspace, name)

    assert sorted(own(workspace)) == ["a.jsonl", "output/data/c.csv", "output/taught/b.jsonl"]
    assert [file.name for file in workspace.data_files() if file.shipped] == [
        "corrected_fact.json", "self_cognition.json",
    ]  # fmt: skip
    assert workspace.data_file("self_cognition.json").path == data_folder() / "self_cognition.json"


def test_a_name_that_is_not_listed_opens_nothing(workspace: Workspace, tmp_path: Path):
    (tmp_path / "secret.json").write_text("[]", encoding="utf-8")
    write(workspace, "deep/d.json")

    for name in ("../secret.json", str(tmp_path / "secret.json"), "deep/d.json", "output/../../secret.json", "."):
        with pytest.raises(DataError, match="No data set"):
            workspace.data_file(name)


def test_an_output_folder_elsewhere_has_absolute_names(workspace: Workspace, tmp_path: Path):
    elsewhere = Workspace(folder=workspace.folder, output=tmp_path / "results")
    (tmp_path / "results" / "taught").mkdir(parents=True)
    (tmp_path / "results" / "taught" / "b.jsonl").write_text("{}", encoding="utf-8")

    assert own(elsewhere) == [str(tmp_path / "results" / "taught" / "b.jsonl")]


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("mine.json", "mine.json"),
        ("../../etc/cron.d/mine.json", "mine.json"),
        ("C:\\data\\mine.csv", "mine.csv"),
        ("..json.jsonl", "json.jsonl"),
        ("我的 数据.jsonl", "我的-数据.jsonl"),
        ("a;rm -rf $HOME`.json", "a-rm--rf-HOME-.json"),
    ],
)
def test_a_brought_file_gets_a_plain_name_in_the_output_folder(workspace: Workspace, name: str, stored: str):
    file = workspace.bring(name, b"[]")

    assert file.path == workspace.folder / "output" / "data" / stored
    assert workspace.data_file(file.name).path == file.path


def test_a_brought_file_replaces_none(workspace: Workspace):
    first, second = workspace.bring("mine.json", b"[1]"), workspace.bring("mine.json", b"[2]")

    assert (first.path.read_bytes(), second.path.read_bytes()) == (b"[1]", b"[2]")
    assert second.path.name == "mine-2.json"


@pytest.mark.parametrize("name", ["run.sh", "page.html", "x", ".json", "", "mine.json.exe"])
def test_a_file_of_another_kind_is_refused(workspace: Workspace, name: str):
    with pytest.raises(DataError, match="not a data file by its name"):
        workspace.bring(name, b"x")


def test_no_link_is_written_through(workspace: Workspace, tmp_path: Path):
    (workspace.folder / "output").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (workspace.folder / "output" / "data").symlink_to(tmp_path / "elsewhere")
    (workspace.folder / "output" / ".studio").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="symbolic link"):
        workspace.bring("mine.json", b"[]")
    with pytest.raises(ConfigError, match="symbolic link"):
        workspace.state("jobs")


def test_the_version_changes_with_what_is_shown(workspace: Workspace):
    versions = [workspace.version()]
    for name in ("mine.json", "output/v0-20260101-000000/run.json", "output/v0-20260101-000000/compare/report.json",
                 "output/.studio/notes.json", "output/.studio/jobs/1/job.json"):  # fmt: skip
        write(workspace, name)
        versions.append(workspace.version())

    assert len(set(versions)) == len(versions)
    assert workspace.version() == versions[-1]
