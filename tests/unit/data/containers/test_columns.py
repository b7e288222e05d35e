"""Columns that are read as other keys."""

import json

import pytest

from toolkit.core.errors import ConfigError, DataError
from toolkit.data.containers.columns import parse_columns
from toolkit.data.dataset import Row, read_dataset
from toolkit.data.formats import Message

ROW = {"instruction": "你是谁？", "input": "", "output": "我是小明，一个助手。"}
CONVERSATION = (Message(role="user", content="a"), Message(role="assistant", content="b"))


@pytest.fixture(name="file")
def _file(tmp_path):
    def write(rows):
        path = tmp_path / "data.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        return path

    return write


def test_a_column_is_read_as_what_the_user_says(file):
    path = file([{"ask": "a", "reply": "b", "answer": "B."}])

    assert read_dataset(path, {"ask": "prompt", "answer": "-"}).bad[0].why == (
        "no answer: 'response' is missing (keys found: reply, prompt)"
    )
    dataset = read_dataset(path, {"ask": "prompt", "reply": "response", "answer": "-"})
    assert dataset.rows == (Row(number=1, messages=CONVERSATION),)
    assert dataset.unused == {}


def test_two_columns_cannot_be_the_same(file):
    with pytest.raises(DataError, match="row 1: two columns are 'prompt'"):
        read_dataset(file([{"ask": "a", "Prompt": "c", "response": "b"}]), {"ask": "prompt"})


def test_a_column_that_the_file_does_not_have_is_named(file):
    with pytest.raises(DataError, match=r"has no column 'ask' \(found: input, instruction, output\)"):
        read_dataset(file([ROW]), {"ask": "prompt"})


def test_columns_are_written_as_pairs():
    assert parse_columns("ask=prompt, my notes = -") == {"ask": "prompt", "my notes": "-"}


@pytest.mark.parametrize("text", ["", "ask", "ask=", "=prompt", "ask=prompt,", "ask=prompt,ask=query"])
def test_malformed_columns_are_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="NAME=KEY"):
        parse_columns(text)
