"""Help and messages in Chinese, where the environment asks for it: TOOLKIT_LANG=zh, or a locale that begins with zh.

Commands are written in English; here each text is looked up as a whole, or by a pattern with {} for what
varies. What chinese.yaml and chinese_messages.yaml
lack stays English. What errors say is in toolkit.cli.console.failures.
"""

import inspect
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import click

from toolkit.cli.console.catalogue import Catalogue
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.core import environment

Command = TypeVar("Command", bound=click.Command)
CATALOGUE = Path(__file__).with_name("chinese.yaml")
MESSAGES = Path(__file__).with_name("chinese_messages.yaml")
VERBATIM = "\b"  # begins a paragraph that Click does not wrap
AT_END = re.compile(r"(.*?)\s+\[([^\[\]]*)\]")  # help, and what Click or the help itself puts in brackets behind it
NO_LINE_BEGINS_WITH = "，。、；：）”？！…"
PIECE = re.compile(r"（*(?:[\u2e80-\uffef]|[^\s\u2e80-\uffef]+)|\s+")  # no line ends with a bracket that opens
SENTENCE = re.compile(r"(?<=[.?!:]) (?=[A-Z])")
LONGEST_NAME = 30  # columns of an option with its value, before its help starts on the next line


def is_asked_for() -> bool:
    return environment.language() == "zh"


def translated(text: str) -> str:
    """The text in Chinese: as a whole, else each of its sentences that is known."""
    return _catalogue().translated(text)


def message(text: str) -> str:
    """`translated` where Chinese is asked for."""
    return translated(text) if is_asked_for() else text


def user_texts() -> Texts:
    """The words of reports, in the user's language."""
    return Texts(environment.language())


@cache
def _catalogue() -> Catalogue:
    return Catalogue(CATALOGUE, MESSAGES, parts=("remarks",), words=("frame", "help", "check"), sentence=SENTENCE)


class ChineseFormatter(click.HelpFormatter):
    """Translates what Click hands over, and wraps by columns: a Chinese character takes two, and needs no space."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or f"{translated('Usage:')} ")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{translated(heading)}：\n")

    def write_text(self, text: str) -> None:
        blocks = re.split(r"\n[ \t]*\n", inspect.cleandoc(text))
        self.write("\n".join("".join(f"{line}\n" for line in self._block(block)) for block in blocks))

    def _block(self, block: str) -> Iterator[str]:
        indent = " " * self.current_indent
        if block.startswith(VERBATIM):
            for line in block.splitlines()[1:]:
                yield f"{indent}{translated(line)}"
            return
        text = " ".join(block.split())
        example = re.fullmatch(r"Example: +(.*)", text)
        known = f"示例：{example[1]}" if example else translated(text)
        for line in wrapped(known, self.width - self.current_indent - 2):
            yield f"{indent}{line}"

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = LONGEST_NAME, col_spacing: int = 2) -> None:
        rows = list(rows)
        first = min(max((columns(name) for name, _ in rows), default=0), col_max) + col_spacing
        indent = " " * self.current_indent
        for name, text in rows:
            lines = list(wrapped(help_text(text), self.width - self.current_indent - first - 2))
            head, rest = (name, lines) if columns(name) > first - col_spacing else (None, lines)
            if head is not None:
                self.write(f"{indent}{head}\n")
            elif rest:
                self.write(f"{indent}{name}{' ' * (first - columns(name))}{rest.pop(0)}\n")
            else:
                self.write(f"{indent}{name}\n")
            for line in rest:
                self.write(f"{indent}{' ' * first}{line}\n")


def help_text(text: str) -> str:
    """An option's help; brackets behind it hold its default, and what Click adds."""
    text = " ".join(text.split())
    notes: list[str] = []
    while match := AT_END.fullmatch(text):
        text = match[1]
        whole = match[2].removeprefix("default: ") in _catalogue().lines.texts  # with a semicolon of its own
        notes[:0] = [translated(note) for note in ([match[2]] if whole else match[2].split("; "))]
    return translated(text) + (f"  [{'；'.join(notes)}]" if notes else "")


def columns(text: str) -> int:
    """How many columns a terminal needs for it."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def wrapped(text: str, width: int) -> Iterator[str]:
    """Lines of `width` columns, as `breaks` has them."""
    at = [0, *breaks(text, width), len(text)]
    yield from filter(None, (text[start:end].strip() for start, end in pairwise(at)))


def breaks(text: str, width: int) -> Iterator[int]:
    """Where lines of `width` columns begin: behind spaces and between Chinese characters, but for some punctuation.

    A word that is wider than a line is broken too.
    """
    start = 0
    if columns(text) <= width:
        return
    for piece in PIECE.finditer(text):
        word = piece[0].rstrip()
        if word in NO_LINE_BEGINS_WITH or columns(text[start : piece.start()] + word) <= width:
            continue
        if piece.start() > start:
            start = piece.start()
            yield start
        while columns(text[start : piece.end()].rstrip()) > width:
            start += _fitting(text[start : piece.end()], width)
            yield start


def _fitting(text: str, width: int) -> int:
    """How many characters fit, at least one."""
    return next((at for at in range(len(text), 1, -1) if columns(text[:at]) <= width), 1)


class ToolkitContext(click.Context):
    """A command's context, whose help is in the language that the environment asks for."""

    def make_formatter(self) -> click.HelpFormatter:
        if not is_asked_for():
            return super().make_formatter()
        return ChineseFormatter(width=self.terminal_width, max_width=self.max_content_width)


def _speak(_context: click.Context, _option: click.Parameter, language: str) -> None:
    if language != environment.language():
        environment.speak(language)


LANG = click.Option(
    ["--lang"], type=click.Choice(LANGUAGES), default=environment.language, callback=_speak, is_eager=True,
    expose_value=False, help="The language of help, messages and reports.  [default: by the environment]",
)  # fmt: skip


def speak(command: Command) -> Command:
    """The command, and those below it, with contexts of ours and the option --lang."""
    command.context_class = ToolkitContext
    if LANG not in command.params:
        command.params.append(LANG)
    for inner in getattr(command, "commands", {}).values():
        speak(inner)
    return command
