"""Where a server listens, and where clients reach it: in a container, at the port that the host publishes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from toolkit.core import environment

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def outer_host(host: str) -> str:
    """The host at which clients reach the port: for a published port of a container, the host machine's."""
    published = environment.published_address()
    return published.rpartition(":")[0].strip("[]") if published else host


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK


def address(host: str, port: int) -> str:
    """`http://127.0.0.1:8000`."""
    published = environment.published_address()
    where = published or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return f"http://{where}"


@contextmanager
def taken_port(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket that does not listen yet. Raises ConfigError."""
    from toolkit.serve.server import take_port

    with take_port(host, port) as taken:
        yield taken
