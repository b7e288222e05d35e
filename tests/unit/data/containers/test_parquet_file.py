"""Parquet, as hubs store data sets."""

from datetime import date

import pyarrow as pa
import pytest
from pyarrow import parquet

from toolkit.core.errors import DataError
from toolkit.data.dataset import read_dataset

TURNS = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "There."}]


@pytest.fixture(name="stored")
def _stored(tmp_path):
    def store(rows):
        path = tmp_path / "rows.parquet"
        parquet.write_table(pa.Table.from_pylist(rows), path)
        return path

    return store


def test_rows_are_read_with_their_columns(stored):
    dataset = read_dataset(stored([{"prompt": f"Question {number}", "completion": "a", "id": number}
                                   for number in range(600)]))  # fmt: skip

    assert (dataset.container, dataset.unit, len(dataset.rows)) == ("Parquet", "row", 600)
    assert (dataset.rows[599].number, dataset.rows[599].prompt) == (600, "Question 599")
    assert dataset.unused == {"id": 600}


def test_nested_messages_are_read(stored):
    (row,) = read_dataset(stored([{"messages": TURNS, "tools": None}])).rows

    assert (row.prompt, row.answer) == ("Where?", "There.")


def test_a_column_of_images_is_refused(stored):
    (bad,) = read_dataset(stored([{"prompt": "a", "completion": "b", "image": {"bytes": b"\x89PNG"}}])).bad

    assert "'image'" in bad.why


def test_a_damaged_file_is_reported(stored):
    path = stored([{"prompt": "a", "completion": "b"}])
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(DataError, match="not a Parquet file that can be read"):
        read_dataset(path)


def test_a_file_without_rows_is_reported(stored):
    path = stored([{"prompt": "a", "completion": "b"}])
    parquet.write_table(parquet.read_table(path).slice(0, 0), path)

    with pytest.raises(DataError, match="has no rows"):
        read_dataset(path)


def test_dates_and_bytes_are_faults_of_their_rows(tmp_path):
    tool, day = {"name": "book", "description": None}, {"since": date(2026, 1, 2)}
    rows = [
        {"query": "Q", "response": "A", "tools": [tool | {"parameters": day}]},
        {"query": "Q", "response": "A", "tools": [tool | {"parameters": None}]},
    ]
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)

    found = read_dataset(path)

    assert [(one.number, one.why) for one in found.bad] == [(1, "'tools' has '2026-01-02', which JSON cannot write")]
    assert len(found.rows) == 1

    parquet.write_table(pa.Table.from_pylist([{"query": "Q", "response": b"A"}]), path)
    assert [one.why for one in read_dataset(path).bad] == ["'response' is a value unknown to JSON, not a string"]
