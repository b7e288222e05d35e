"""Messages as data sets write them: loss flags, parts, tools, thoughts."""

import json

import pytest

from toolkit.data.dataset import hub_dataset, read_dataset
from toolkit.data.messages import Message

TURNS = (("user", "Is it open?"), ("assistant", "Who knows."), ("user", "Please look."), ("assistant", "Until nine."))


def conversation(**flags):
    """Four turns; `first` and `last` are the keys that its answers have beside their text."""
    beside = {1: flags.get("first", {}), 3: flags.get("last", {})}
    return {
        "messages": [{"role": role, "content": text, **beside.get(at, {})} for at, (role, text) in enumerate(TURNS)]
    }


@pytest.fixture(name="read")
def _read(tmp_path):
    def read(*rows):
        path = tmp_path / "data.json"
        path.write_text(json.dumps(rows))
        return read_dataset(path)

    return read


def why(dataset):
    (bad,) = dataset.bad
    assert bad.remedy
    return bad.why


@pytest.mark.parametrize(
    "flag",
    [{"loss": False}, {"weight": 0}, {"weight": 0.0}, {"train": False}, {"loss_weight": 0}, {"loss_scale": 0.0},
     {"training": False}],
)  # fmt: skip
def test_an_answer_with_a_flag_against_it_is_read_and_not_trained(read, flag):
    (row,) = read(conversation(first=flag, last={"loss": True})).rows

    assert [message.trained for message in row.messages if message.role == "assistant"] == [False, True]
    assert row.messages[1].to_dict() == {"role": "assistant", "content": "Who knows.", "loss": False}
    assert row.messages[3].to_dict() == {"role": "assistant", "content": "Until nine."}


def test_what_was_read_is_read_again_from_a_file_of_rows(read):
    (row,) = read(conversation(first={"weight": 0})).rows

    assert read({"messages": [message.to_dict() for message in row.messages]}).rows == (row,)


def test_a_row_ends_at_its_last_trained_answer(read):
    dataset = read(conversation(last={"weight": 0}), conversation())

    assert dataset.rows[0].messages == (Message(role="user", content="Is it open?"),
                                        Message(role="assistant", content="Who knows."))  # fmt: skip
    assert dataset.remarks == ("1 row ends at the last answer that is trained. The turns after it change nothing.",)


def test_a_row_of_which_no_answer_is_trained_is_refused(read):
    assert "no answer is trained" in why(read(conversation(first={"loss": False}, last={"train": False})))


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"weight": 0.5}, "'messages' item 2 has 'weight' 0.5"),
        ({"loss": "no"}, "'messages' item 2 has 'loss' 'no'"),
        ({"loss": [1]}, "'messages' item 2 has 'loss' a list"),
        ({"loss": True, "weight": 0}, "flags that disagree: 'loss', 'weight'"),
        ({"train_detail": [{"begin_offset": 0}]}, "'train_detail', which trains parts of a message"),
        ({"reasoning_content": "Nine, I think."}, "a thought ('reasoning_content')"),
        ({"thinking": "Nine, I think."}, "a thought ('thinking')"),
        ({"tool_calls": [{"id": "c1"}]}, "tools ('tool_calls')"),
        ({"images": ["a.png"]}, "sees or hears ('images')"),
    ],
)
def test_what_an_answer_says_and_cannot_be_trained_is_refused(read, flags, reason):
    assert reason in why(read(conversation(first=flags)))


def test_a_flag_for_a_question_is_counted(read):
    row = conversation()
    row["messages"][0]["train"] = True
    row["messages"][2]["train"] = False

    assert read(row).unused == {"messages[].train of the user": 1}


@pytest.mark.parametrize("role", ["tool", "function", "tool_call", "tool_response", "observation"])
def test_a_tools_message_is_called_that(read, role):
    row = conversation()
    row["messages"].insert(2, {"role": role, "content": "{}"})

    assert f"the role {role!r}: tool calls are not trained yet" in why(read(row))


def test_text_parts_are_text_and_other_parts_are_named(read):
    parts = [{"type": "text", "text": "Is it "}, {"type": "text", "text": "open?"}]
    row = conversation()
    row["messages"][0]["content"] = parts

    assert read(row).rows == read(conversation()).rows

    row["messages"][0]["content"] = [*parts, {"type": "image_url", "image_url": {"url": "x"}}]
    assert "a part of the type 'image_url'" in why(read(row))


def test_turns_of_xtuner_have_a_question_an_answer_and_a_flag(read):
    turns = [
        {"system": "Be calm.", "input": "Hi", "output": "Yes?", "output_with_loss": False},
        {"system": "", "input": "Bye", "output": "Good night."},
    ]

    (row,) = read({"conversation": turns}).rows

    assert (row.system, row.answer) == ("Be calm.", "Good night.")
    assert [message.trained for message in row.messages] == [True, True, False, True, True]


def test_rows_of_a_hub_are_read_as_rows_of_a_file_are(read):
    columns = {"images": [], "tools": None, "channel": None}

    masked, refused = conversation(first={"loss": False}) | columns, conversation() | {"tools": "[1]"}

    found = hub_dataset([masked, refused], "owner/name")

    assert found.rows == read(conversation(first={"loss": False})).rows
    assert (str(found.path), found.container, found.format) == ("owner/name", "hub", "messages")
    assert [(bad.number, bad.why.split(" ")[0]) for bad in found.bad] == [(2, "tools")]


def test_the_digest_of_a_hubs_rows_changes_with_them(read):
    first, again = hub_dataset([conversation()], "a/b"), hub_dataset([conversation()], "a/c")

    assert first.sha256 == again.sha256
    assert first.sha256 != hub_dataset([conversation(), conversation()], "a/b").sha256
