"""Messages as data sets write them: loss flags, parts, tools, thoughts."""

import json
from dataclasses import replace

import pytest

from tests.fakes.tool_rows import FORMS, TOOL
from toolkit.data.dataset import hub_dataset, read_dataset
from toolkit.data.messages import Message
from toolkit.data.tools.calls import ToolCall

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


def test_the_case_of_a_key_in_a_message_does_not_matter(read):
    (row,) = read({"messages": [{"Role": "user", "Content": "Is it open?"},
                                {"Role": "assistant", "Content": "Who knows.", "Weight": 0},
                                {"Role": "assistant", "Content": "Until nine."}]}).rows  # fmt: skip

    assert [message.trained for message in row.messages] == [True, False, True]
    (thought,) = read(conversation(first={"Reasoning": "Nine, I think."})).rows
    assert thought.messages[1].thought == "Nine, I think."
    assert "'loss' and 'Loss' both mean 'loss'" in why(read(conversation(first={"loss": True, "Loss": False})))


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
        ({"reasoning": "Nine.", "thinking": "Ten."}, "two thoughts: 'reasoning' and 'thinking'"),
        ({"tool_calls": [{"id": "c1"}]}, "'messages' item 2 has a call without a function's name"),
        ({"tools": [{"name": "look"}]}, "'messages' item 2 has tools ('tools') of its own"),
        ({"images": ["a.png"]}, "sees or hears ('images')"),
    ],
)
def test_what_an_answer_says_and_cannot_be_trained_is_refused(read, flags, reason):
    assert reason in why(read(conversation(first=flags)))


@pytest.mark.parametrize(
    "answer",
    [
        {"content": "<think>\nNine, I think.\n</think>\n\nIt is."},
        {"content": "Nine, I think.\n</think>\n\nIt is."},  # of a model whose prompt opens the thought
        {"content": "It is.", "reasoning_content": "Nine, I think."},
        {"content": "<think>\n\n</think>\n\nIt is.", "thinking": "Nine, I think.\n"},
    ],
)
def test_a_thought_is_read_from_the_text_or_from_beside_it(read, answer):
    row = conversation()
    row["messages"][-1] = {"role": "assistant", **answer}

    dataset = read(row)

    last = dataset.rows[0].messages[-1]
    assert (last.thought, last.content, dataset.rows[0].answer) == ("Nine, I think.", "It is.", "It is.")
    assert not dataset.unused
    assert read(dataset.rows[0].to_dict()).rows == dataset.rows


def test_two_thoughts_of_one_answer_are_refused(read):
    row = conversation(last={"content": "<think>Nine.</think>It is.", "reasoning_content": "Ten."})

    assert "two thoughts: in its text and in 'reasoning_content'" in why(read(row))


@pytest.mark.parametrize("text", ["The mark </think> ends a thought.", "<think> is a mark.", "Use <think>a</think>."])
def test_a_text_about_thoughts_is_a_text(read, text):
    dataset = read(conversation(last={"content": text}))

    assert (dataset.rows[0].messages[-1].content, dataset.rows[0].messages[-1].thought) == (text, None)


def test_a_flag_for_a_question_is_counted(read):
    row = conversation()
    row["messages"][0]["train"] = True
    row["messages"][2]["train"] = False

    assert read(row).unused == {"messages[].train of the user": 1}


@pytest.mark.parametrize("form", FORMS)
def test_calls_are_read_from_the_forms_of_openai_sharegpt_and_ms_swift(read, form):
    (row,) = read(FORMS[form]).rows

    call = ToolCall(name="book_table", arguments='{"people": 3, "note": "靠窗"}')
    assert [(one.role, one.content, one.calls) for one in row.messages] == [
        ("user", "A table for three, please.", ()),
        ("assistant", "", (call,)),
        ("tool", '{"ok": true}', ()),
        ("assistant", "Your table for three is booked.", ()),
    ]
    assert json.loads(row.tools) == [TOOL]


@pytest.mark.parametrize("form", FORMS)
def test_a_row_with_calls_is_read_again_as_it_was_written(read, form):
    (row,) = read(FORMS[form]).rows

    assert read(row.to_dict()).rows == (row,)


