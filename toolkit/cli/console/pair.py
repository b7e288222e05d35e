"""Prints two runs side by side: verdicts, figures with their difference, and what they answer, in 80 columns."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from toolkit.cli.console import answers
from toolkit.cli.console.report import COLOUR, print_item
from toolkit.compare.report.figures import LEDGERS, figure, outcome, prompt_in_context
from toolkit.compare.report.pair.abilities import abilities
from toolkit.compare.report.pair.difference import Difference, differences
from toolkit.compare.report.pair.explanation import explanation
from toolkit.compare.report.pair.named import named
from toolkit.compare.report.pair.pair import LEFT, RIGHT, SIDES, Pair, Question, of_every_group, once_each
from toolkit.compare.report.pair.words import ability_total, counts, signed, span
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import misses
from toolkit.core.text import one_line

SHOWN = 4  # questions
TONES = {LEFT: "red", RIGHT: "green", "": ""}


def print_pair(pair: Pair, texts: Texts, *, show_all: bool = False) -> None:
    """Prints on stdout; in colour only on a terminal without NO_COLOR."""
    console = answers()
    parts = list(counts(pair, texts).values())
    head = f"{texts('counts.then').join(parts[:-1])}{texts('counts.and')}{parts[-1]}{texts('stop')}"
    console.print(f"[bold]{_shown(head)}[/]")
    for side in SIDES:
        one = pair.of(side)
        verdict = one.report.verdict
        console.print(f"{_shown(one.name)}{texts('colon')}[bold {verdict.colour}]{_shown(verdict.sentence(texts))}[/]")
    console.print(f"\n{_shown(explanation(pair.left.run, pair.right.run, texts))}")
    for text, _ in named(pair, texts):
        print_item(console, text)
    console.print()
    console.print(_figures(pair, texts))
    console.print(f"[dim]{_shown(texts('pair.short'))}[/]")
    if (found := abilities(pair)) is not None and found.total is not None:
        console.print(
            f"\n{_shown(texts('ability.title'))}{texts('colon')}{_shown(ability_total(found.total, pair, texts))}"
        )
    _print_questions(console, pair, texts, show_all=show_all)


def _figures(pair: Pair, texts: Texts) -> Table:
    """Each run's own figure, and the difference over the answers of both."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    for name in (*(pair.of(side).run.run_id.partition("-")[0] for side in SIDES), texts("pair.difference"),
                 texts("ledger.interval"), "p"):  # fmt: skip
        table.add_column(_shown(name), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    found = differences(pair)
    for ledger in LEDGERS:
        table.add_row(f"[bold]{texts(f'ledger.{ledger}')}[/]")
        for name in LEDGERS[ledger]:
            cells = [_figure(name, side, pair) for side in SIDES]
            if any(cells):
                table.add_row(f"  {texts(f'metric.{name}.name')}", *cells, *_difference(name, found.get(name)))
    return table


def _figure(name: str, side: str, pair: Pair) -> str:
    report = pair.of(side).report
    value = report.values[name]
    if value is None:
        return ""
    return f"[red]{figure(value)}[/]" if misses(name, value, report.thresholds) else figure(value)


def _difference(name: str, one: Difference | None) -> tuple[str, ...]:
    if one is None:
        return ("",) * 4
    tone = TONES[one.better(name)]
    value = f"[{tone}]{signed(one.value)}[/]" if tone else signed(one.value)
    return value, span(one.low, one.high), f"{one.p:.2g}", "*" if one.significant else ""


def _print_questions(console: Console, pair: Pair, texts: Texts, *, show_all: bool) -> None:
    unlike = once_each([one for one in pair.both if one.better])
    shown: Sequence[Question] = pair.questions if show_all else of_every_group(unlike, SHOWN)
    if shown:
        console.print(f"\n[bold underline]{texts('pair.all' if show_all else 'pair.first')}[/]")
    for one in shown:
        _print_question(console, one, pair, texts)
    if not show_all and len(unlike) > len(shown):
        console.print(f"\n[dim]{_shown(texts('pair.some', shown=len(shown), count=len(unlike)))}[/]")


def _print_question(console: Console, one: Question, pair: Pair, texts: Texts) -> None:
    """The question, then the base model's answer and both runs'."""
    result = one.either
    kind = next(pair.of(side).report.systems[result.system] for side in SIDES if one.of(side) is not None)
    where = f" · {texts(f'system.kind.{kind}')}" if len(pair.systems) > 1 and result.probe.system is None else ""
    console.print(
        f"\n[bold]{_shown(prompt_in_context(result.probe, texts))}[/]  "
        f"[dim]{texts(f'probe.{result.probe.group}')}{where}[/]"
    )
    befores = dict.fromkeys(side.before for side in (one.left, one.right) if side is not None)
    for before in befores:
        _print_answer(console, texts("side.base"), before, "", texts)
    for side in SIDES:
        given = one.of(side)
        name = pair.of(side).name
        if given is None:
            _print_answer(console, name, texts("pair.not_asked"), "", texts)
            continue
        word = outcome(given)
        _print_answer(console, name, given.after, f"[{COLOUR[word]}]{texts(f'mark.{word}')}[/] ", texts)


def _print_answer(console: Console, name: str, text: str, mark: str, texts: Texts) -> None:
    answer = Table.grid(padding=(0, 1))
    answer.add_column(style="dim", width=16, overflow="fold")
    answer.add_column(overflow="fold")  # Chinese has no spaces to wrap at
    answer.add_row(_shown(name), f"{mark}{escape(text) or '[dim]' + texts('side.no_answer') + '[/]'}")
    console.print(Padding(answer, (0, 0, 0, 2)))


def _shown(text: str) -> str:
    """Others' text on one line, without rich markup; the console escapes control characters."""
    return escape(one_line(text))
