"""`toolkit chat`: talk to a run; /before and /after switch its adapter in mid-conversation."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from toolkit.cli.console import notify, show
from toolkit.cli.console.chinese import message, user_texts
from toolkit.cli.console.failures import shown
from toolkit.cli.options import BASE_ONLY, OUTPUT, RUN, RUN_MODEL, SYSTEM, max_new_tokens_option
from toolkit.compare.sides import BASE, find_side, loaded, run_side
from toolkit.compare.texts import system_name
from toolkit.core.errors import DataError
from toolkit.core.text import printable
from toolkit.model.language_model import load_model
from toolkit.runs.run import find_run
from toolkit.serve.chat import Conversation

COMMANDS = {
    "/before": "answer without the adapter",
    "/after": "answer with it again",
    "/system TEXT": "use another system prompt; without TEXT, none",
    "/think on|off": "whether a model that thinks does",
    "/forget": "start a new conversation",
    "/quit": "leave (or Ctrl-D)",
    "/help": "show this list",
}


@click.command()
@RUN
@BASE_ONLY
@RUN_MODEL
@SYSTEM
@max_new_tokens_option(default=512, most=8192)
@OUTPUT
def command(
    run: str | None, base_only: bool, model: str | None, system: str | None, max_new_tokens: int, output: Path
) -> None:
    """Chat with a run, and switch its adapter off and on.

    RUN is the latest finished one by default. With --base, there is only the base model.
    Reads lines from a pipe as well; stdout then gets only the answers. Thoughts are shown on stderr.
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
        model=loaded(load_model, side.model, adapters), adapter=side.key, system=system, max_new_tokens=max_new_tokens,
        hear=_show_thought,
    )  # fmt: skip
    if sys.stdin.isatty():
        switch = "" if base_only else "/before and /after switch the adapter; "
        notify(f"{side.name} on {side.model.title}. {switch}/help, /quit")
    for line in _lines(conversation):
        if line.startswith("/"):
            if _run_command(conversation, line):
                break
        else:
            _answer(conversation, line)


def _lines(conversation: Conversation) -> Iterator[str]:
    """Questions and commands: from the terminal, with a prompt, or from a pipe, without one."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a wrong byte must not end the conversation
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # line editing and recall for input()
    while True:
        name = "" if conversation.adapter is None else ("after" if conversation.adapter_on else "before")
        prompt, to_stderr = f"{name}> ", not sys.stdout.isatty()
        if to_stderr:  # input() would print it among the answers
            click.echo(prompt, nl=False, err=True)
        try:
            line = input("" if to_stderr else prompt).strip()
        except EOFError:
            click.echo(err=to_stderr)
            return
        except KeyboardInterrupt:
            click.echo(err=to_stderr)
            continue
        if line:
            yield line


def _run_command(conversation: Conversation, line: str) -> bool:
    """Runs a /command; True to leave."""
    word, _, rest = line.partition(" ")
    if word in {"/quit", "/exit"}:
        return True
    if word in {"/before", "/after"}:
        if conversation.switch(adapter_on=word == "/after"):
            notify(f"The adapter is {'on' if conversation.adapter_on else 'off'}.")
        else:
            notify("There is no adapter to switch: this is the base model.")
    elif word == "/system":
        conversation.system = rest.strip()
        notify(f"System prompt: {system_name(conversation.system, user_texts())}")
    elif word == "/think" and rest in {"on", "off"}:
        conversation.thinking = rest == "on"
        notify("It thinks before it answers, if it can." if conversation.thinking else "It answers without a thought.")
    elif word == "/forget":
        conversation.forget()
        notify("Forgotten.")
    else:
        if word != "/help":
            notify(f"Unknown command: {word}")
        for name, what in COMMANDS.items():
            notify(f"{name:<15}{message(what)}")
    return False


def _show_thought(part: str) -> None:
    """Dimmed, and apart from the answers."""
    click.secho(printable(part), nl=False, err=True, dim=True)


def _answer(conversation: Conversation, question: str) -> None:
    answer, begun = conversation.ask(question), False
    try:
        for part in answer:
            if conversation.heard and not begun:
                click.echo(err=True)
            begun = True
            show(part, end="")
            sys.stdout.flush()
    except DataError as error:  # the question is too long for what is left of the context
        if not sys.stdin.isatty():
            raise
        notify(shown(error))
        return
    except KeyboardInterrupt:
        answer.close()  # ends the answer, not the chat
        if not sys.stdin.isatty():
            raise
    show("")
