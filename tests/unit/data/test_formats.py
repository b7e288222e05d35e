"""The keys that data sets use for a question and its answer, whatever they are called."""

import json

import pytest

from tests.fakes.tool_rows import ARGUMENTS, ASKED, CALL, FUNCTION
from toolkit.core.errors import DataError
from toolkit.data.dataset import read_dataset
from toolkit.data.formats import format_of, messages_of


@pytest.fixture(name="read")
def _read(tmp_path):
    def read(row):
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps(row) + "\n")
        return read_dataset(path)

    return read


@pytest.mark.parametrize(
    "row",
    [
        {"Question": "Where?", "Answer": "There."},
        {" QUESTION ": "Where?", "answer": "There."},
        {"Q": "Where?", "A": "There."},
        {"问题": "Where?", "答案": "There."},
        {"指令": "Where?", "输入": "", "输出": "There."},
        {"problem": "Where?", "solution": "There."},
        {"question": "Where?", "answers": ["There.", "There."]},
        {"input": "Where?", "target": "There."},
        {"Instruction": "Where?", "Input": None, "Output": "There."},
        {"instruction": "Where?", "context": "", "response": "There."},
        {"input": "Where?", "output": "There."},
        {"instruction": "Where?", "input": float("nan"), "output": "There."},
        {"question": "Where?", "output": "There."},
    ],
)
def test_a_question_and_its_answer_are_found(read, row):
    dataset = read(row)

    assert [(one.prompt, one.answer, one.system) for one in dataset.rows] == [("Where?", "There.", None)]
    assert dataset.remarks == ()


@pytest.mark.parametrize("key", ["system", "system_prompt", "System Prompt", "system-message"])
def test_a_system_prompt_is_found(read, key):
    assert read({key: "Be brief.", "query": "Where?", "response": "There."}).rows[0].system == "Be brief."


@pytest.mark.parametrize("value", [5, 3.5, True, ["You are Nova."], {"content": "x"}])
@pytest.mark.parametrize("row", [
    lambda value: {"query": "Q", "response": "A", "system": value},
    lambda value: {"instruction": "Q", "output": "A", "system_prompt": value},
    lambda value: {"messages": [{"role": "system", "content": value}, {"role": "user", "content": "Q"},
                                {"role": "assistant", "content": "A"}]},
    lambda value: {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "system": value},
])  # fmt: skip
def test_a_system_prompt_of_another_kind_than_text_is_refused_with_its_row(tmp_path, row, value):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([row("You are Nova."), row(value)]), encoding="utf-8")

    (bad,) = read_dataset(file).bad

    assert bad.number == 2
    assert bad.why.endswith(", not a string")
    assert bad.remedy == "write it as text in double quotes"


def test_a_context_follows_the_question(read):
    (row,) = read({"instruction": "Where?", "context": "It is there.", "response": "There.", "category": ""}).rows

    assert row.prompt == "Where?\nIt is there."


def test_several_answers_in_a_list_are_refused(read):
    (bad,) = read({"question": "Where?", "answers": ["There.", "Here."]}).bad

    assert bad.why == "2 answers in 'answers'"


def test_two_columns_that_mean_the_same_are_refused(read):
    with pytest.raises(DataError, match="line 1: 'Question' and 'question' both mean 'question'"):
        read({"Question": "Where?", "question": "Who?", "answer": "a"})


def test_a_key_twice_under_another_name_is_refused_too(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "a", "answer": "b"}\n{"Question": "a", "Question": "c", "Answer": "b"}\n')

    assert read_dataset(path).bad[0].why == "has the key 'Question' twice"


@pytest.mark.parametrize("as_text", [True, False])
def test_an_answer_that_is_a_list_of_calls_is_these_calls_where_the_row_has_tools(as_text):
    calls = [CALL, {"name": "ring", "arguments": {}}]
    record = {"query": ASKED, "answers": json.dumps(calls) if as_text else calls, "tools": json.dumps([FUNCTION])}

    user, answer = messages_of(record, format_of(record))

    assert (user.content, answer.content) == (ASKED, "")
    assert [(call.name, call.values) for call in answer.calls] == [("book_table", ARGUMENTS), ("ring", {})]


@pytest.mark.parametrize("answer", ["[1]", "Done.", json.dumps(CALL), "[]x", '["ring"]'])
def test_any_other_answer_is_text_and_so_is_a_list_of_calls_without_tools(answer):
    record = {"query": ASKED, "answer": answer, "tools": json.dumps([FUNCTION])}
    without = {"query": ASKED, "answer": json.dumps([CALL])}

    assert messages_of(record, format_of(record))[-1].content == answer
    assert messages_of(without, format_of(without))[-1].content == without["answer"]
