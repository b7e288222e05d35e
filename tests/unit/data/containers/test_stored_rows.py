"""Rows in a file are the rows that were put into it."""

import pickle
from dataclasses import replace

import pytest

from toolkit.data.containers.stored_rows import ChangedRows, RowStore, StoredRows, chosen, settled, stored
from toolkit.data.messages import Message, Row
from toolkit.data.tools.calls import ToolCall

CALL = ToolCall(name="weather", arguments='{"city": "Xi\u2019an"}')
ROWS = [
    Row(number=3, messages=(Message(role="user", content="Hi"), Message(role="assistant", content="Yo"))),
    Row(number=4, messages=(
        Message(role="system", content=""), Message(role="user", content="天气？"),
        Message(role="assistant", content="", thought="", calls=(CALL, CALL)),
        Message(role="tool", content="\U0001f600"),
        Message(role="assistant", content="Sun", trained=False, thought="So"),
    ), tools='[{"type": "function"}]'),
    *(Row(number=at, messages=(Message(role="user", content=str(at)), Message(role="assistant", content="a" * at)))
      for at in range(5, 40)),
]  # fmt: skip


def louder(row: Row) -> Row:
    return replace(row, number=-row.number)


@pytest.fixture(name="kept", params=["in memory", "stored"])
def _kept(request) -> object:
    return tuple(ROWS) if request.param == "in memory" else RowStore(ROWS, most=10).rows


def test_few_rows_stay_in_memory_and_many_are_stored():
    assert RowStore(ROWS, most=len(ROWS)).rows == tuple(ROWS)
    assert isinstance(RowStore(ROWS, most=len(ROWS) - 1).rows, StoredRows)


def test_rows_come_back_one_by_one_and_as_a_slice(kept):
    assert list(kept) == [kept[at] for at in range(len(kept))] == ROWS
    assert list(kept[1:9:2]) == ROWS[1:9:2]
    assert settled(kept) == tuple(stored(kept)) == tuple(ROWS)


def test_some_are_chosen_and_each_is_changed(kept):
    some = ChangedRows(chosen(kept, [1, 4, 30]), louder)

    assert list(some) == list(pickle.loads(pickle.dumps(some))) == [louder(ROWS[at]) for at in (1, 4, 30)]
    assert [*some[1:]] == [some[1], some[2]]


@pytest.mark.parametrize(("most", "other"), [(100, 100), (100, 10), (10, 10), (40, 100)])
def test_a_store_takes_the_rows_of_another_one(most: int, other: int):
    store = RowStore(ROWS[:20], most=most)

    store.extend(pickle.loads(pickle.dumps(RowStore(ROWS[20:], most=other))))

    assert [*store.rows] == ROWS
    assert isinstance(store.rows, StoredRows) is (most < len(ROWS))
