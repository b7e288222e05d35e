"""The names within a run's folder, and the option that names its output folder."""

from pathlib import Path

import pytest

from toolkit.runs.layout import list_command, output_option


@pytest.mark.parametrize(
    ("output", "expected"),
    [("output", ""), ("./output/", ""), ("mine", " --output mine"), ("my runs", " --output 'my runs'")],
)
def test_a_suggested_command_names_the_output_folder_unless_it_is_the_default(output: str, expected: str):
    assert list_command(Path(output)) == f"toolkit runs{expected}"


def test_the_default_folder_by_its_absolute_path_is_the_default():
    assert output_option(Path.cwd() / "output") == ()


def test_a_host_has_named_its_own_folder_already(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_PROGRAM", "python -m image run --output 'my runs' -- toolkit")
    assert list_command(Path("output")) == "python -m image run --output 'my runs' -- toolkit runs"
    assert output_option(Path("other")) == ()
