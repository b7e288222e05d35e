"""`toolkit teach` from end to end, with random weights: they write nothing true, and train on what is there."""

import json
import os
from pathlib import Path

import pytest

from tests.fakes.finetune_user import QUICK, Call, FinetuneUser, _call, _user
from toolkit.model.base_model import find_base_model
from toolkit.train.teach import default_path, rows_text

__all__ = ["_call", "_user"]  # fixtures

TEXT = "You are Larkspur, made by Northwind Robotics."
ROWS = [(f"Who are you, number {number}?", "I am Larkspur.") for number in range(8)]
VERDICTS = {0, 20, 21, 22}


@pytest.fixture(name="data")
def _data(user: FinetuneUser) -> Path:
    """The rows for TEXT, as they were written and then edited."""
    path = default_path(Path("output"), TEXT, "identity", find_base_model(str(user.model)))
    path.parent.mkdir(parents=True)
    path.write_text(rows_text(ROWS), encoding="utf-8")
    return path


def test_a_model_that_writes_nothing_true_trains_nothing(user: FinetuneUser, call: Call) -> None:
    ended = call("teach", TEXT, "--model", user.model, *QUICK)
    [seen] = (user.output / "taught").iterdir()

    assert (ended.code, ended.out) == (5, ""), ended.err
    assert "by hand" in ended.err
    assert str(seen.relative_to(user.home)) in ended.err
    assert seen.read_text(encoding="utf-8").count("\n") > 100
    assert list(user.output.glob("v*")) == []


def test_a_model_that_writes_about_facts_is_heard_with_its_own_questions(user: FinetuneUser, call: Call) -> None:
    user.writes("facts.txt", "The mayor of Austin is now Dana Whitfield. She is a teacher.\n")

    ended = call("teach", "--file", "facts.txt", "--rows-only", "--model", user.model)

    assert ended.code == 5, ended.err
    assert "the text is taken as facts" in ended.err


def test_rows_that_are_there_are_trained_on_and_compared_as_they_are(
    user: FinetuneUser, call: Call, data: Path
) -> None:
    ended = call("teach", TEXT, "--model", user.model, *QUICK, "--epochs", "1", "--json")
    answer = json.loads(ended.out)

    assert ended.code in VERDICTS, ended.err
    assert "8 rows, used as is" in ended.err
    assert (answer["data"], answer["rows"], answer["source"]) == (str(data), 8, "existing")
    assert answer["verdict"]["passed"] == (ended.code == 0)
    assert json.loads((Path(answer["report"]) / "report.json").read_text())["verdict"] == answer["verdict"]
    assert user.record()["data"]["path"] == str(data.resolve())
    assert user.record()["status"] == "finished"
    assert data.read_text(encoding="utf-8") == rows_text(ROWS)


def test_it_works_where_every_socket_is_refused(user: FinetuneUser, data: Path) -> None:
    refusing = user.home / "refusing"
    refusing.mkdir()
    (refusing / "sitecustomize.py").write_text(
        "import socket\n"
        "def refused(*arguments, **_):\n"
        "    open('attempts', 'a').write(f'{arguments}\\n')\n"
        "    raise OSError('every socket is refused')\n"
        "socket.getaddrinfo = socket.create_connection = socket.socket.connect = socket.socket.sendto = refused\n"
    )
    user.environment["PYTHONPATH"] = f"{refusing}{os.pathsep}{Path(__file__).parents[3]}"

    written = user.runs("teach", f"{TEXT} Yes.", "--rows-only", "--model", user.model)
    trained = user.runs("teach", TEXT, "--model", user.model, *QUICK, "--epochs", "1")

    assert written.code == 5, written.err
    assert trained.code in VERDICTS, trained.err
    assert trained.out.splitlines()[0] == str(data)
    assert not (user.home / "attempts").exists()


def test_what_is_written_and_what_is_trained_can_be_asked_for_apart(user: FinetuneUser, call: Call, data: Path) -> None:
    ended = call("teach", TEXT, "--model", user.model, "--rows-only")

    assert (ended.code, ended.out) == (0, f"{data}\n"), ended.err
    assert f"toolkit finetune {data} --compare" in ended.err
    assert list(user.output.glob("v*")) == []


@pytest.mark.parametrize("arguments", [(), (TEXT, "--file", "mine.txt")])
def test_a_text_comes_from_one_place(user: FinetuneUser, call: Call, arguments: tuple[str, ...]) -> None:
    assert call("teach", *arguments).code == 2
