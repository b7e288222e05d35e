"""The command group: summaries, light imports, and what a mistyped name suggests."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from toolkit.cli import COMMANDS, cli, import_name, summary

HEAVY = ("torch", "transformers", "swift", "peft", "datasets", "numpy", "scipy", "huggingface_hub", "starlette")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_summary_is_the_first_line_of_its_help(name: str):
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert summary(name) == (command.help or "").splitlines()[0]
    assert len(summary(name)) <= 64, "longer would wrap in 80 columns"


def test_help_lists_every_command_with_its_summary():
    lines = CliRunner().invoke(cli, ["--help"]).output.splitlines()

    assert [line.split(maxsplit=1) for line in lines[-len(COMMANDS) :]] == [[name, summary(name)] for name in COMMANDS]


def test_help_of_a_command_imports_no_heavy_library():
    """Neither torch nor anything else that takes tenths of a second."""
    modules = ", ".join(import_name(name) for name in COMMANDS)
    script = f"import sys, {modules}; print(*sorted(set(sys.modules) & {set(HEAVY)}))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["finetun", "x"], "No such command 'finetun'. Did you mean 'finetune'?"),
        (["make_data"], "No such command 'make_data'. Did you mean 'make-data'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["verify", "x", "--lok", "y"], "No such option '--lok'. Did you mean '--lock'?"),
        (["check", "x", "--prev", "3"], "No such option '--prev'. Did you mean '--preview'?"),
        (["runs", "show", "--jason"], "No such option '--jason'. Did you mean '--json'?"),
        (["verify", "x", "--zzz"], "No such option '--zzz'."),
    ],
)
def test_a_mistyped_name_suggests_the_nearest(arguments: list[str], message: str):
    result = CliRunner().invoke(cli, arguments)

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {message}"
