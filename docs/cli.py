"""Writes docs/cli.md from the Click tree: `python docs/cli.py`; `--check` fails where the file is not current."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from toolkit.cli import COMMANDS, cli

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# Commands

This page is written by `make docs` from the commands themselves, and `make lint` checks that it is current.
Every command prints its answer on stdout and everything else on stderr.

| exit code | meaning |
|---|---|
| 0 | done; for `compare`: the verdict passed |
| 1 | a bug |
| 2 | usage |
| 3 | configuration: an option, a recipe, a folder, a run |
| 4 | download or weights |
| 5 | data set |
| 6 | training |
| 7 | export |
| 20, 21, 22 | `compare`: it did not take; something else moved; both |
| 130 | interrupted |
"""


def helps(command: click.Command, path: list[str]) -> Iterator[tuple[str, str]]:
    """The command's name and help, then its subcommands'."""
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="toolkit", terminal_width=90, env={"COLUMNS": "90"})
    yield " ".join(["toolkit", *path]), result.output.rstrip()
    if path and isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from helps(inner, [*path, name])


def page() -> str:
    context = click.Context(cli)
    parts = [HEAD, *_sections(helps(cli, []))]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        parts += _sections(helps(command, [name]))
    return "\n".join(parts)


def _sections(found: Iterator[tuple[str, str]]) -> list[str]:
    return [f"## {name}\n\n```text\n{text}\n```\n" for name, text in found]


def main() -> None:
    written = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(written, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != written:
        sys.exit("docs/cli.md is not current. Run: make docs")


if __name__ == "__main__":
    main()
