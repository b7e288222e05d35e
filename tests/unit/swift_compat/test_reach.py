"""Whether a host answers."""

from toolkit.swift_compat.reach import connection_error


def test_a_port_without_a_listener_does_not_answer():
    assert connection_error("127.0.0.1", 1) == "Connection refused"
