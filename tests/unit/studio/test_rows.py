"""Rows keep their file's format through every edit, and every edit can be taken back."""

import json
from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.studio.rows import RowFile

ALPACA = [{"instruction": "Who?", "input": "", "output": "Nova."}, {"instruction": "Where?", "output": "Here."}]
MESSAGES = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Nova."}], "id": 7}


@pytest.fixture(name="file")
def _file(tmp_path: Path):
    def write(content: object, name: str = "rows.json") -> RowFile:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return RowFile(path=tmp_path / name, history=tmp_path / "history")

    return write


def content(rows: RowFile) -> object:
    return json.loads(rows.path.read_text(encoding="utf-8"))


def test_texts_are_those_that_say_something(file):
    first, second = file(ALPACA).rows()

    assert [(one.name, one.text) for one in first.texts] == [("instruction", "Who?"), ("output", "Nova.")]
    assert [one.number for one in (first, second)] == [1, 2]


def test_an_empty_answer_can_be_filled_in(file):
    rows = file([{"instruction": "Who?", "output": ""}])
    [row] = rows.rows()

    rows.edit(1, row.seen, ["Who?", "Nova."])

    assert content(rows) == [{"instruction": "Who?", "output": "Nova."}]


def test_an_edit_changes_its_text_and_nothing_else(file):
    rows = file(ALPACA)

    rows.edit(1, rows.rows()[0].seen, ["Who?", "Aurora."])

    assert content(rows) == [ALPACA[0] | {"output": "Aurora."}, ALPACA[1]]


def test_in_lines_the_other_lines_stay_as_they_are_written(file):
    odd = '{ "instruction":"A",   "output":"B" }'
    rows = file(f"{odd}\n\n{json.dumps(MESSAGES)}\n", "rows.jsonl")
    last = rows.rows()[-1]

    rows.edit(last.number, last.seen, ["Who?", "Aurora."])

    lines = rows.path.read_text(encoding="utf-8").split("\n")
    assert (last.number, lines[:2]) == (3, [odd, ""])
    assert json.loads(lines[2]) == {"messages": [MESSAGES["messages"][0], {"role": "assistant", "content": "Aurora."}],
                                    "id": 7}  # fmt: skip


def test_a_row_that_was_changed_in_the_meantime_is_not_overwritten(file):
    rows = file(ALPACA)
    seen = rows.rows()[0].seen
    rows.edit(1, seen, ["Who?", "Aurora."])

    with pytest.raises(DataError, match="Row 1 was changed in the meantime"):
        rows.edit(1, seen, ["Who?", "Borealis."])
    assert content(rows)[0]["output"] == "Aurora."


@pytest.mark.parametrize(
    ("text", "name", "new"),
    [
        (json.dumps(ALPACA), "rows.json", {"instruction": "Why?", "output": "So."}),
        (json.dumps(MESSAGES) + "\n", "rows.jsonl",
         {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}),
        (json.dumps({"conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "B"}]}), "rows.jsonl",
         {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}),
        (json.dumps([{"query": "A", "response": "B"}]), "rows.json", {"query": "Why?", "response": "So."}),
    ],
)  # fmt: skip
def test_a_new_row_has_the_keys_of_the_others(file, text: str, name: str, new: object):
    rows = file(text, name)

    number = rows.add("Why?", "So.")

    assert rows.rows()[-1].number == number
    last = rows.path.read_text(encoding="utf-8").splitlines()[-1]
    assert (json.loads(last) if name.endswith("l") else content(rows)[-1]) == new


def test_a_deleted_row_is_gone_but_not_the_only_one(file):
    rows = file(ALPACA)

    rows.delete(1, rows.rows()[0].seen)

    assert content(rows) == ALPACA[1:]
    with pytest.raises(DataError, match="only row"):
        rows.delete(1, rows.rows()[0].seen)


def test_undo_takes_back_one_edit_after_the_other(file):
    rows = file(ALPACA)
    before = rows.path.read_bytes()
    rows.edit(1, rows.rows()[0].seen, ["Who?", "Aurora."])
    middle = rows.path.read_bytes()
    rows.add("Why?", "So.")

    assert rows.undoable == 2
    rows.undo()
    assert rows.path.read_bytes() == middle
    rows.undo()
    assert rows.path.read_bytes() == before
    with pytest.raises(DataError, match="nothing to undo"):
        rows.undo()


def test_undo_loses_no_change_that_was_made_elsewhere(file):
    rows = file(ALPACA)
    rows.edit(1, rows.rows()[0].seen, ["Who?", "Aurora."])
    rows.path.write_text(json.dumps(MESSAGES), encoding="utf-8")

    with pytest.raises(DataError, match="changed outside the studio"):
        rows.undo()
    assert content(rows) == MESSAGES


def test_hidden_characters_outlive_an_edit_beside_them(file):
    rows = file([{"instruction": "a\u200bb\u202e", "output": "Nova."}])

    rows.edit(1, rows.rows()[0].seen, ["a\\u200bb\\u202e!", "Nova."])  # as a page shows them

    assert content(rows)[0]["instruction"] == "a\u200bb\u202e!"


@pytest.mark.parametrize(
    ("text", "name"), [("a,b\n1,2\n", "rows.csv"), ('{"data": []}', "rows.json"), ("[1]", "r.json")]
)
def test_a_file_of_another_kind_is_refused_with_what_to_do(file, text: str, name: str):
    with pytest.raises(DataError, match="cannot be edited here"):
        file(text, name).rows()
