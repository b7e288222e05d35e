"""An error as the user reads it: what failed and what to do next, in English or Chinese.

Errors are written in English where they are raised; chinese_errors.yaml has a line for every text of theirs.
"""

from functools import cache, partial
from pathlib import Path

import click

from toolkit.cli.console.catalogue import Catalogue, joined
from toolkit.cli.console.chinese import CATALOGUE as OTHERS
from toolkit.compare.texts import Texts, reason_in
from toolkit.core import environment
from toolkit.core.errors import ToolkitError
from toolkit.core.text import one_line

CATALOGUE = Path(__file__).with_name("chinese_errors.yaml")
PARTS = ("rows", "adapters", "parts", "remarks")  # sections whose texts stand within others
CHINESE = "zh"


@cache
def errors() -> Catalogue:
    return Catalogue(CATALOGUE, OTHERS, parts=PARTS, words=("parts",), otherwise=partial(reason_in, Texts(CHINESE)))


def shown(error: ToolkitError, language: str | None = None) -> str:
    """One line. `language`: en or zh; None: the one that the environment asks for."""
    if (language or environment.language()) != CHINESE:
        return one_line(str(error))
    return joined(errors().translated(one_line(text)) for text in (error.what, error.next) if text)


def phrase(text: str, language: str | None = None) -> str:
    """What is wrong with a row, or what to do about it; `language` as in `shown`."""
    return errors().part(text) if (language or environment.language()) == CHINESE else text


def usage_error(error: click.ClickException) -> str:
    """What Click shows of it, in Chinese."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    lines = [f"错误：{errors().translated(error.format_message())}"]
    if context is not None:
        lines[:0] = [context.get_usage(), errors().translated(f"Try '{context.command_path} --help' for help."), ""]
    return "\n".join(lines)
