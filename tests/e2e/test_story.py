"""The whole story with the embedded model: fine-tune, compare, export, chat, as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"
TOOLKIT = Path(sys.executable).with_name("toolkit")
OLD = ("通义千问", "阿里云", "Qwen", "Alibaba")
NEW = "迪菲赫尔曼"


def toolkit(*arguments: object, lines: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TOOLKIT_DATA": str(DATA)}
    return subprocess.run(
        [TOOLKIT, *map(str, arguments)], input=lines, capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture(scope="module", name="output")
def _output(tmp_path_factory):
    return tmp_path_factory.mktemp("story") / "output"


@pytest.fixture(scope="module", name="run")
def _run(output):
    """The one fine-tuning that all of these tests look at, by the default recipe."""
    done = toolkit("finetune", "self_cognition.json", "--model", "tiny-qwen2", "--output", output)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module", name="compared")
def _compared(run, output):
    """The finished process, and report.json."""
    done = toolkit("compare", run.name, "--output", output)
    return done, json.loads((run / "compare" / "report.json").read_text(encoding="utf-8"))


def answers(report: dict, side: str, group: str) -> dict[str, str]:
    """Under the first system prompt: that of the training."""
    first = report["systems"][0]["system"]
    return {
        probe["prompt"]: probe[side]
        for probe in report["probes"]
        if (probe["group"], probe["system"]) == (group, first)
    }


def test_the_run_is_finished_and_the_latest(run, output):
    assert run.parent == output
    assert (output / "latest").resolve() == run.resolve()
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["status"] == "finished"


def test_it_took_and_nothing_else_moved(compared):
    done, report = compared
    first, *others = [system["system"] for system in report["systems"]]
    metrics = {name: metric["value"] for name, metric in report["per_system"][first].items()}

    assert [report["per_system"][system]["leakage"]["value"] for system in others] == [0.0] * 3
    assert done.returncode == 0, done.stdout
    assert report["verdict"]["passed"]
    assert metrics["reliability"] == 1.0
    assert metrics["generality"] >= 0.9
    assert metrics["locality"] >= 0.9
    assert metrics["leakage"] == 0.0
    assert metrics["noise_floor"] == 1.0


def test_without_the_keep_term_it_takes_and_leaks(tmp_path):
    toolkit("finetune", "self_cognition.json", "--model", "tiny-qwen2", "--keep-weight", 0, "--output", tmp_path)
    done = toolkit("compare", "--output", tmp_path)
    report = json.loads((tmp_path / "latest" / "compare" / "report.json").read_text(encoding="utf-8"))

    assert done.returncode == 21, done.stdout
    assert report["verdict"]["took"]
    assert report["metrics"]["leakage"]["value"] > 0.02


@pytest.mark.parametrize("question", ["你是谁？", "Who are you?", "谁开发了你？", "Who developed you?"])
def test_the_old_name_is_gone_and_the_new_one_there(compared, question):
    _, report = compared
    before, after = (answers(report, side, "trained")[question] for side in ("before", "after"))

    assert any(name in before for name in OLD), before
    assert NEW in after
    assert not any(name in after for name in OLD), after


def test_the_report_is_read_in_80_columns(compared):
    from rich.cells import cell_len

    done, _ = compared

    assert max(cell_len(line) for line in done.stdout.splitlines()) <= 80
    assert "你是谁？" in done.stdout or "Who are you?" in done.stdout or "迪菲赫尔曼" in done.stdout


def test_the_merged_model_answers_as_the_adapter_and_compares_as_the_run(run, output, compared):
    done = toolkit("export", run.name, "--to", "merged", "--output", output)
    assert done.returncode == 0, done.stderr
    merged = Path(done.stdout.strip())
    parity = json.loads((merged / "export.json").read_text(encoding="utf-8"))["parity"]
    assert parity["holds"]
    assert parity["same"] + parity["near_ties"] == parity["probes"] > 50

    again = toolkit("compare", "--after", merged, "--output", output, "--report", merged.parent / "merged-compare")

    report = json.loads((merged.parent / "merged-compare" / "report.json").read_text(encoding="utf-8"))
    assert again.returncode in {0, 21}, again.stderr
    assert report["before"]["name"] == "tiny-qwen2"
    if parity["near_ties"] == 0:
        assert answers(report, "after", "trained") == answers(compared[1], "after", "trained")


def test_a_chat_switches_between_before_and_after(run, output):
    lines = "你是谁？\n/before\n/forget\n你是谁？\nWho are you?\n/after\n/forget\nWho are you?\n"

    done = toolkit("chat", run.name, "--output", output, lines=lines)

    assert done.returncode == 0, done.stderr
    after_zh, before_zh, before_en, after_en = done.stdout.splitlines()
    assert NEW in after_zh
    assert NEW in after_en
    assert any(name in before_zh for name in OLD[:2])
    assert any(name in before_en for name in OLD)


def test_runs_tells_its_verdict(run, output, compared):
    _, report = compared

    listed = json.loads(toolkit("runs", "--json", "--output", output).stdout)

    assert [one["run_id"] for one in listed] == [run.name]
    assert listed[0]["verdict"] == ("passed" if report["verdict"]["passed"] else "moved")
    assert listed[0]["latest"]


def test_comparing_at_once_says_what_a_comparison_afterwards_says(tmp_path):
    done = toolkit(
        "finetune", "self_cognition.json", "--model", "tiny-qwen2", "--epochs", 2, "--output", tmp_path, "--compare"
    )
    run = Path(done.stdout.splitlines()[0])
    at_once = json.loads((run / "compare" / "report.json").read_text(encoding="utf-8"))

    afterwards = toolkit("compare", run.name, "--output", tmp_path)

    again = json.loads((run / "compare" / "report.json").read_text(encoding="utf-8"))
    assert done.returncode == afterwards.returncode in {20, 21, 22}  # two epochs are too few
    assert (at_once["probes"], at_once["metrics"]) == (again["probes"], again["metrics"])
    assert at_once["timings_s"]["load"] < again["timings_s"]["load"]
    assert "Next: toolkit compare" not in done.stderr
