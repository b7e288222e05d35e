"""Servers in a container: a port that is free, and the address that a server says when it is ready."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextmanager
def ready(process: "subprocess.Popen[str]") -> Iterator[str]:
    """The line that says where it answers."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line:
        pytest.fail(process.stderr.read()[-3000:])
    try:
        yield line
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=300)
