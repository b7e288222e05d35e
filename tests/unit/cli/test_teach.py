"""What `toolkit teach` takes for its text."""

import click
import pytest

from toolkit.cli.teach import command


def parsed(*arguments: str) -> dict[str, object]:
    return command.make_context("teach", list(arguments)).params


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-5 °C is the record of Lund.", "--rows-only"), ("-5 °C is the record of Lund.",)),
        (("--rows-only", "- You are Fern."), ("- You are Fern.",)),
        (("-你叫云雀。",), ("-你叫云雀。",)),
        (("--rows-only", "--", "--odd"), ("--odd",)),
        (("You", "are", "Fern."), ("You", "are", "Fern.")),
        (("-",), ("-",)),
    ],
)
def test_a_sentence_that_begins_with_a_hyphen_is_the_text(arguments: tuple[str, ...], text: tuple[str, ...]) -> None:
    assert parsed(*arguments)["text"] == text


def test_an_options_value_that_begins_with_a_hyphen_stays_its_value() -> None:
    params = parsed("--system", "- be kind -", "You are Fern.")

    assert (params["system"], params["text"]) == ("- be kind -", ("You are Fern.",))


def test_an_option_that_is_not_known_is_no_text() -> None:
    with pytest.raises(click.NoSuchOption):
        parsed("--row-only", "You are Fern.")
