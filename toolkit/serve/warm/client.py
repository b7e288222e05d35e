"""The first thing that a command does: where a warm process of this user is there, that one does the work.

The caller's folder, environment and standard streams go there, its signals too, and the exit code comes back. Imports
only the standard library, and little of it: a command that finds nothing warm must not start later for it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from toolkit.core import environment
from toolkit.core.streams import is_open

if TYPE_CHECKING:
    import socket

    from toolkit.serve.warm.messages import Message

COMMANDS = frozenset({"finetune", "teach", "compare", "scan", "sweep", "chat", "export"})
# These load a model, and stay: a card's memory has to be free for them.
LASTING = frozenset({"lab", "serve", "studio", "replay"})
ALONE = ("--cards", "-h", "--help")  # options of commands that a warm process has nothing for
WITH_VALUE = ("--lang",)  # options of toolkit itself
FORWARDED = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
)  # fmt: skip
IGNORABLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
STREAMS = (0, 1, 2)
MINUTE_S, HOUR_S = 60, 3600


def run_warm(arguments: Sequence[str], message: Callable[[str], str] = str) -> int | None:
    """The command's exit code; None if it has to be done in this process. Raises KeyboardInterrupt.

    `message`: a line of ours in the user's language.
    """
    command = _command(arguments)
    if environment.warm_is_off() or command not in COMMANDS | LASTING:
        return None
    if command in COMMANDS and any(word.split("=")[0] in ALONE for word in arguments):
        return None
    from toolkit.serve.warm.messages import connected, socket_path

    path = socket_path(environment.initial())
    if not path.exists() or (connection := connected(path)) is None:
        return None
    with connection, suppress(OSError, EOFError, ValueError):
        if command in LASTING:
            _ask_back(connection)
            return None
        return _done_there(connection, message)
    return None


def _command(arguments: Sequence[str]) -> str:
    """`finetune` of `--lang zh finetune my.json`."""
    words = iter(arguments)
    for word in words:
        if word in WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def speak_as_named(arguments: Sequence[str]) -> None:
    """In the language that the command will speak: what comes before its options are read, and that they are wrong."""
    if language := named_language(arguments):
        from toolkit.compare.texts import LANGUAGES

        if language in LANGUAGES:
            environment.speak(language)


def named_language(arguments: Sequence[str]) -> str:
    """What `--lang` names last; "" without one."""
    found = ""
    for at, word in enumerate(arguments):
        name, _, value = word.partition("=")
        if name == "--lang":
            found = value or next(iter(arguments[at + 1 :]), "")
    return found


def _ask_back(connection: "socket.socket") -> None:
    from toolkit.serve.warm.messages import receive, send

    send(connection, {"kind": "give back", "of": "card"})
    receive(connection)


def _done_there(connection: "socket.socket", message: Callable[[str], str]) -> int | None:
    from toolkit.serve.warm.messages import receive, send

    if not all(map(is_open, STREAMS)):
        return None
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        send(connection, _request(), (*STREAMS, folder))
    finally:
        os.close(folder)
    answer, _ = receive(connection)
    if (why := answer.get("refused")) is not None:
        _say(message(f"warm: not used, {why}"))
        return None
    _say(message(f"warm: pid {answer['pid']}, {answer['what']} {ago(answer['age_s'])}"))
    _forward_signals(connection)
    try:
        end, _ = receive(connection)
    except (OSError, EOFError):
        _say(message("warm: the process is gone, and the command with it"))
        return 1
    if "signal" in end:
        _die_of(end["signal"])
    return int(end["exit"])


def _request() -> "Message":
    from toolkit.core.startup import process_started
    from toolkit.serve.warm.identity import identity

    own = environment.initial()
    mask = os.umask(0)
    os.umask(mask)
    return {
        "kind": "run", "argv": sys.argv, "orig_argv": sys.orig_argv, "environment": own, "umask": mask,
        "identity": identity(own),
        "ignored": [one for one in IGNORABLE if signal.getsignal(one) is signal.SIG_IGN], "started": process_started(),
    }  # fmt: skip


def _forward_signals(connection: "socket.socket") -> None:
    """From here on a signal is the worker's, a stop from the terminal included."""

    def forward(number: int, _: object) -> None:
        with suppress(OSError):
            connection.send(bytes([number]))

    def stop(_: int, _frame: object) -> None:
        forward(signal.SIGSTOP, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        forward(signal.SIGCONT, None)

    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    signal.signal(signal.SIGTSTP, stop)


def _die_of(number: int) -> None:
    """As the worker did, so that a shell sees the same."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the worker's own core tells more
    signal.signal(number, signal.SIG_DFL) if number not in {signal.SIGKILL, signal.SIGSTOP} else None
    os.kill(os.getpid(), number)
    time.sleep(1)  # it is delivered before


def ago(seconds: float) -> str:
    """`3 min ago`."""
    return f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h`."""
    if seconds < MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE_S:.0f} min" if seconds < HOUR_S else f"{seconds / HOUR_S:.0f} h"


def _say(text: str) -> None:
    plain = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)  # a model's folder may have any name
    with suppress(OSError):
        print(plain, file=sys.stderr, flush=True)
