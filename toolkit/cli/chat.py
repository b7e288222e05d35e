"""`toolkit chat`: talk to a run; /before and /after switch its adapter in mid-conversation."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.cli.console import notify
from toolkit.compare.sides import BASE, find_side, loaded, run_side
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import system_name
from toolkit.model.conversation import NO_SYSTEM_HELP
from toolkit.model.language_model import load_model
from toolkit.runs.run import find_run
from toolkit.serve.chat import Conversation

COMMANDS = """/before  answer without the adapter      /after   answer with it again
/system TEXT  another system prompt     /forget  begin anew
/quit    leave (so does Ctrl-D)         /help    show this"""


@click.command(short_help="Talk to a run, and switch its adapter off and on.")
@click.argument("run", required=False)
@click.option("--base", "base_only", is_flag=True, help="Talk to the base model alone.")
@click.option("--model", default=None, help="Base model.  [default: the run's own]")
@click.option("--system", default=None, help=f"System prompt; {NO_SYSTEM_HELP}  [default: the run's]")
@click.option("--max-new-tokens", type=click.IntRange(1, 8192), default=512, show_default=True, help="Longest answer.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Runs.")
def command(
    run: str | None, base_only: bool, model: str | None, system: str | None, max_new_tokens: int, output: Path
) -> None:
    """Talk to RUN (default: the latest finished one), or to the base model with --base.

    Reads lines from a pipe as well: then the answers alone go to stdout.
    """
    if base_only and run is not None:
        raise click.UsageError("Name a run or --base, not both.")
    side = (
        find_side(BASE, output, beside=None, model=model) if base_only else run_side(find_run(run, output), model=model)
    )
    if system is None:
        system = side.default_system
    adapters = {side.key: side.adapter} if side.key and side.adapter else {}
    conversation = Conversation(
        model=loaded(load_model, side.model, adapters), adapter=side.key, system=system, max_new_tokens=max_new_tokens
    )
    if sys.stdin.isatty():
        switch = "" if base_only else "/before and /after switch the adapter; "
        notify(f"{side.name} on {side.model.title}. {switch}/help, /quit")
    for line in _lines(conversation):
        if line.startswith("/"):
            if _obey(conversation, line):
                break
        else:
            _answer(conversation, line)


def _lines(conversation: Conversation) -> Iterator[str]:
    """Questions and commands, from the terminal with a prompt or from a pipe without one."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a wrong byte must not end the conversation
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # line editing and recall for input()
    while True:
        name = "" if conversation.adapter is None else ("after" if conversation.adapter_on else "before")
        prompt, apart = f"{name}> ", not sys.stdout.isatty()
        if apart:  # input() would put it among the answers
            click.echo(prompt, nl=False, err=True)
        try:
            line = input("" if apart else prompt).strip()
        except EOFError:
            click.echo(err=apart)
            return
        except KeyboardInterrupt:
            click.echo(err=apart)
            continue
        if line:
            yield line


def _obey(conversation: Conversation, line: str) -> bool:
    """Carries out a command; True to leave."""
    word, _, rest = line.partition(" ")
    if word in {"/quit", "/exit"}:
        return True
    if word in {"/before", "/after"}:
        if conversation.switch(adapter_on=word == "/after"):
            notify(f"The adapter is {'on' if conversation.adapter_on else 'off'}.")
        else:
            notify("There is no adapter: this is the base model alone.")
    elif word == "/system":
        conversation.system = rest.strip()
        notify(f"System prompt: {system_name(conversation.system, Texts())}")
    elif word == "/forget":
        conversation.forget()
        notify("Forgotten.")
    else:
        notify(COMMANDS if word == "/help" else f"No command {word}.\n{COMMANDS}")
    return False


def _answer(conversation: Conversation, question: str) -> None:
    pieces = conversation.ask(question)
    try:
        for piece in pieces:
            click.echo(piece, nl=False)
            sys.stdout.flush()
    except KeyboardInterrupt:
        pieces.close()  # type: ignore[attr-defined]  # a generator: this ends the answer, not the chat
        if not sys.stdin.isatty():
            raise
    click.echo()
