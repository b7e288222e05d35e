"""Sends the warm process of this user and card away, or has it give back the memory that the base model takes."""

import time
from contextlib import suppress
from pathlib import Path

from toolkit.core import environment
from toolkit.serve.warm.messages import Message, connected, receive, send, socket_path

WAIT_S = 10.0  # for a process without work to end
LOOK_S = 0.02


def answer_to(message: Message) -> Message | None:
    """What the warm process answers: its status; None if there is none."""
    connection = connected(socket_path(environment.initial()))
    if connection is None:
        return None
    with connection, suppress(OSError, EOFError, ValueError):
        send(connection, message)
        return receive(connection)[0]
    return None


def down(*, model_only: bool = False) -> Message | None:
    """Its last status; None if there was none. It ends now, or once its commands have.

    `model_only`: it stays with the libraries, and from then on commands load the model themselves.
    """
    if model_only:
        return answer_to({"kind": "give back", "of": "any"})
    found = answer_to({"kind": "down"})
    if found is not None and not found["jobs"]:
        _wait_for_the_end(int(found["pid"]))
    return found


def _wait_for_the_end(pid: int) -> None:
    until = time.monotonic() + WAIT_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(LOOK_S)
