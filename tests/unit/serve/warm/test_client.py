"""What a command says of a warm process; the rest of it are processes: tests/e2e/serve/test_warm.py."""

import subprocess
import sys

import pytest

from toolkit.cli import COMMANDS as ALL
from toolkit.serve.warm.client import COMMANDS, LASTING, ago, named_language


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s ago"), (59, "59 s ago"), (181, "3 min ago"), (7300, "2 h ago")]
)
def test_an_age_in_its_largest_unit(seconds: float, text: str):
    assert ago(seconds) == text


@pytest.mark.parametrize(
    ("arguments", "language"),
    [
        (("--lang", "zh", "chat"), "zh"),
        (("compare", "v3", "--lang=en"), "en"),
        (("--lang", "zh", "compare", "--lang", "en"), "en"),
        (("chat", "--lang"), ""),
        (("teach", "You speak --lang zh."), ""),
    ],
)
def test_the_language_that_is_named_last_counts(arguments: tuple[str, ...], language: str):
    assert named_language(arguments) == language


def test_they_are_commands():
    assert set(ALL) >= COMMANDS | LASTING


def test_it_imports_little_of_the_standard_library():
    """What every command pays before it knows whether there is something warm."""
    heavy = "asyncio", "click", "dataclasses", "inspect", "subprocess", "tempfile", "socket", "json", "hashlib"
    script = f"import sys, toolkit.serve.warm.client; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert found.stdout == "[]\n"
