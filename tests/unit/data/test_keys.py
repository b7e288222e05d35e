"""What a row's keys say beside its text: honoured, refused, or counted, never dropped in silence."""

import json

import pytest

from toolkit.core.errors import DataError
from toolkit.data.dataset import read_dataset
from toolkit.data.keys import meaningful, weighty

EXCHANGE = {"question": "Where is the ladder?", "answer": "Behind the shed."}
TOOL = [{"type": "function", "function": {"name": "open_gate"}}]


@pytest.fixture(name="read")
def _read(tmp_path):
    def read(*rows):
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_dataset(path)

    return read


def why(dataset):
    (bad,) = dataset.bad
    assert bad.remedy
    return bad.why


@pytest.mark.parametrize("empty", [None, "", " ", "[]", "{}", "null", [], {}, float("nan")])
def test_an_empty_value_says_nothing(empty):
    assert not meaningful(empty)


@pytest.mark.parametrize("value", [False, 0, "no", [0], {"a": 1}])
def test_any_other_value_says_something(value):
    assert meaningful(value)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"label": False}, "KTO data"),
        ({"label": "False"}, "KTO data"),
        ({"kto_tag": False}, "KTO data"),
        ({"rejected": "No idea."}, "preference data ('rejected')"),
        ({"chosen": "Here.", "rejected": "No."}, "preference data ('chosen', 'rejected')"),
        ({"rejected_response": "No."}, "preference data"),
        ({"images": ["shed.png"]}, "a model that sees or hears ('images')"),
        ({"audio": "shed.wav"}, "a model that sees or hears"),
        ({"tools": "a ladder"}, "'tools' is not JSON"),
        ({"tools": [*TOOL, *TOOL]}, "'tools' has two tools named 'open_gate'"),
        ({"tools": TOOL, "functions": [{"name": "ring"}]}, "two lists of tools: in 'tools' and in 'functions'"),
        ({"tools": TOOL, "system": "Use <tools>ring</tools>."}, "two lists of tools: in 'tools' and in the system"),
        ({"tools": [{"function": {"name": "a\ud800"}}]}, "the lone surrogate U+D800 in the tools"),
        ({"tool_calls": [{"function": {"name": "ring"}}]}, "calls ('tool_calls') beside its messages"),
        ({"response": "In the house."}, "two answers: in 'response' and in 'answer'"),
        ({"prompt": "Where is it?"}, "two questions: in 'prompt' and in 'question'"),
        ({"system": "A", "system_prompt": "B"}, "two system prompts: in 'system' and in 'system_prompt'"),
        ({"input": "A", "context": "B"}, "two inputs: in 'input' and in 'context'"),
    ],
)
def test_a_key_that_says_that_the_answer_is_not_simply_learned_is_refused(read, more, reason):
    assert reason in why(read(EXCHANGE | more))


@pytest.mark.parametrize(
    "more",
    [{"tools": []}, {"tools": "[]"}, {"images": None}, {"label": True}, {"reasoning_content": ""},
     {"response": "Behind the shed."}, {"input": ""}],
)  # fmt: skip
def test_a_key_that_changes_nothing_is_accepted_without_a_remark(read, more):
    dataset = read(EXCHANGE | more)

    assert (len(dataset.rows), dataset.remarks) == (1, ())


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "No"},
        {"chosen": [{"role": "user", "content": "a"}], "rejected": [{"role": "user", "content": "b"}]},
        {"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Hello"}},
    ],
)
def test_preference_data_is_called_that_in_every_form(read, row):
    try:
        reason = why(read(row))
    except DataError as error:
        reason = str(error)

    assert "preference data" in reason


def test_raw_text_is_called_that(read):
    with pytest.raises(DataError, match="'text': raw text, for continued pre-training"):
        read({"text": "The orchard lies behind the mill."})


def test_an_answer_beside_the_messages_is_a_second_one(read):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

    assert why(read({"messages": messages, "response": "Good day"})) == "two answers: in 'messages' and in 'response'"
    assert read({"messages": messages, "response": "Hello", "prompt": "Hi"}).remarks == ()


def test_a_thought_beside_an_answer_is_its_own_and_beside_messages_nobodys(read):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    thought = {"reasoning_content": "The shed is near."}

    assert read(EXCHANGE | thought).rows[0].messages[-1].thought == "The shed is near."
    assert "a thought ('reasoning_content') beside its messages" in why(read({"messages": messages} | thought))


def test_two_conversations_in_a_row_are_refused_or_counted(read):
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    other = [{"from": "human", "value": "Bye"}, {"from": "gpt", "value": "Good night"}]

    assert why(read({"conversations": turns, "conversation": other})) == (
        "two conversations: in 'conversations' and in 'conversation'"
    )
    assert read({"messages": turns, "conversations": other}).unused == {"conversations": 1}


def test_keys_of_messages_are_counted_once_a_row(read):
    turns = [{"from": "human", "value": "Hi", "name": "Ada"}, {"from": "gpt", "value": "Hello", "name": "Bo"}]

    assert read({"conversations": turns}, {"conversations": turns}).unused == {"conversations[].name": 2}


def test_a_prompt_beside_an_instruction_is_counted(read):
    assert read({"instruction": "a", "output": "b", "prompt": "### a"}).unused == {"prompt": 1}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"query": "a", "response": "b", "response": "c"}', "response"),
        ('{"messages": [{"role": "user", "content": "a", "content": "b"}]}', "content"),
    ],
)
def test_a_key_that_is_there_twice_with_two_values_is_refused(tmp_path, line, key):
    path = tmp_path / "data.jsonl"
    path.write_text(f'{{"query": "a", "response": "b"}}\n{line}\n' if key == "response" else f"{line}\n")

    dataset = read_dataset(path)

    assert f"has the key {key!r} twice" in dataset.bad[0].why
    assert dataset.bad[0].number == (2 if key == "response" else 1)


def test_a_key_that_is_there_twice_with_one_value_is_harmless(tmp_path):
    path = tmp_path / "data.json"
    path.write_text('[{"query": "a", "response": "b", "response": "b"}]')

    assert len(read_dataset(path).rows) == 1


@pytest.mark.parametrize("name", ["notes.txt", "NOTES.MD"])
def test_a_file_of_prose_is_refused_as_raw_text_with_a_way_on(tmp_path, name):
    path = tmp_path / name
    path.write_text("The river rises in the hills.\nIt is long.\n")

    with pytest.raises(DataError, match="is raw text, for continued pre-training") as caught:
        read_dataset(path)
    assert "toolkit teach --file" in str(caught.value.next)


def test_rows_under_the_name_of_a_text_are_rows(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text('{"query": "a", "response": "b"}\n')

    assert len(read_dataset(path).rows) == 1


@pytest.mark.parametrize("key", ["CoT", "Complex_CoT", "Weight", "quality score", "Rationale", "Reasoning"])
def test_a_key_that_changes_what_is_learned_does_so_in_any_case(read, key):
    dataset = read(EXCHANGE | {key: "0.3", "source": "web"})

    assert [weighty(unused) for unused in dataset.unused] == [True, False]


def test_a_header_that_may_be_a_row_is_named_as_such(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("Where is the ladder?,Behind the shed.\nWhere is the gate?,By the road.\n")

    with pytest.raises(DataError) as caught:
        read_dataset(path)
    assert "write a header line above it" in caught.value.next
