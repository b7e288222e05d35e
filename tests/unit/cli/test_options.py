"""Options that several commands share."""

from collections import defaultdict

import click
import pytest

from toolkit.cli import COMMANDS, cli

SHARED = ("output", "as_json", "recipe", "base_only", "force", "systems", "max_new_tokens")


def parameters() -> dict[str, set[str]]:
    """The help texts of each option, over all commands and subcommands."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for each in [command, *(command.commands.values() if isinstance(command, click.Group) else ())]:
            for parameter in each.params:
                if isinstance(parameter, click.Option):
                    found[str(parameter.name)].add(str(parameter.help))
    return found


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_option_has_the_same_help_everywhere(name: str):
    assert len(parameters()[name]) == 1


def test_the_base_model_has_one_help_with_two_defaults():
    starts = {text.partition("  [default")[0] for text in parameters()["model"]}

    assert starts == {"Base model: a folder or a name."}
