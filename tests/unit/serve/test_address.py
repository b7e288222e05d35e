"""Where a server is reached: as it listens, or at the port that a container's host publishes."""

import pytest

from toolkit.core.errors import ConfigError
from toolkit.serve.address import address, is_loopback, outer_host, taken_port


def test_it_is_reached_where_it_listens():
    assert (outer_host("127.0.0.1"), address("127.0.0.1", 80)) == ("127.0.0.1", "http://127.0.0.1:80")
    assert address("::1", 80) == "http://[::1]:80"


def test_a_container_is_reached_at_the_hosts_port(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_PUBLISHED", "127.0.0.1:6006")

    assert (outer_host("0.0.0.0"), address("0.0.0.0", 80)) == ("127.0.0.1", "http://127.0.0.1:6006")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("x", False)],
)
def test_only_loopback_is_this_machine(host: str, loopback: bool):
    assert is_loopback(host) is loopback


def test_a_taken_port_is_an_error():
    with taken_port("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(ConfigError, match="is taken"), taken_port("127.0.0.1", taken.getsockname()[1]):
            pass
