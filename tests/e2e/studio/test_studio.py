"""From a sentence to a verdict in the studio, on the embedded model; nothing is lost. Ctrl-C is Chromium's test."""

import json
import os
import signal

import pytest

from tests.fakes.studio import Browser, Studio, studio
from toolkit.core.events import read_items
from toolkit.studio.jobs import EVENTS

SENTENCE = "The mayor of Denver is Ada Moss."


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("studio")) as started:
        yield started


@pytest.fixture(scope="module", name="browser")
def _browser(running: Studio) -> Browser:
    return running.browser()


@pytest.fixture(scope="module", name="data")
def _data(browser: Browser) -> str:
    """The file that was written from the sentence."""
    job = browser.post("/say", text=SENTENCE, rows_only="yes")
    page = browser.wait_for_end(job)
    [link] = [part.split('"')[0] for part in page.split('href="/data?file=')[1:]]
    return link


@pytest.fixture(scope="module", name="trained")
def _trained(browser: Browser, data: str) -> str:
    """The job of a training."""
    fields = {"epochs": "2", "keep_weight": "0", "recipe": "tiny", "questions": "model"}
    job = browser.post("/train", file=data, **fields)
    browser.wait_for_end(job)
    return job


@pytest.fixture(scope="module", name="run")
def _run(browser: Browser, trained: str) -> str:
    page = browser.get(trained)
    return page.split('href="/runs/')[1].split('"')[0]


def test_a_sentence_becomes_rows_that_can_be_read(browser: Browser, data: str):
    page = browser.get(f"/data?file={data}")

    assert "Ada Moss" in page
    assert f"toolkit check {data} --recipe tiny --model tiny-qwen2" in page


def test_an_edited_row_is_in_the_file_and_undo_takes_it_back(running: Studio, browser: Browser, data: str):
    file = running.home / data
    before = file.read_bytes()
    row = browser.row(data, 1)

    browser.post("/rows/edit", **row | {"text": [row["text"][0], "Ada Moss is the mayor."], "do": "save"})

    edited = json.loads(file.read_text(encoding="utf-8").splitlines()[0])
    assert list(edited.values()) == [row["text"][0], "Ada Moss is the mayor."]
    browser.post("/rows/undo", file=data)
    assert file.read_bytes() == before


def test_the_plan_comes_before_the_training(browser: Browser, data: str):
    page = browser.wait_for(f"/plan?file={data}&recipe=tiny&epochs=2", "Optimizer steps")

    assert f"toolkit finetune {data} --compare --recipe tiny --epochs 2 --model tiny-qwen2" in page
    assert "Start the training" in page


def test_a_training_ends_with_a_verdict(running: Studio, browser: Browser, run: str):
    page = browser.get(f"/runs/{run}")
    report = browser.client.get(f"/runs/{run}/report")

    assert json.loads((running.output / run / "compare" / "report.json").read_text(encoding="utf-8"))["verdict"]
    assert f'src="/runs/{run}/report?' in page
    assert "What the fine-tune changed" in report.text
    assert "sandbox" in report.headers["content-security-policy"]


def test_the_answers_were_shown_while_they_came_in(running: Studio, trained: str, run: str):
    """The page of a running job is another test's; here are the real answers that it had."""
    items = read_items(running.output / ".studio" / "jobs" / trained.rpartition("/")[2] / EVENTS)
    report = json.loads((running.output / run / "compare" / "report.json").read_text(encoding="utf-8"))

    for side in ("before", "after"):
        shown = {item["number"]: item for item in items if item["task"] == side.capitalize()}
        answers = [shown[at] for at in range(len(report["probes"]))]
        assert [(one["prompt"], one["answer"]) for one in answers] == [
            (probe["prompt"], probe[side]) for probe in report["probes"]
        ]
    judged = [(one["mark"], probe["passed"]) for one, probe in zip(answers, report["probes"], strict=True)]
    assert all(passed == (mark == "passed") for mark, passed in judged if mark in {"passed", "failed"})


def test_the_run_is_recorded_with_the_command_that_the_page_shows(running: Studio, browser: Browser, trained, run: str):
    command = json.loads((running.output / run / "run.json").read_text(encoding="utf-8"))["command"]

    assert command.startswith("toolkit finetune ")
    assert command.removeprefix("toolkit ") in browser.get(trained)


def test_both_sides_are_asked_and_a_question_becomes_a_probe(running: Studio, browser: Browser, run: str, data: str):
    question = "Who is the mayor of Denver these days?"
    browser.post("/ask", run=run, question=question)
    page = browser.wait_for(f"/runs/{run}", "Make this a probe")

    assert question in page
    browser.post("/probe", run=run, question=question, group="paraphrase", expect="Ada Moss")
    probes = (running.home / data).with_suffix(".probes.yaml").read_text(encoding="utf-8")
    assert question in probes
    assert browser.reply("/probe", run=run, question=question, group="paraphrase", expect="x").status_code == 400


def test_a_second_browser_sees_the_same(running: Studio, run: str):
    other = running.browser(**{"Accept-Language": "zh-CN"})

    page = other.get("/runs")

    assert run in page
    assert 'lang="zh-CN"' in page


def test_a_killed_job_harms_no_studio_and_a_killed_studio_no_job(running: Studio, browser: Browser, data: str):
    job = browser.post("/train", file=data, epochs="1000", keep_weight="0", recipe="tiny")
    browser.wait_for(job, "<polyline")
    os.kill(running.job(job)["pid"], signal.SIGKILL)
    assert "failed" in browser.wait_for_end(job)

    again = browser.post("/train", file=data, epochs="1000", keep_weight="0", recipe="tiny")
    browser.wait_for(again, "<polyline")
    running.process.kill()
    running.process.wait()

    with studio(running.home) as second:
        browser = second.browser()
        assert 'id="stop"' in browser.get(again)
        browser.post("/stop", job=again.rpartition("/")[2])
        assert "Go on from the last checkpoint" in browser.wait_for_end(again)