def test_calls_in_a_row_are_one_answer_and_results_follow_in_their_order(read):
    calls = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in ("a", "b")]
    results = [{"role": "tool", "tool_call_id": name, "content": f"of {name}"} for name in ("b", "a")]
    asked = {"role": "user", "content": "Both, please."}
    end = {"role": "assistant", "content": "Done."}
    openai = {"messages": [asked, {"role": "assistant", "content": "Wait.", "tool_calls": calls}, *results, end]}
    swift = {"messages": [
        asked, {"role": "assistant", "content": "Wait."},
        *({"role": "tool_call", "content": {"name": name, "arguments": {}}} for name in ("a", "b")),
        *({"role": "tool_response", "content": f"of {name}"} for name in ("a", "b")), end,
    ]}  # fmt: skip

    dataset = read(openai, swift)

    assert dataset.rows[0].messages == dataset.rows[1].messages
    assert [message.content for message in dataset.rows[0].messages] == [
        "Both, please.",
        "Wait.",
        "of a",
        "of b",
        "Done.",
    ]
    assert dataset.remarks == ()


def test_a_call_that_is_not_trained_is_read_and_masked(read):
    row = FORMS["ms-swift"]
    masked = [one | ({"loss": False} if one["role"] == "tool_call" else {}) for one in row["messages"]]

    (read_row,) = read(row | {"messages": masked}).rows

    assert [message.trained for message in read_row.messages] == [True, False, True, True]
    assert read_row.messages[1].to_dict()["loss"] is False


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ({"role": "tool_call", "content": "book it"}, "'messages' item 2 is not JSON"),
        ({"role": "tool_call", "content": "[1]"}, "a call without a function's name"),
        ({"role": "tool_call", "content": {"name": "a", "arguments": [1]}}, "arguments that are a list, not an object"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{"}}]}, "is not JSON"),
        ({"role": "user", "content": "a", "tool_calls": [{"name": "a"}]}, "'tool_calls', and is the user's"),
        ({"role": "tool_call", "content": {"name": "a", "arguments": {"b": "\ud800"}}}, "lone surrogate U+D800"),
    ],
)  # fmt: skip
def test_a_turn_that_makes_no_call_is_refused(read, turn, reason):
    messages = [{"role": "user", "content": "a"}, turn, {"role": "assistant", "content": "b"}]

    assert reason in why(read({"messages": messages}))


def test_flags_of_text_and_calls_in_one_answer_must_agree(read):
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "loss": False},
                {"role": "tool_call", "content": {"name": "c", "arguments": {}}}]  # fmt: skip

    assert "'messages' item 3 is trained, and the part of the answer before it is not" in why(
        read({"messages": messages})
    )


def test_a_result_that_follows_no_call_is_named(read):
    row = conversation()
    row["messages"].insert(2, {"role": "observation", "content": "{}"})

    (remark,) = read(row).remarks
    assert remark == "1 row has a tool's result that follows no call: trained as the chat template renders them."


def test_a_result_within_the_templates_marks_is_written_within_them_once(read):
    row = conversation()
    row["messages"].insert(2, {"role": "tool", "content": "<tool_response>\n{}\n</tool_response>"})
    row["messages"].insert(3, {"role": "tool", "content": [{"type": "text", "text": "[1]"}]})

    assert [one.content for one in read(row).rows[0].messages[2:4]] == ["{}", "[1]"]


def test_the_question_of_a_row_with_tools_keeps_its_wording(read):
    plain, with_tools = read(conversation(), conversation() | {"tools": [TOOL]}).rows
    (exchange,) = read({"messages": conversation()["messages"][:2]}).rows

    assert exchange.of_one_turn
    assert not replace(exchange, tools=with_tools.tools).of_one_turn
    assert plain.messages == with_tools.messages


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
    assert [(bad.number, bad.why.split(" ")[0]) for bad in found.bad] == [(2, "'tools'")]


def test_the_digest_of_a_hubs_rows_changes_with_them(read):
    first, again = hub_dataset([conversation()], "a/b"), hub_dataset([conversation()], "a/c")

    assert first.sha256 == again.sha256
    assert first.sha256 != hub_dataset([conversation(), conversation()], "a/b").sha256
