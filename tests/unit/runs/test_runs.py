"""The runs on the disk: their list, one in full, and what differs between two."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from tests.fakes.answered import answered, report_on
from tests.fakes.asked_questions import write_questions
from tests.fakes.run_record import run_record
from toolkit.cli.runs import age, command
from toolkit.core.errors import ConfigError
from toolkit.core.files import write_json, write_text
from toolkit.data.probes import TRAINED
from toolkit.runs.comparison import read_comparison
from toolkit.runs.run import create_run_folder, find_run, list_runs, locked, point_latest_at, read_run, write_record
from toolkit.runs.runs import differences, summaries, verdict_word


def run_at(output: Path, number: int, *, status: str = "finished", **changes: object) -> Path:
    folder = output / f"v{number}-20260101-00000{number}"
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "run_id": folder.name,
        "status": status,
        "started_at": (datetime.now(UTC) - timedelta(hours=number + 1)).isoformat(),
        "command": f"toolkit finetune {number}",
        "data": {"path": "/data/self_cognition.json", "sha256": "a", "rows": 50, "dropped": 0},
        "recipe": {"name": "article", "epochs": 10, "target_modules": ["all-linear"]},
        "timings_s": {"total": 10.0 + number},
        "peak_memory_bytes": number,
        "train": {"steps": 2, "tokens": 100, "loss": [3.5, 0.25]},
        "adapter": {"path": "checkpoint-2", "sha256": "a" * 64, "bytes": 1},
    }
    write_record(folder, run_record(**fields | changes))
    return folder


def compared(folder: Path, after: str = "Nova") -> None:
    (folder / "compare").mkdir()
    write_json(folder / "compare" / "report.json", report_on(answered(TRAINED, "Qwen", after)).to_dict())


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_no_runs_tells_what_to_do(tmp_path):
    assert "Next: toolkit finetune self_cognition.json --output" in invoke("--output", tmp_path / "none")
    assert json.loads(invoke("--output", tmp_path, "--json")) == []


def test_the_list_tells_died_from_running_failed_and_finished(tmp_path):
    run_at(tmp_path, 0, status="running")
    alive = run_at(tmp_path, 1, status="running")
    run_at(tmp_path, 2, status="failed", train={"steps": 0, "tokens": 0, "loss": []}, adapter=None)
    run_at(tmp_path, 3, status="interrupted")
    point_latest_at(run_at(tmp_path, 4))

    with locked(alive):
        found = summaries(tmp_path)

    assert [one.status for one in found] == ["died", "running", "failed", "interrupted", "finished"]
    assert [one.latest for one in found] == [False, False, False, False, True]
    assert [one.loss for one in found] == [0.25, 0.25, None, 0.25, 0.25]
    assert [read_run(tmp_path / one.run_id).status for one in found][1] == "died"  # its process is gone now


def test_a_latest_that_leads_to_itself_hides_no_run(tmp_path):
    run_at(tmp_path, 0)
    (tmp_path / "latest").symlink_to("latest")

    assert [one.latest for one in summaries(tmp_path)] == [False]


def test_runs_are_in_the_order_of_their_numbers(tmp_path):
    for number in (2, 0, 1):
        run_at(tmp_path, number)
    (tmp_path / "v10-20250101-000000").mkdir()
    record = read_run(run_at(tmp_path / "other", 1)).record
    write_record(tmp_path / "v10-20250101-000000", record)

    assert [run.run_id.partition("-")[0] for run in list_runs(tmp_path)] == ["v0", "v1", "v2", "v10"]


def test_a_folder_without_a_record_is_not_listed(tmp_path):
    run_at(tmp_path, 0)
    (tmp_path / "v1-20260101-000000").mkdir()
    write_text(tmp_path / "notes.txt", "v2")

    assert [one.run_id for one in summaries(tmp_path)] == ["v0-20260101-000000"]


DAMAGED = {
    "cut off": '{"schema_version": 1, "sta',
    "empty": "",
    "a list": "[]",
    "nothing but its version": '{"schema_version": 1}',
    "another version": '{"schema_version": 2}',
    "not UTF-8": b"\xff\xfe",
    "NUL": bytes(100),
    "nested": "[" * 100_000,
    "nested within": '{"schema_version": 1, "more": ' + "[" * 500 + "]" * 500 + "}",
    "huge": " " * (65 * 2**20),
    "half a surrogate pair": '{"schema_version": 1, "run_id": "\\ud800"}',
}
ODD = {
    "status": "asleep", "started_at": "yesterday", "data": {"path": "a.json"}, "train": {"loss": "low"},
    "base_model": "micro", "recipe": None, "timings_s": [1], "adapter": {"path": 3},
    "schema_version": [1], "seed": 10**400, "run_id": None, "hardware": {"memory_bytes": "much"}, "finished_at": 3,
    "peak_memory_bytes": 1.5, "error": {}, "keep": 1, "versions": {"torch": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [*DAMAGED.values(), *(json.dumps(run_record().to_dict() | {name: value}) for name, value in ODD.items())],
    ids=[*DAMAGED, *ODD],
)
def test_a_damaged_record_is_listed_as_such_and_hides_no_other_run(tmp_path, content):
    for number in (0, 2):
        run_at(tmp_path, number)
    folder = tmp_path / "v1-20260101-000001"
    folder.mkdir()
    (folder / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())

    assert [one.status for one in summaries(tmp_path)] == ["finished", "damaged", "finished"]
    result = CliRunner().invoke(command, ["--output", str(tmp_path)], catch_exceptions=False)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 4)
    assert "v1-20260101-000001/run.json" in result.stderr
    assert [one["status"] for one in json.loads(invoke("--output", tmp_path, "--json"))][1] == "damaged"
    with pytest.raises(ConfigError, match=r"v1-20260101-000001/run\.json"):
        find_run("v1", tmp_path)
    assert find_run("v2", tmp_path).status == "finished"


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder", "missing"])
def test_a_record_that_is_not_a_file_is_listed_as_damaged(tmp_path, kind):
    run_at(tmp_path, 0)
    folder = tmp_path / "v1-20260101-000001"
    (folder / "checkpoint-2").mkdir(parents=True)
    path = folder / "run.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.symlink_to("/missing" if kind == "dangling link" else tmp_path / "v0-20260101-000000" / "run.json")

    assert [one.status for one in summaries(tmp_path)] == ["finished", "damaged"]
    assert [run.run_id[:2] for run in list_runs(tmp_path)] == ["v0"]
    assert find_run(None, tmp_path).run_id.startswith("v0")


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_no_report_of_a_run_breaks_the_list(tmp_path, content):
    folder = run_at(tmp_path, 0)
    (folder / "compare").mkdir()
    (folder / "compare" / "report.json").write_bytes(content if isinstance(content, bytes) else content.encode())

    assert [(one.status, one.verdict) for one in summaries(tmp_path)] == [("finished", None)]


def test_what_is_wrong_in_a_damaged_record_is_named(tmp_path):
    folder = run_at(tmp_path, 0)
    write_json(folder / "run.json", read_run(folder).record.to_dict() | {"data": {"path": "a.json", "rows": "50"}})

    assert str(summaries(tmp_path)[0].problem).endswith("run.json is damaged: data.sha256: field required.")


def test_the_table_fits_80_columns(tmp_path, monkeypatch):
    folder = run_at(tmp_path, 0)
    point_latest_at(folder)
    compared(folder)
    run_at(tmp_path, 1, status="interrupted")
    monkeypatch.setattr("toolkit.cli.runs.DEFAULT_WIDTH", 80)

    text = invoke("--output", tmp_path)

    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert len(text.splitlines()) == 3  # a run a line
    assert "v0-20260101-000000 *" in text
    assert "inconclusive" in text
    assert "interrupted" in text


def test_the_versions_of_a_data_set_are_told_apart_once_there_are_several(tmp_path):
    run_at(tmp_path, 0)
    assert "self_cognition.json (50) 0.250" in invoke("--output", tmp_path)
    run_at(tmp_path, 1, data={"path": "/data/self_cognition.json", "sha256": "b" * 64, "rows": 50})

    text = invoke("--output", tmp_path)
    assert "self_cognition.json (50) a " in text
    assert "self_cognition.json (50) bbbbbb " in text
    listed = json.loads(invoke("--output", tmp_path, "--json"))
    assert [one["data_sha256"] for one in listed] == ["a", "b" * 64]
    assert all(datetime.fromisoformat(one["started_at"]) < datetime.now(UTC) for one in listed)


def test_who_trained_is_told_where_several_people_did(tmp_path, monkeypatch):
    run_at(tmp_path, 0)
    run_at(tmp_path, 1)
    assert "who" not in invoke("--output", tmp_path)
    monkeypatch.setattr("toolkit.runs.runs._owner", lambda folder: "ada" if "v0" in folder.name else "grace")

    header, first, second = invoke("--output", tmp_path).splitlines()
    assert header.split()[-1] == "who"
    assert (first.split()[-1], second.split()[-1]) == ("ada", "grace")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_an_owner_without_a_name_here_is_a_number(tmp_path):
    os.chown(run_at(tmp_path, 0), 54321, 54321)

    assert summaries(tmp_path)[0].owner == "54321"


@pytest.mark.parametrize("width", [60, 80])
def test_the_list_has_a_line_a_run_and_a_run_a_page(tmp_path, monkeypatch, width):
    folder = run_at(tmp_path, 9, data={"path": "/data/" + "a long name " * 9 + ".json", "sha256": "a", "rows": 50})
    point_latest_at(folder)
    compared(folder, after="Qwen")
    monkeypatch.setattr("toolkit.cli.runs.DEFAULT_WIDTH", width)

    listed, page = invoke("--output", tmp_path), invoke("--output", tmp_path, "show", "v9")

    assert len(listed.splitlines()) == 2
    assert all(cell_len(line) <= width for line in (listed + page).splitlines())
    assert "not learned" in listed
    assert len(page.splitlines()) < 40


def test_the_output_folder_may_stand_before_or_after_the_subcommand(tmp_path):
    run_at(tmp_path, 0)
    run_at(tmp_path, 1)

    assert invoke("--output", tmp_path, "use", "v0") == invoke("use", "v0", "--output", tmp_path)


def test_each_verdict_has_a_word():
    words = {(True, True): "passed", (False, True): "not taken", (True, False): "moved", (False, False): "neither"}

    for (took, kept), word in words.items():
        assert verdict_word({"passed": took and kept, "took": took, "kept": kept}) == word


@pytest.mark.parametrize("text", ["", "[]", '{"schema_version": 1}', '{"schema_version": 3}'])
def test_a_broken_report_is_none(tmp_path, text):
    folder = run_at(tmp_path, 0)
    (folder / "compare").mkdir()
    write_text(folder / "compare" / "report.json", text)

    assert read_comparison(folder) is None
    assert summaries(tmp_path)[0].verdict is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {},
            "2 that the model wrote around 16 rows, and 1 near them, kept (paraphrase 1, ",
        ),
        ({"source": "file", "path": "my.jsonl", "kinds": {}}, "2 from my.jsonl, and 1 near them, kept: "),
    ],
)
def test_show_tells_the_questions_and_where_they_are(tmp_path, changes, says):
    folder = run_at(tmp_path, 0, questions=write_questions(tmp_path / "v0-20260101-000000", **changes))
    run_at(tmp_path, 1)

    text = invoke("show", "v0", "--output", tmp_path)
    page = " ".join(text.split())

    assert "\nquestions" in text
    assert says in page
    assert f"{folder}/questions.jsonl".replace("/", "") in page.replace("/", "").replace(" ", "")
    assert "\nquestions" not in invoke("show", "v1", "--output", tmp_path)
    assert json.loads(invoke("show", "v0", "--output", tmp_path, "--json"))["questions"]["in"] == 2


def test_show_tells_settings_loss_and_metrics(tmp_path):
    folder = run_at(tmp_path, 0)
    compared(folder, after="Qwen")
    point_latest_at(folder)

    text = invoke("show", "--output", tmp_path)

    for part in (
        "article: epochs 10",
        "3.500 -> 0.250 (2 steps)",
        "reliability 0",
        "not learned",
        "/data/self",
        "--json",
    ):
        assert part in text
    assert len(text.splitlines()) < 24
    assert json.loads(invoke("show", "v0", "--output", tmp_path, "--json"))["verdict"]["took"] is False


def test_diff_names_what_differs_and_nothing_else(tmp_path):
    run_at(tmp_path, 0)
    run_at(
        tmp_path, 1, status="failed", seed=7, recipe={"name": "article", "epochs": 5, "target_modules": ["q_proj"]},
        data={"path": "/data/self_cognition.json", "sha256": "b", "rows": 49, "dropped": 0},
        versions={"torch": "2.14.0"}, train={"steps": 2, "tokens": 100, "loss": [3.5, 0.5]},
    )  # fmt: skip

    text = invoke("diff", "v0", "v1", "--output", tmp_path)
    found = {
        one["name"]: (one["first"], one["second"])
        for one in json.loads(invoke("diff", "v0", "v1", "--output", tmp_path, "--json"))
    }

    assert found == {
        "status": ("finished", "failed"),
        "seed": (42, 7),
        "data.sha256": ("a", "b"),
        "data.rows": (50, 49),
        "recipe.epochs": (10, 5),
        "recipe.target_modules": (["all-linear"], ["q_proj"]),
        "versions.torch": ("2.13.0", "2.14.0"),
        "last_loss": (0.25, 0.5),
    }
    assert "recipe.epochs" in text
    assert "all-linear" in text


def test_diff_of_equals_says_so(tmp_path):
    run_at(tmp_path, 0)
    run_at(tmp_path, 1)

    assert invoke("diff", "v0", "v1", "--output", tmp_path).strip() == "Nothing that matters differs."


def test_diff_tells_verdicts_and_metrics(tmp_path):
    first, second = run_at(tmp_path, 0), run_at(tmp_path, 1)
    compared(first)
    compared(second, after="Qwen")

    found = {one.name: (one.first, one.second) for one in differences(read_run(first), read_run(second))}

    assert found["verdict"] == ("inconclusive", "not taken")
    assert found["metrics.reliability"] == (1.0, 0.0)


def test_a_run_that_was_not_compared_differs_by_its_missing_verdict(tmp_path):
    first, second = run_at(tmp_path, 0), run_at(tmp_path, 1)
    compared(first)

    found = {one.name: (one.first, one.second) for one in differences(read_run(first), read_run(second))}

    assert found["verdict"] == ("inconclusive", None)
    assert found["metrics.reliability"] == (1.0, None)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (59.4, "59 s"), (60, "1 min"), (7199, "1 h"), (86400 * 5, "5 d")]
)
def test_ages(seconds, shown):
    assert age(seconds) == shown


def test_without_a_finished_run_the_unfinished_are_named(tmp_path):
    run_at(tmp_path, 0, status="failed")

    with pytest.raises(ConfigError, match="v0-20260101-000000 failed"):
        find_run(None, tmp_path)


def test_new_runs_get_numbers_of_their_own(tmp_path):
    names = [create_run_folder(tmp_path).name.partition("-")[0] for _ in range(3)]

    assert names == ["v0", "v1", "v2"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
