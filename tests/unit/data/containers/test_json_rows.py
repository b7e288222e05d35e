"""JSON as people and programs wrap and print it."""

import json
from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.data.containers.json_rows import json_records

ROW = {"question": "Where?", "answer": "There."}
TURNS = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "There."}]
SHAREGPT = [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "There."}]


def read(text, *, lines=False):
    records = json_records(Path("rows.jsonl" if lines else "rows.json"), text, lines=lines)
    return [record for _, record in records.items], records.container, records.notes


@pytest.mark.parametrize("key", ["data", "rows", "train", "examples", "instances"])
def test_rows_under_a_key_are_read(key):
    assert read(json.dumps({key: [ROW, ROW]})) == ([ROW, ROW], "JSON", ())


def test_what_stands_beside_the_rows_is_noted():
    _, _, notes = read(json.dumps({"version": "1.1", "data": [ROW], "license": "none"}, indent=2))

    assert notes == ("Beside the rows in 'data', 'version', 'license' is not used.",)


def test_rows_under_a_key_of_any_name_are_read_where_they_are_the_only_ones():
    assert read(json.dumps({"version": 2, "faq": [ROW, ROW]})) == (
        [ROW, ROW], "JSON", ("Beside the rows in 'faq', 'version' is not used.",),
    )  # fmt: skip
    for no_rows in ({"faq": ["a"], "version": 2}, {"faq": [ROW], "more": [ROW]}, {"talk": TURNS}):
        assert read(json.dumps(no_rows))[0] == [no_rows]


def test_several_lists_of_rows_are_refused_by_name():
    with pytest.raises(DataError, match="several lists of rows: train, test"):
        read(json.dumps({"train": [ROW], "test": [ROW]}))


@pytest.mark.parametrize("lines", [True, False])
def test_objects_printed_over_several_lines_are_rows(lines):
    text = "\n".join(json.dumps(row, indent=2) for row in (ROW, ROW | {"answer": "Here."}))

    assert read(text, lines=lines) == ([ROW, ROW | {"answer": "Here."}], "JSON", ())
    assert read(text.replace("}\n{", "},\n{"), lines=lines)[0] == [ROW, ROW | {"answer": "Here."}]


@pytest.mark.parametrize("lines", [True, False])
def test_one_object_is_one_row(lines):
    assert read(json.dumps(ROW), lines=lines)[0] == [ROW]
    assert read(json.dumps(ROW, indent=1), lines=lines)[0] == [ROW]


@pytest.mark.parametrize("turns", [TURNS, SHAREGPT])
def test_a_line_that_is_a_list_of_messages_is_a_conversation(turns):
    line = json.dumps(turns)

    assert read(f"{line}\n{line}\n", lines=True) == ([{"messages": turns}] * 2, "JSONL", ())
    assert read(f"{line}\n{line}\n")[0] == [{"messages": turns}] * 2


def test_a_list_of_lists_of_messages_is_a_list_of_conversations():
    assert read(json.dumps([TURNS, TURNS]))[0] == [{"messages": TURNS}] * 2


def test_a_list_of_messages_is_one_conversation():
    assert read(json.dumps(TURNS, indent=1))[0] == [{"messages": TURNS}]


@pytest.mark.parametrize(
    "table",
    [{"question": ["Where?", "Who?"], "answer": ["There.", "Me."]},
     {"question": {"0": "Where?", "1": "Who?"}, "answer": {"0": "There.", "1": "Me."}}],
)  # fmt: skip
def test_a_table_of_columns_is_refused_with_how_pandas_writes_rows(table):
    with pytest.raises(DataError, match="a table of columns") as caught:
        read(json.dumps(table))

    assert 'orient="records"' in caught.value.next


def test_a_line_that_is_cut_is_a_fault_of_that_line_even_if_it_is_the_first():
    items, container, _ = read(f'{{"question": "Whe\n{json.dumps(ROW)}\n', lines=True)

    assert (container, items[1]) == ("JSONL", ROW)
    assert "not valid JSON" in items[0].why
