"""What must be the same for a warm process to be used."""

import json
import os
from pathlib import Path

import pytest

from toolkit.serve.warm import identity as module
from toolkit.serve.warm.identity import difference, identity


def test_nothing_differs_from_itself_also_after_json():
    one = identity({"HOME": "/h", "OMP_NUM_THREADS": "2"})

    assert difference(json.loads(json.dumps(one)), one) is None


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "HF_HOME", "CUDA_VISIBLE_DEVICES", "LD_PRELOAD", "RANK", "LC_ALL"])
def test_a_variable_that_is_read_once_matters_and_is_named(name: str):
    one, other = identity({}), identity({name: "1"})

    assert difference(one, other) == difference(other, one) == f"the variable {name}"


@pytest.mark.parametrize("name", ["PWD", "TERM", "COLUMNS", "TOOLKIT_PROGRESS", "SSH_TTY"])
def test_a_variable_that_a_command_reads_itself_does_not(name: str):
    assert difference(identity({}), identity({name: "1"})) is None


def test_any_changed_file_of_the_package_is_another_version(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    (tmp_path / "room").mkdir()
    file = tmp_path / "room" / "recipe.yaml"
    file.write_text("rank: 8")
    os.utime(file, ns=(1, 1))
    before = identity({})

    assert difference(before, identity({})) is None
    os.utime(file, ns=(1, 2))
    assert difference(before, identity({})) == "the toolkit's code"


def test_byte_code_is_no_other_version(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    before = identity({})
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"")

    assert difference(before, identity({})) is None


def test_priority_and_limits_matter():
    one = identity({})

    assert difference(one, {**one, "the priority": 19}) == "the priority"
    assert difference(one, {**one, "a limit (ulimit)": []}) == "a limit (ulimit)"
