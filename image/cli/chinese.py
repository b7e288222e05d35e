"""Errors in Chinese: chinese_errors.yaml has a line for every text that an error of this package can have.

A text with values is found again by the words around them, the line with the most words first.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import click

from image.core.errors import ImageError
from image.core.language import CHINESE, language

CATALOGUE = Path(__file__).with_name("chinese_errors.yaml")
VARIES, VALUES = "{}", "values"
PLACE = re.compile(r"\{(\d)\}")  # in the Chinese


def shown(error: ImageError) -> str:
    """What failed and what to do next, in the user's language, with its heading."""
    if language() != CHINESE:
        return f"Error: {error}"
    return f"错误：{''.join(translated(text) for text in (error.what, error.next) if text)}"


def message(text: str) -> str:
    """The text in the user's language."""
    return translated(text) if language() == CHINESE else text


def usage_shown(error: click.ClickException) -> list[str]:
    """The lines of what Click shows of a command line that it does not take, in Chinese."""
    context = getattr(error, "ctx", None)
    usage = [] if context is None else [
        context.get_usage().replace("Usage: ", "用法：", 1),
        translated(f"Try '{context.command_path} --help' for help."), "",
    ]  # fmt: skip
    return [*usage, f"错误：{translated(error.format_message())}"]


def translated(text: str, *, value: bool = False) -> str:
    """The text in Chinese, if a line is about it. `value`: it stands within another, a word or a whole sentence."""
    lines = [*_lines(values=True), *(_lines(values=False) if text.endswith(".") else [])] if value else None
    for pattern, chinese in lines or _lines(values=False):
        if (match := pattern.fullmatch(text)) is not None:
            parts = [translated(one, value=True) for one in match.groups()]
            return PLACE.sub(lambda place, parts=parts: parts[int(place[1])], chinese)  # type: ignore[misc]
    return text


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Section to English to Chinese."""
    import yaml

    return dict(yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")))


@cache
def _lines(*, values: bool) -> Sequence[tuple[re.Pattern[str], str]]:
    lines = {
        english: chinese for name, section in catalogue().items() if (name == VALUES) is values
        for english, chinese in section.items()
    }  # fmt: skip
    ordered = sorted(lines, key=lambda english: len(english.replace(VARIES, "")), reverse=True)
    return [(_pattern(english), lines[english]) for english in ordered]


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, english.split(VARIES))), re.DOTALL)
