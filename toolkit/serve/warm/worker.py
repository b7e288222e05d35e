"""A worker: forked from the keeper, it may load the base model, waits for one command, and becomes its process."""

import os
import runpy
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.core import environment
from toolkit.core.startup import end_with, start_again_online
from toolkit.core.streams import renew_streams
from toolkit.serve.warm.messages import Message, receive, send


@dataclass(frozen=True, kw_only=True)
class Worker:
    """In the keeper: its number, a descriptor that is readable once it has ended, and the way to it."""

    pid: int
    ended: int
    channel: socket.socket

    def give(self, request: Message, descriptors: list[int]) -> None:
        """Raises OSError where it has ended."""
        send(self.channel, request, descriptors)


@dataclass(frozen=True, kw_only=True)
class Forked:
    """In the worker: the way to the keeper."""

    channel: socket.socket

    def work(self, prepare: Callable[[], None] | None, imported: Mapping[str, str], run: Callable[[], None]) -> None:
        """Does one command with `run`. `imported`: the variables that the libraries set."""
        if prepare is not None:
            try:
                prepare()
                send(self.channel, {"ready": True})
            except Exception as error:  # noqa: BLE001  # a command then loads the model itself, or fails so too
                send(self.channel, {"failed": str(error) or type(error).__name__})
        try:
            request, descriptors = receive(self.channel)
        except (EOFError, OSError):
            os._exit(0)
        self.channel.close()
        _become(request, descriptors, imported)
        run()


def run_toolkit() -> None:
    """As Python does for a new process. Leaves by SystemExit."""
    runpy.run_module("toolkit.__main__", run_name="__main__")


def fork() -> Worker | Forked:
    """Another process with all that this one has imported. In this one no thread of Python's may run."""
    here, there = socket.socketpair()
    parent = os.getpid()
    with warnings.catch_warnings():
        # Those of OpenBLAS and jemalloc run, which expect a fork (pthread_atfork); OpenMP's have never begun.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        there.close()
        return Worker(pid=pid, ended=os.pidfd_open(pid), channel=here)
    here.close()
    end_with(parent, signal.SIGTERM)  # as a job whose terminal is gone
    os.setpgid(0, 0)
    return Forked(channel=there)


def _become(request: Mapping[str, Any], descriptors: list[int], imported: Mapping[str, str]) -> None:
    """Folder, streams, environment, signals and arguments as the caller has them."""
    import numpy as np

    *streams, folder = descriptors
    os.fchdir(folder)
    for number, given in enumerate(streams):
        os.dup2(given, number)
    for given in descriptors:
        os.close(given)
    os.umask(request["umask"])
    renew_streams()
    own = environment.for_warm_command(request["environment"], request["started"])
    environment.become({**imported, **own})
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    sys.argv[:], sys.orig_argv[:] = request["argv"], request["orig_argv"]
    np.random.seed()  # noqa: NPY002  # else two workers would draw the same; Python's own generator sees to itself
    start_again_online(lambda: _start_again(own))


def _start_again(own: Mapping[str, str]) -> None:
    """The same process as a new one: the libraries were imported offline, and data of a hub are wanted."""
    sys.stdout.flush()
    print("warm: not used for data of a hub", file=sys.stderr, flush=True)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(own))  # noqa: S606  # no shell is meant
