"""Rows in parts, in the order of the rows whichever process encodes which part when."""

import os
from collections.abc import Sequence

import pytest

from toolkit.core.errors import ModelError
from toolkit.core.events import Progress
from toolkit.data.dataset import Row
from toolkit.data.encoding import ROWS_AT_ONCE, Encoded
from toolkit.data.messages import Message
from toolkit.train.ms_swift.encoder import encoded_parts

ROWS = [
    Row(number=number, messages=(Message(role="user", content="q"), Message(role="assistant", content="a")))
    for number in range(3 * ROWS_AT_ONCE + 1)
]


class NumberEncoder:
    """Encodes a row as its number and the process."""

    takes_tools, thinks = True, False

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:  # the protocol's
        return [Encoded(input_ids=[row.number, os.getpid()], labels=[row.number, -100]) for row in rows]

    def decode(self, ids: Sequence[int]) -> str:
        return str(ids)


@pytest.mark.parametrize("cores", [1, 3])
def test_rows_come_in_their_order_from_all_processes(monkeypatch: pytest.MonkeyPatch, cores: int):
    monkeypatch.setattr("toolkit.data.containers.copies.own_cores", lambda: cores)
    heard = list[Progress]()

    found = [list(one.input_ids) for part in encoded_parts(NumberEncoder(), ROWS, heard.append) for one in part]

    assert [number for number, _ in found] == [row.number for row in ROWS]
    assert (os.getpid() in {process for _, process in found}) is (cores == 1)
    assert [event.total for event in heard] == [len(ROWS)] * 4
    assert heard[-1].done == len(ROWS)


def test_few_rows_are_encoded_here_and_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("toolkit.data.containers.copies.own_cores", lambda: 8)
    heard = list[Progress]()

    [part] = encoded_parts(NumberEncoder(), ROWS[:5], heard.append)

    assert {one.input_ids[1] for one in part} == {os.getpid()}
    assert heard == []


def test_rows_are_changed_where_they_are_encoded():
    [part] = encoded_parts(NumberEncoder(), ROWS[:3], lambda _: None, lambda rows: rows[::-1])

    assert [one.input_ids[0] for one in part] == [2, 1, 0]


def test_what_an_encoder_refuses_is_refused_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("toolkit.data.containers.copies.own_cores", lambda: 2)

    class Refusing(NumberEncoder):
        def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
            raise ModelError("No template.", next="Use another.")

    with pytest.raises(ModelError, match=r"^No template\. Use another\.$"):
        list(encoded_parts(Refusing(), ROWS, lambda _: None))
