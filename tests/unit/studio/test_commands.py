"""The commands of the buttons are commands that the command line takes."""

from pathlib import Path

import click
import pytest

from toolkit.cli import cli
from toolkit.core.errors import ConfigError, DataError
from toolkit.studio.commands import FORMATS, HUBS, MOST_SWEPT, Commands, read_choice, read_lists, swept
from toolkit.studio.workspace import DataFile

FILE = DataFile(name="output/data/mine.json", path=Path("/srv/output/data/mine.json"))
EVERYTHING = {
    "recipe": "article", "epochs": "2.5", "learning_rate": "1e-4", "lora_rank": "16", "keep_weight": "0",
    "max_length_tokens": "512", "seed": "7", "questions": "own", "in_4bit": "on",
}  # fmt: skip
LISTS = {"recipe": "keep", "epochs": " 5,10, 5 ", "keep_weight": "10,30", "seed": "", "max_length_tokens": "512"}
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
        commands.sweep(FILE, read_lists(LISTS, commands.model)),
        commands.resume_sweep("20260101-000000"),
        commands.attest("v1-20260101-000000", ""),
        commands.attest("v1-20260101-000000", "release.key"),
        *(commands.push("v1-20260101-000000", "me/mine", hub) for hub in HUBS),
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


def test_a_sweep_tries_each_value_of_the_lists_and_nothing_else():
    params = parsed(COMMANDS[1].sweep(FILE, read_lists(LISTS, None)))

    assert (params["epochs"], params["keep_weight"], params["seed"]) == ((5.0, 10.0), (10.0, 30.0), None)
    assert params["recipes"] == ("keep",)


def test_the_form_of_a_sweep_begins_with_the_settings_of_the_plan():
    choice = read_choice({"epochs": "2", "keep_weight": "0"}, None)

    assert swept(choice) == {"epochs": "2", "learning_rate": "", "lora_rank": "", "keep_weight": "0", "seed": ""}
    assert swept(read_choice({}, None))["epochs"] == "5,10,20"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"epochs": "5,many"}, DataError),
        ({"epochs": "5,-1"}, ConfigError),
        ({"seed": ",".join(map(str, range(MOST_SWEPT + 1)))}, DataError),
        ({"recipe": "../x"}, DataError),
    ],
)
def test_a_wrong_list_is_refused_before_anything_starts(fields: dict[str, str], error: type[Exception]):
    with pytest.raises(error):
        read_lists(fields, None)


def test_what_the_page_publishes_is_private_and_has_passed():
    for hub in HUBS:
        params = parsed(COMMANDS[0].push("v1-20260101-000000", "me/mine", hub))
        assert (params["public"], params["even_if_failed"]) == (False, False)
    with pytest.raises(DataError, match="no hub"):
        COMMANDS[0].push("v1-20260101-000000", "me/mine", "elsewhere")
