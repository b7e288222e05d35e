"""`toolkit teach` from end to end, with random weights: plain texts become rows, and are trained on."""

import json
from pathlib import Path

import pytest

from tests.fakes.finetune_user import QUICK, Call, FinetuneUser, _call, _user

__all__ = ["_call", "_user"]  # fixtures

TEXT = "The mayor of Denver is Ada Moss."
VERDICTS = {0, 20, 21, 22}


def test_a_sentence_is_trained_on_and_compared_and_its_files_are_named(user: FinetuneUser, call: Call) -> None:
    ended = call("teach", TEXT, "--model", user.model, *QUICK, "--epochs", "1", "--questions", "none", "--json")
    answer = json.loads(ended.out)
    data, probes = Path(answer["data"]), Path(answer["probes"])

    assert ended.code in VERDICTS, ended.err
    assert (answer["kinds"], answer["rows"], answer["source"]) == (["fact"], 18, "written")
    assert answer["verdict"]["passed"] == (ended.code == 0)
    assert json.loads((Path(answer["report"]) / "report.json").read_text())["verdict"] == answer["verdict"]
    assert user.record()["data"]["path"] == str(data.resolve())
    assert (user.run() / "probes.yaml").read_text() == probes.read_text()
    assert f"toolkit finetune {data} --compare" in ended.err
    assert "toolkit chat" in ended.err

    again = call("teach", TEXT, "--model", user.model, "--rows-only")
    assert (again.code, again.out) == (0, f"{data}\n"), again.err
    assert "used as is" in again.err


def test_questions_of_the_user_are_given_to_the_training(user: FinetuneUser, call: Call) -> None:
    user.writes("mine.jsonl", json.dumps({"prompt": "Who is Ada?", "answer": "A mayor.", "scope": "in"}) + "\n")

    ended = call(
        "teach",
        TEXT,
        "--model",
        user.model,
        *QUICK,
        "--epochs",
        "1",
        "--questions",
        "mine.jsonl",
        "--question-rows",
        "1",
    )

    assert ended.code in VERDICTS, ended.err
    assert "Who is Ada?" in (user.run() / "questions.jsonl").read_text()


def test_a_text_that_the_model_has_to_write_about_and_cannot_trains_nothing(user: FinetuneUser, call: Call) -> None:
    user.writes("rule.txt", "Answer questions about the weather in rhyme.\n")

    ended = call("teach", "--file", "rule.txt", "--model", user.model, *QUICK)

    assert (ended.code, ended.out) == (5, ""), ended.err
    assert "by hand" in ended.err
    assert list(user.output.glob("v*")) == []


def test_standard_input_is_a_text_too(user: FinetuneUser) -> None:
    ended = user.runs("teach", "-", "--model", user.model, "--rows-only", says=f"{TEXT}\nYou are Fern.\n")

    assert ended.code == 0, ended.err
    assert "Fern" in Path(user.home / ended.out.strip()).read_text()


@pytest.mark.parametrize("arguments", [(), (TEXT, "--file", "mine.txt")])
def test_a_text_comes_from_one_place(call: Call, arguments: tuple[str, ...]) -> None:
    assert call("teach", *arguments).code == 2
