"""Writes docs/cli.md from the Click trees: `make docs`; `--check` fails where the file is not current.

Needs the checkout on the PYTHONPATH: `image` is never installed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from image.cli import cli as image_cli
from toolkit.cli import cli as toolkit_cli

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# Commands

This page is written by `make docs` from the commands themselves, and `make lint` checks that it is current.
Every command prints its answer on stdout and everything else on stderr.

| exit code | meaning |
|---|---|
| 0 | done; for `compare` and `sweep`: the verdict passed, or by its figures would |
| 1 | a bug |
| 2 | usage |
| 3 | configuration: an option, a recipe, a folder, a run |
| 4 | download or weights |
| 5 | data set |
| 6 | training |
| 7 | export |
| 8 | done, but the answer could not be written to stdout (a full disk); a verdict keeps its own code |
| 9 | the container engine |
| 10 | a registry, or a hub that is pushed to |
| 20, 21, 22 | `compare`, `lab`, `teach`, and `sweep` of the run named: not learned; something else moved; both |
| 23 | `compare --strict`: inconclusive, too few probes to tell |
| 24 | `replay`: the second run is not the first one |
| 25 | `verify-evidence`: the evidence is missing, was changed, or does not meet the policy |
| 130 | interrupted: Ctrl-C, SIGTERM or SIGHUP |

The streams cost no work: runs and reports are finished whatever becomes of stdout and stderr.
A reader that leaves (`toolkit compare --all | head -1`) changes no exit code, and nor does a closed stream.
Characters that a stream's encoding lacks are replaced.
"""

IMAGE_HEAD = """# The host's side

`python -m image` stands beside Docker; `make` calls it. `image run` ends with the exit code of what it ran.
"""


def helps(root: click.Group, command: click.Command, path: list[str]) -> Iterator[tuple[str, str]]:
    """The command's name and help, then its subcommands'; `path` begins with the program's name."""
    program, *rest = path
    result = CliRunner().invoke(root, [*rest, "--help"], prog_name=program, terminal_width=90, env={"COLUMNS": "90"})
    yield " ".join(path), result.output.rstrip()
    if rest and isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from helps(root, inner, [*path, name])


def page() -> str:
    return "\n".join([HEAD, *_tree(toolkit_cli, "toolkit"), IMAGE_HEAD, *_tree(image_cli, "python -m image")])


def _tree(root: click.Group, program: str) -> list[str]:
    context = click.Context(root)
    parts = _sections(helps(root, root, [program]))
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        parts += _sections(helps(root, command, [program, name]))
    return parts


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
