"""Which host files a container gets, and where."""

from pathlib import Path

import pytest

from image.core.errors import ConfigError
from image.engine import Mount
from image.run.mounts import mounts_for


@pytest.fixture(name="here")
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with data/ and a file of one's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/self_cognition.json").write_text("[]")
    (tmp_path / "mine.jsonl").write_text("")
    return tmp_path


def mounted(*arguments: str, output: str = "output") -> dict[str, Mount]:
    found = mounts_for(arguments, output=Path(output), data=Path("data"))
    return {mount.target: mount for mount in found}


def test_results_can_be_written_and_data_can_be_read(here: Path) -> None:
    mounts = mounted("finetune")
    assert mounts["/root/output"] == Mount(source=f"{here}/output", target="/root/output", read_only=False)
    assert mounts["/root/data"] == Mount(source=f"{here}/data", target="/root/data")
    assert (here / "output").is_dir()


def test_a_file_in_the_arguments_is_where_the_command_looks(here: Path) -> None:
    assert mounted("finetune", "mine.jsonl")["/root/mine.jsonl"].source == f"{here}/mine.jsonl"
    assert mounted("finetune", str(here / "mine.jsonl"))[f"{here}/mine.jsonl"].source == f"{here}/mine.jsonl"
    assert "/root/mine.jsonl" in mounted("finetune", "--keep=mine.jsonl")
    assert "/root/mine.jsonl" in mounted("finetune", "--mix", "mine.jsonl#20")


def test_a_data_sets_own_probes_come_along(here: Path) -> None:
    (here / "mine.probes.yaml").write_text("")
    assert mounted("finetune", "mine.jsonl")["/root/mine.probes.yaml"].source == f"{here}/mine.probes.yaml"


def test_the_hosts_copy_of_a_data_set_hides_the_images(here: Path) -> None:
    mount = mounted("finetune", "self_cognition.json")["/root/self_cognition.json"]
    assert mount.source == f"{here}/data/self_cognition.json"


def test_what_a_mounted_folder_holds_is_not_mounted_again(here: Path) -> None:
    (here / "output/v0").mkdir(parents=True)
    assert set(mounted("compare", "output/v0", "data/self_cognition.json")) == {"/root/output", "/root/data"}


def test_words_that_are_no_files_are_left_alone(here: Path) -> None:
    (here / "v3").mkdir()
    assert set(mounted("compare", "v3", "--epochs", "5", "", "你" * 400)) == {"/root/output", "/root/data"}


def test_the_images_own_folders_cannot_be_hidden(here: Path) -> None:
    with pytest.raises(ConfigError, match="would hide the container's /tmp"):
        mounted("check", "/tmp")


def test_a_path_of_the_system_means_the_containers_own(here: Path) -> None:
    assert set(mounted("ls", "/dev/null", "/etc/hosts", "/usr/bin/env")) == {"/root/output", "/root/data"}
