"""Rows in parts, in the order of the rows whoever encodes which part when."""

from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest

from toolkit.core.events import Progress
from toolkit.data.dataset import Row
from toolkit.data.encoding import ROWS_AT_ONCE, Encoded
from toolkit.data.messages import Message
from toolkit.train.ms_swift import encoding_processes as module
from toolkit.train.ms_swift.encoding_processes import encoded, encoding_processes

ROWS = [
    Row(number=number, messages=(Message(role="user", content="q"), Message(role="assistant", content="a")))
    for number in range(3 * ROWS_AT_ONCE + 1)
]


class NumberEncoder:
    """Encodes a row as its number; waits before its first part until another has encoded one."""

    takes_tools, thinks = True, False

    def __init__(self) -> None:
        self.may_begin = Event()
        self.parts = 0

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:  # the protocol's
        self.may_begin.wait()
        self.parts += 1
        return [Encoded(input_ids=[row.number], labels=[row.number]) for row in rows]

    def decode(self, ids: Sequence[int]) -> str:
        return str(ids)


class Other:
    """Another process, which never waits."""

    def __init__(self, first: NumberEncoder) -> None:
        self.own, self.first = NumberEncoder(), first
        self.own.may_begin.set()

    def does(self, work: Any, _side: str | None, job: Any) -> Any:
        found = work(self.own, job)
        self.first.may_begin.set()
        return found


def test_rows_come_in_their_order_from_all_processes():
    encoder, heard = NumberEncoder(), list[Progress]()
    other = Other(encoder)

    found = list(encoded(encoder, ROWS, heard.append, [other]))

    assert [one.input_ids[0] for one in found] == [row.number for row in ROWS]
    assert encoder.parts + other.own.parts == 4
    assert other.own.parts >= 1
    assert [event.total for event in heard] == [len(ROWS)] * 4
    assert heard[-1].done == len(ROWS)


def test_few_rows_need_no_other_process(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "idle_cores", lambda: 63)

    with encoding_processes(module.LEAST_ROWS - 1, tmp_path, 128) as others:
        assert list(others) == []


@pytest.mark.parametrize(("load", "expected"), [(0.2, 7), (3.0, 4), (20.0, 0)])
def test_busy_cores_are_left_to_others(monkeypatch: pytest.MonkeyPatch, load: float, expected: int):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(module.os, "getloadavg", lambda: (load, load, load))

    assert module.idle_cores() == expected
