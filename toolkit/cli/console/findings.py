"""Prints the findings of `check`: wrapped and coloured on a terminal, one line each elsewhere."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from toolkit.cli.console.chinese import breaks, columns, is_asked_for, message
from toolkit.cli.console.failures import phrase
from toolkit.core.text import one_line, printable, short
from toolkit.data.row_checks import Finding
from toolkit.train.check import Findings
from toolkit.train.questions.faults import QuestionFindings
from toolkit.train.recipe import Recipe
from toolkit.train.variants import Preview

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


SHOWN_OF_A_KIND = 10
SHOWN_SYSTEM = 60  # characters of a system prompt
SHOWN_CHARACTERS = 600  # of one span of a preview
UNWRAPPED = 1_000_000
LEVEL_STYLE = {"error": "bold red", "warning": "yellow", "note": "cyan"}
TRAINED_STYLE = "bold green"


def print_findings(findings: Findings, recipe: Recipe) -> None:
    """Prints summary, findings and previews on stdout."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    _summary(console, findings, recipe)
    _findings(console, findings.findings, findings.unit)
    for preview in findings.previews:
        _preview(console, findings, preview)


def print_question_findings(found: QuestionFindings) -> None:
    """Prints the summary of a file of questions, and what was found in it, on stdout."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    _line(console, "", str(found.path))
    lines = {
        "questions": message(f"{found.in_scope} in scope, {found.near} near"),
        "kinds": ", ".join(f"{name} {count}" for name, count in found.kinds.items()) or message("none"),
        "sha256": found.sha256,
        "found": _counts(found.findings),
    }
    for name, value in lines.items():
        _line(console, _label(name, 10), value)
    _findings(console, found.findings, "line")


def _summary(console: "Console", findings: Findings, recipe: Recipe) -> None:
    held_out = findings.rows + findings.bad_rows - findings.faulty_rows - findings.too_long_rows - findings.trained_rows
    rows = [f"{findings.trained_rows} usable"]
    rows += [f"{findings.faulty_rows} with errors"] * bool(findings.faulty_rows)
    rows += [f"{held_out} held out"] * (held_out > 0)
    rows += [f"{findings.too_long_rows} too long"] * bool(findings.too_long_rows)
    lines = {
        "format": f"{findings.format} ({findings.container})",
        "rows": _listed(rows),
        "prompts": _listed(f"{count} {language}" for language, count in sorted(findings.languages.items()))
        or message("none"),
        "tokens": message(_tokens(findings)),
        "steps": message(f"{findings.steps} (recipe {recipe.name}: batch {recipe.batch_size}, {_epochs(recipe)})"),
        "sha256": findings.sha256,
    }
    _line(console, "", str(findings.path))
    for name, value in lines.items():
        _line(console, _label(name, 9), value)
    _line(console, _label("found", 9), _counts(findings.findings))


def _label(name: str, width: int) -> str:
    shown = message(name)
    return f"  {shown}{' ' * (width - columns(shown))}"


def _tokens(findings: Findings) -> str:
    lengths = findings.lengths
    if lengths is None:
        return "not counted"
    spread = f"{lengths.shortest} to {lengths.longest} a row, median {lengths.median}, {lengths.total} in all"
    room = f", after {lengths.overhead} for other system prompts and wordings" if lengths.overhead else ""
    return f"{spread} (limit {lengths.limit} a row{room}), {lengths.epoch} an epoch"


def _epochs(recipe: Recipe) -> str:
    return f"{recipe.epochs_label}{', in several wordings' if recipe.row_wordings else ''}"


def _counts(findings: Sequence[Finding]) -> str:
    counted = Counter[str](finding.level for finding in findings)
    return _listed(_counted(counted[level], level) for level in LEVEL_STYLE)


def _listed(words: Iterable[str]) -> str:
    return ("，" if is_asked_for() else ", ").join(map(message, words))


def _counted(count: int, level: str) -> str:
    return f"{count} {level}{'' if count == 1 else 's'}"


def _findings(console: "Console", findings: Sequence[Finding], unit: str) -> None:
    if findings:
        console.print()
    shown: dict[tuple[str, str], int] = {}
    for finding in findings:
        group = finding.level, finding.kind
        shown[group] = shown.get(group, 0) + 1
        if shown[group] <= SHOWN_OF_A_KIND:
            _line(console, _level(finding.level), _sentence(finding, unit), LEVEL_STYLE[finding.level])
    for (level, kind), count in shown.items():
        if count > SHOWN_OF_A_KIND:
            more = _counted(count - SHOWN_OF_A_KIND, f"more {level}")
            text = message(f"… {more} of the kind {kind!r}; --json lists all")
            _line(console, _level(level), text, LEVEL_STYLE[level])


def _level(level: str) -> str:
    shown = message(level)
    return shown + " " * (9 - columns(shown))


def _sentence(finding: Finding, unit: str) -> str:
    place = "" if finding.row is None else f"{unit} {finding.row}: "
    return phrase(f"{place}{finding.message}") + (f" → {phrase(finding.remedy)}" if finding.remedy else "")


def _preview(console: "Console", findings: Findings, preview: Preview) -> None:
    from rich.text import Text

    plain = console.color_system is None or console.no_color
    how = "in «…»" if plain else "in bold green"
    source = "" if findings.lengths else ", by role: no tokenizer"
    console.print()
    _line(console, "", message(f"What is trained on ({how}{source}), {findings.unit} {preview.row}:"))
    text = Text()
    for piece in preview.pieces:
        content = printable(_shortened(piece.text))
        if piece.trained:
            body = content.rstrip("\n")
            content = f"«{body}»{content[len(body) :]}" if plain else content
        text.append(content, style=TRAINED_STYLE if piece.trained else "dim")
    text.rstrip()
    for line in text.split("\n", allow_blank=True):
        _print(console, "  ", line)
    for other, times in Counter(preview.variants).items():
        under = message(f'under "{short(other.system, SHOWN_SYSTEM)}":')
        again = f" ({message(f'{times} times')})" if times > 1 else ""
        _line(console, f"  {message('also')} ", f"{under} {short(other.question)}{again}")


def _shortened(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = SHOWN_CHARACTERS // 2
    left_out = message(f"{len(text) - 2 * half} characters")
    return f"{text[:half]} [… {left_out} …] {text[-half:]}"


def _line(console: "Console", label: str, value: str, label_style: str = "") -> None:
    from rich.text import Text

    _print(console, label, Text(one_line(value)), label_style)


def _print(console: "Console", label: str, text: "Text", label_style: str = "") -> None:
    """Prints text after its label, later lines indented to match; not wrapped if stdout is not a terminal."""
    from rich.text import Text

    width = max(20, console.width - columns(label)) if console.is_terminal else UNWRAPPED
    for number, line in enumerate(text.divide(breaks(text.plain, width))):
        start = Text(label, style=label_style) if number == 0 else Text(" " * columns(label))
        line.rstrip()
        console.print(Text.assemble(start, line), soft_wrap=True)
