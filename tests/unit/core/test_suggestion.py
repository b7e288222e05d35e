"""Suggested commands: a shell that is given one runs it with these very arguments."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.core.suggestion import program, suggestion

ODD = (
    "my runs",
    "it's",
    'say "so"',
    "$(touch ran)",
    "`touch ran`",
    "a;b",
    "a&b",
    "*",
    "~",
    "数据 集",
    "a\\b",
    "",
    "#a",
)


@pytest.mark.parametrize("name", ODD)
def test_a_shell_hands_on_every_character(name: str, tmp_path: Path):
    toolkit = tmp_path / "toolkit"
    toolkit.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    toolkit.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", suggestion("compare", "--output", name)],
        cwd=tmp_path, env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split("\0")[:-1] == ["compare", "--output", name]
    assert not (tmp_path / "ran").exists()


def test_a_path_is_never_an_option():
    assert suggestion("check", Path("-x.json")) == "toolkit check ./-x.json"


@pytest.mark.parametrize(
    ("called", "on_path", "expected"),
    [
        ("bin/toolkit", True, "toolkit"),
        ("bin/toolkit", False, "bin/toolkit"),
        ("my bin/toolkit", False, "'my bin/toolkit'"),
        ("somewhere/pytest", False, "toolkit"),
        ("gone/toolkit", False, "toolkit"),
    ],
)
def test_the_program_is_called_as_the_user_called_it(
    called: str, on_path: bool, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    path = Path(called)
    if not called.startswith("gone"):
        path.parent.mkdir()
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / path.parent) if on_path else str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "argv", [called])
    assert program() == expected


def test_a_module_is_called_as_a_module(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/toolkit/__main__.py", "runs"])
    monkeypatch.setattr(sys, "orig_argv", [".host/bin/python", "-m", "toolkit", "runs"])
    assert program() == ".host/bin/python -m toolkit"


def test_a_container_names_the_hosts_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_PROGRAM", "python -m image run -- toolkit")
    assert shlex.split(suggestion("compare", "v0"))[-3:] == ["toolkit", "compare", "v0"]
