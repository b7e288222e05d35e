"""The names within a run's folder, and the option that names its output folder."""

from pathlib import Path

import pytest

from toolkit.runs.layout import output_option


@pytest.mark.parametrize(
    ("output", "expected"),
    [("output", ""), ("./output/", ""), ("mine", " --output mine"), ("my runs", " --output 'my runs'")],
)
def test_a_suggested_command_names_the_output_folder_unless_it_is_the_default(output: str, expected: str):
    assert output_option(Path(output)) == expected


def test_the_default_folder_by_its_absolute_path_is_the_default():
    assert output_option(Path.cwd() / "output") == ""
