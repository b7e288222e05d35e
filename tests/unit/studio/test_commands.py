"""The commands of the buttons are commands that the command line takes."""

from pathlib import Path

import click
import pytest

from toolkit.cli import cli
from toolkit.core.errors import ConfigError, DataError
from toolkit.studio.commands import FORMATS, Commands, read_choice
from toolkit.studio.workspace import DataFile

FILE = DataFile(name="output/data/mine.json", path=Path("/srv/output/data/mine.json"))
EVERYTHING = {
    "recipe": "article", "epochs": "2.5", "learning_rate": "1e-4", "lora_rank": "16", "keep_weight": "0",
    "max_length_tokens": "512", "seed": "7", "questions": "own", "in_4bit": "on",
}  # fmt: skip
COMMANDS = [
    Commands(output=Path("output")),
    Commands(output=Path("else where"), model="tiny-qwen2", lang="zh"),
]


def parsed(arguments: tuple[str, ...]) -> dict[str, object]:
    """The command's own parameters. Raises Click's errors for a command that it does not take."""
    name, *rest = arguments
    command = cli.get_command(click.Context(cli), name)
    if isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    return command.make_context(name, rest).params


@pytest.mark.parametrize("commands", COMMANDS)
@pytest.mark.parametrize("fields", [{}, EVERYTHING, {"questions": "none"}])
def test_every_command_is_one_that_the_command_line_takes(commands: Commands, fields: dict[str, str]):
    choice = read_choice(fields, commands.model)

    for arguments in (
        commands.say("-5 °C is cold.", rows_only=True),
        commands.say("--help", rows_only=False),
        ("check", FILE.name, *commands.check_options(choice)),
        commands.train(FILE, choice),
        commands.resume("v1-20260101-000000"),
        commands.compare("v1-20260101-000000"),
        *(commands.export("v1-20260101-000000", name) for name in FORMATS),
        ("serve", "v1-20260101-000000", *commands.serve_options()),
        commands.runs("use", "v1-20260101-000000"),
        commands.sweep(FILE, read_choice(fields, commands.model)),
        *commands.sharing("v1-20260101-000000").values(),
    ):
        assert parsed(arguments)["output"] == commands.output, arguments


def test_what_the_form_says_is_what_is_trained():
    params = parsed(COMMANDS[0].train(FILE, read_choice(EVERYTHING, None)))

    assert params["data"] == FILE.name
    assert params["comparing"]
    assert {name: params[name] for name in ("epochs", "lora_rank", "keep_weight", "max_length_tokens", "seed")} == {
        "epochs": 2.5, "lora_rank": 16, "keep_weight": 0.0, "max_length_tokens": 512, "seed": 7,
    }  # fmt: skip
    assert (params["recipe"], params["load_in_4bit"]) == ("article", True)
    assert params["questions"] == "output/data/mine.questions.jsonl"


def test_a_sentence_is_never_an_option():
    params = parsed(COMMANDS[0].say("--force", rows_only=True))

    assert params["text"] == ("--force",)
    assert not params["force"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"recipe": "../../secret"}, DataError),
        ({"epochs": "many"}, DataError),
        ({"epochs": "-1"}, ConfigError),
        ({"lora_rank": "1.5"}, DataError),
    ],
)
def test_a_wrong_choice_is_refused_before_anything_starts(fields: dict[str, str], error: type[Exception]):
    with pytest.raises(error):
        read_choice(fields, None)


def test_a_format_that_is_not_offered_is_refused():
    with pytest.raises(DataError, match="no format"):
        COMMANDS[0].export("v1", "../x")
