"""An agent goes from a sentence to a verdict in three calls, asks both sides, and cancels a training, which goes on."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.fakes.agent import ROWS, answer, on_stdio, talk

SENTENCE = "The mayor of Denver is Ada Moss."
QUICK = {"recipe": "tiny", "epochs": 1, "keep_weight": 0, "questions": "none", "wait_s": 600}


@pytest.fixture(scope="module", name="home")
def _home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("agent")


@pytest.fixture(scope="module", name="told")
def _told(home: Path):
    """What the agent is told on its way: the data, the check, the verdict, both answers, and all progress."""
    progress: list[str] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        progress.append(message or "")

    async def conversation(client):
        data = answer(await client.call_tool("make_data", {"text": SENTENCE, "wait_s": 600}))["data"]
        checked = answer(await client.call_tool("check", {"data": data}))
        trained = answer(await client.call_tool("finetune", {"data": data, **QUICK}, progress_callback=hear))
        asked = answer(await client.call_tool("ask", {"question": "Who is the mayor of Denver?"}))
        report = await client.read_resource(trained["verdict"]["report"])
        return checked, trained, asked, report.contents[0].text

    return *talk(on_stdio(home), conversation), progress


def test_a_sentence_becomes_rows_and_a_verdict(home: Path, told):
    checked, trained, _, report, _ = told
    verdict = trained["verdict"]
    recorded = json.loads((home / "output" / trained["run"] / "compare/report.json").read_text(encoding="utf-8"))

    assert checked["sound"]
    assert "Ada Moss" in checked["rows"][0]
    assert verdict["exit_code"] == recorded["verdict"]["exit_code"]
    assert verdict["reasons"] == recorded["verdict"]["reasons"]
    assert len(verdict["answers"]) <= 7
    assert report.startswith("# Not learned")


def test_its_progress_has_the_training_and_the_questions(told):
    *_, progress = told

    assert any(line.startswith("Training ") for line in progress)
    assert any(line.startswith("Before ") for line in progress)  # After comes at once: it answers meanwhile


def test_both_sides_answer_the_same_question(told):
    _, trained, asked, _, _ = told

    assert asked["run"] == trained["run"]
    assert asked["before"] != ""
    assert asked["same"] == (asked["before"] == asked["after"])


def test_a_cancelled_training_saves_and_goes_on(tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    trains = asyncio.Event()

    async def hear(_: float, __: float | None, message: str | None) -> None:
        if message and message.startswith("Training ") and not message.startswith("Training 0"):
            trains.set()

    async def conversation(client):
        arguments = {"data": "rows.jsonl", **QUICK, "epochs": 1000}
        training = asyncio.create_task(client.call_tool("finetune", arguments, progress_callback=hear))
        begins = asyncio.create_task(trains.wait())
        await asyncio.wait({training, begins}, return_when=asyncio.FIRST_COMPLETED)
        assert not training.done(), training.result()
        training.cancel()
        with pytest.raises(asyncio.CancelledError):
            await training
        stopped = answer(await client.call_tool("progress", {"job": 1, "wait_s": 600}))
        again = answer(await client.call_tool("finetune", {"resume": stopped["run"], "wait_s": 0}))
        return stopped, again, answer(await client.call_tool("progress", {"job": again["job"], "stop": True}))

    stopped, again, end = talk(on_stdio(tmp_path), conversation)

    assert stopped["state"] == "stopped"
    assert stopped["next"] == f'It goes on from its last checkpoint: finetune(resume="{stopped["run"]}").'
    assert (again["state"], end["state"]) == ("running", "stopped")
