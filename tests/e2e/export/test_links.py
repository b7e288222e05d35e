"""A run or a base model that somebody else made: no link in it leads an export to files of the user."""

import shutil
from pathlib import Path

import pytest

from tests.fakes.made_run import make_run
from toolkit.core.errors import ConfigError
from toolkit.core.files import data_folder
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig
from toolkit.export.push_to_hub import PushConfig, push_to_hub
from toolkit.runs.run import find_run

TINY = data_folder() / "tiny-qwen2"
PROBES = "schema_version: 1\nprobes:\n  - {id: p0, group: out-of-scope, prompt: Hello}\n"


@pytest.fixture(scope="module", name="original")
def _original(tmp_path_factory):
    """A run with its base model, copied for each test."""
    folder = tmp_path_factory.mktemp("original")
    shutil.copytree(TINY, folder / "base")
    make_run(folder / "output", folder / "base", seed=2, strength=0.05)
    return folder


@pytest.fixture(name="output")
def _output(original, tmp_path):
    shutil.copytree(original / "output", tmp_path / "output", symlinks=True)
    (tmp_path / "probes.yaml").write_text(PROBES, encoding="utf-8")
    return tmp_path / "output"


@pytest.fixture(name="thesis")
def _thesis(tmp_path):
    """A folder that must stay as it is, and whose content must not be copied."""
    folder = tmp_path / "thesis"
    folder.mkdir()
    for name in ("thesis.txt", ".lock", "report.json", "report.md"):
        (folder / name).write_text("years of work", encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def exported(output: Path, **config: object):
    return export(ExportConfig(output=output, **{"probes": output.parent / "probes.yaml"} | config))


def refused(output: Path, link: Path, **config: object) -> None:
    run = (output / "latest").resolve()
    before = {path.name for path in run.iterdir()}
    with pytest.raises(ConfigError, match=f"{link.name} is a symbolic link"):
        exported(output, **config)
    assert {path.name for path in run.iterdir()} == before


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["merged", "merged.partial", "merged.old", "merged.rejected"])
def test_a_link_in_the_place_of_a_folder_that_is_written_or_removed(output, thesis, name, force):
    link = find_run(None, output).folder / name
    link.symlink_to(thesis)
    before = contents(thesis)

    refused(output, link, force=force)

    assert contents(thesis) == before
    assert link.is_symlink()


@pytest.mark.parametrize("goal", [".lock", "new"])
def test_the_lock_of_a_partial_folder_is_not_a_link(output, thesis, goal):
    partial = find_run(None, output).folder / "merged.partial"
    partial.mkdir()
    (partial / ".lock").symlink_to(thesis / goal)
    before = contents(thesis)

    refused(output, partial / ".lock")

    assert contents(thesis) == before


@pytest.mark.parametrize("name", ["model.safetensors", ".export.json.partial", "folder"])
def test_links_in_a_partial_folder_are_not_followed(output, thesis, name):
    partial = find_run(None, output).folder / "merged.partial"
    partial.mkdir()
    (partial / name).symlink_to(thesis if name == "folder" else thesis / "thesis.txt")
    before = contents(thesis)

    refused(output, partial / name)

    assert contents(thesis) == before


@pytest.mark.parametrize("name", ["model.safetensors", ".export.json.partial", "folder"])
def test_links_in_a_partial_folder_elsewhere_are_removed_and_not_followed(output, thesis, tmp_path, name):
    partial = tmp_path / "mine.partial"
    partial.mkdir()
    (partial / name).symlink_to(thesis if name == "folder" else thesis / "thesis.txt")
    before = contents(thesis)

    folder = exported(output, folder=tmp_path / "mine").folder

    assert contents(thesis) == before
    assert not any(path.is_symlink() for path in folder.iterdir())


@pytest.mark.parametrize("name", ["README.md", "report.json", ".README.md.partial", "LICENSE", "inner"])
def test_a_link_in_an_earlier_export(output, thesis, name):
    """A second export of the adapter writes card and reports into the folder again."""
    folder = exported(output, to="adapter").folder
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(thesis / "thesis.txt")
    before = contents(thesis)

    refused(output, folder / name, to="adapter")

    assert contents(thesis) == before


@pytest.mark.parametrize("name", ["compare", "compare/report.json", "compare/report.md", "probes.yaml", "train.jsonl"])
@pytest.mark.parametrize("to", ["merged", "adapter"])
def test_a_link_among_the_files_that_are_read(output, thesis, name, to):
    link = find_run(None, output).folder / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(thesis if name == "compare" else thesis / "report.md")

    refused(output, link, to=to)


@pytest.mark.parametrize(
    "name", ["run.json", "checkpoint-1", "checkpoint-1/adapter_model.safetensors", "checkpoint-1/adapter_config.json"]
)
def test_a_run_whose_own_files_are_elsewhere(output, tmp_path, name):
    path = find_run(None, output).folder / name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    refused(output, path, to="adapter")


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE", "chat_template.jinja"])
@pytest.mark.parametrize("to", ["merged", "adapter", "ollama", "gguf"])
def test_a_base_model_with_a_link_to_another_file(output, original, thesis, tmp_path, name, to):
    base = tmp_path / "base"
    shutil.copytree(original / "base", base)
    (base / name).unlink(missing_ok=True)
    (base / name).symlink_to(thesis / "thesis.txt")

    with pytest.raises(ConfigError, match=f"{name} is not a regular file of the model's folder"):
        exported(output, model=str(base), to=to, unchecked=to in {"ollama", "gguf"})
    assert {path.name for path in find_run(None, output).folder.iterdir()} == {"checkpoint-1", "run.json"}


@pytest.mark.parametrize(
    "name", ["adapter", "adapter/report.md", "adapter/notes.txt", "compare", "compare/report.json"]
)
def test_nothing_is_pushed_that_a_link_names(output, thesis, name, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_token")
    monkeypatch.setattr("toolkit.model.hub.upload.find_remote", lambda *_: None)
    monkeypatch.setattr("toolkit.model.hub.upload.upload", lambda *_, **__: pytest.fail("uploaded"))
    run = find_run(None, output).folder
    exported(output, to="adapter")
    link = run / name
    link.parent.mkdir(exist_ok=True)
    if name == "adapter":
        link.rename(thesis / "adapter")
    link.symlink_to(thesis / name if name == "adapter" else thesis)

    with pytest.raises(ConfigError, match=f"{link.name} is a symbolic link"):
        push_to_hub(
            PushConfig(repository="me/mine", output=output, probes=output.parent / "probes.yaml", even_if_failed=True)
        )
