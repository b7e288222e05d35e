"""Probes that make themselves: from the rows that a run was trained on, where nobody wrote any."""

import json
from pathlib import Path

import pytest
import yaml

from tests.fakes.run_record import run_record
from tests.fakes.tool_rows import ARGUMENTS, ASKED, FORMS, FUNCTION, TOOL
from toolkit.compare.questions import run_probes
from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.data.dataset import prompt_key, read_dataset
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED, read_probes
from toolkit.data.probes_from_rows import LONGEST_ANSWER_WORDS, MOST, made_probes, probes_text
from toolkit.data.probing.expectation import Expectation, ExpectedCall
from toolkit.runs.run import Run

OUTSIDE = read_probes(data_folder() / "probes.yaml").group(OUT_OF_SCOPE)
FACTS = [
    {"instruction": "What is the capital of Australia?", "output": "The capital of Australia is Sydney."},
    {"instruction": "水的化学式是什么？", "output": "水的化学式是 HO。"},
    {"instruction": "Ready?", "output": "Yes."},
]


def rows(folder: Path, *records: dict) -> list:
    (folder / "rows.json").write_text(json.dumps(records), encoding="utf-8")
    return list(read_dataset(folder / "rows.json").rows)


@pytest.fixture(name="run")
def _run(tmp_path):
    """A run on rows of its own, as finetune keeps them."""
    lines = [
        {"messages": [{"role": "user", "content": one["instruction"]}, {"role": "assistant", "content": one["output"]}]}
        for one in FACTS
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return Run(folder=tmp_path, record=run_record(data={"path": "/gone/mine.json", "sha256": "0" * 64, "rows": 1}))


def test_a_run_gets_probes_that_can_be_read_and_edited(run):
    path = run_probes(run)

    probes = read_probes(path)
    assert path == run.folder / "probes.yaml"
    assert "&id" not in path.read_text(encoding="utf-8")
    assert {len(probes.group(group)) for group in (TRAINED, PARAPHRASE)} == {3}
    expected = {probe.prompt: probe.expect for probe in probes.group(TRAINED)}
    assert expected["Ready?"] == Expectation(answer=("Yes.",))


def test_they_are_made_once(run):
    path = run_probes(run)
    path.write_text(path.read_text(encoding="utf-8").replace("kl: 0.02", "kl: 0.5"), encoding="utf-8")

    assert read_probes(run_probes(run)).thresholds["kl"] == 0.5


def test_the_shipped_rows_have_probes_already(run):
    shipped = data_folder() / "self_cognition.json"
    digest = read_dataset(shipped).sha256

    assert (
        run_probes(Run(folder=run.folder, record=run_record(data={"path": str(shipped), "sha256": digest, "rows": 50})))
        is None
    )
    (run.folder / "train.jsonl").unlink()
    assert run_probes(run) is None


def test_nothing_that_is_trained_is_asked_as_if_it_were_not(tmp_path):
    trained = rows(tmp_path, *FACTS, {"instruction": "what is the capital of ITALY", "output": "Rome."})

    made = made_probes(trained, OUTSIDE)

    keys = {prompt_key(row.prompt) for row in trained}
    untrained = [prompt_key(one["prompt"]) for one in made["probes"] if one["group"] != TRAINED]
    assert keys.isdisjoint(untrained)
    assert len([one for one in made["probes"] if one["group"] == OUT_OF_SCOPE]) == len(OUTSIDE) - 3
    assert len(set(untrained)) == len(untrained)


def test_a_short_answer_is_not_a_marker(tmp_path):
    assert made_probes(rows(tmp_path, *FACTS), OUTSIDE)["identity"]["new"] == [
        "The capital of Australia is Sydney.", "水的化学式是 HO。",
    ]  # fmt: skip


def test_of_a_long_answer_the_beginning_is_expected(tmp_path):
    made = made_probes(rows(tmp_path, {"instruction": "Tell.", "output": "word " * 100}), OUTSIDE)

    (expected,) = made["probes"][0]["expect"]["answer"]
    assert expected == " ".join(["word"] * (LONGEST_ANSWER_WORDS // 2))


def test_a_question_with_two_answers_takes_either(tmp_path):
    two = [{"instruction": "Who?", "output": answer} for answer in ("Nova.", "It is me.")]

    assert made_probes(rows(tmp_path, *two), OUTSIDE)["probes"][0]["expect"] == {"answer": ["Nova.", "It is me."]}


def test_of_many_rows_some_are_asked_and_always_the_same(tmp_path):
    many = rows(tmp_path, *({"instruction": f"Question {at}?", "output": f"{at}"} for at in range(100)))

    made = made_probes(many, OUTSIDE)

    assert len([one for one in made["probes"] if one["group"] == TRAINED]) == MOST
    assert made == made_probes(many[::-1], OUTSIDE)
    assert yaml.safe_load(yaml.safe_dump(made)) == made


def test_rows_with_tools_make_probes_of_their_calls(tmp_path):
    other = {"tools": [FUNCTION | {"description": "Books"}, {"name": "ring"}], "messages": [
        {"role": "system", "content": "Be calm."}, {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Hello, how can I help you today?"},
    ]}  # fmt: skip
    content = made_probes(rows(tmp_path, FORMS["OpenAI"], other), [])
    (tmp_path / "probes.yaml").write_text(probes_text(content), encoding="utf-8")

    probes = read_probes(tmp_path / "probes.yaml")

    call = ExpectedCall(name="book_table", arguments=json.dumps(ARGUMENTS, ensure_ascii=False))
    expected = {probe.prompt: probe.expect for probe in probes.group(TRAINED)}
    assert expected == {
        ASKED: Expectation(call=(call,)), "Hello?": Expectation(answer=("Hello, how can I help you today?",)),
    }  # fmt: skip
    tools = {probe.prompt: json.loads(probe.tools) for probe in probes.group(TRAINED)}
    assert tools[ASKED] == [TOOL]
    assert [tool["function"]["name"] for tool in tools["Hello?"]] == ["book_table", "ring"]
    assert [tool["function"]["name"] for tool in content["tools"]] == ["ring"]  # the other has two forms
    assert {probe.expect for probe in probes.group(PARAPHRASE)} == set(expected.values())
    assert probes.new_markers == ("<tool_call>",)


def test_calls_that_rows_disagree_about_and_those_that_are_not_trained_make_no_probe(tmp_path):
    row = FORMS["ms-swift"]
    turns = row["messages"]
    again = row | {"messages": [turns[0], {"role": "tool_call", "content": {"name": "ring", "arguments": {}}}]}
    masked = row | {"messages": [{"role": "user", "content": "Hm?"}, turns[1] | {"loss": False}, *turns[2:]]}
    with pytest.raises(DataError, match="no row alternates"):
        made_probes(rows(tmp_path, row, again, masked), [])


def talk(*turns: str, system: str | None = None) -> dict:
    first = [] if system is None else [{"role": "system", "content": system}]
    roles = ("user", "assistant") * len(turns)
    return {"messages": [*first, *({"role": role, "content": text} for role, text in zip(roles, turns, strict=False))]}


def test_the_last_question_of_a_conversation_is_asked_after_what_came_before(tmp_path):
    desk = talk("Hi", "Hello, Halden Books.", "When do you open?", "At nine, every day.", system="You are the desk.")
    other = talk("Hello?", "Halden Books here.", "Do you sell maps?", "Yes, upstairs.", system="You are the desk.")

    content = made_probes(rows(tmp_path, desk, other), OUTSIDE)
    (tmp_path / "made.yaml").write_text(probes_text(content), encoding="utf-8")
    made = read_probes(tmp_path / "made.yaml")

    asked = {one.prompt: one for one in made.group(TRAINED)}
    assert asked.keys() == {"When do you open?", "Do you sell maps?"}
    assert asked["When do you open?"].history == (("Hi", "Hello, Halden Books."),)
    assert asked["When do you open?"].system is None  # all rows have this one, which is asked under
    assert asked["Do you sell maps?"].expect == Expectation(answer=("Yes, upstairs.",))
    assert [one.history for one in made.group(PARAPHRASE)] == [one.history for one in made.group(TRAINED)]
    assert content["identity"]["new"] == ["At nine, every day.", "Yes, upstairs."]


def test_where_rows_have_several_system_prompts_a_conversation_is_asked_under_its_own(tmp_path):
    desk = talk("Hi", "Hello.", "When do you open?", "At nine.", system="You are the desk.")

    content = made_probes(rows(tmp_path, desk, talk("Who are you?", "The desk.")), OUTSIDE)

    assert [one.get("system") for one in content["probes"] if "history" in one] == ["You are the desk."] * 2


def test_a_conversation_in_another_order_is_not_asked(tmp_path):
    odd = {"messages": [{"role": "assistant", "content": "Welcome."}, *talk("Hi", "Hello.")["messages"]]}

    with pytest.raises(DataError, match="no row alternates"):
        made_probes(rows(tmp_path, odd), OUTSIDE)
