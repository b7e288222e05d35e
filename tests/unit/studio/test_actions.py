"""What the buttons do to files and runs; the commands that some start are another test's."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.fakes.asked_questions import QUESTIONS, write_questions
from tests.fakes.run_record import run_record
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import file_sha256
from toolkit.runs.run import write_record
from toolkit.studio.actions import ACTIONS
from toolkit.studio.desk import Desk
from toolkit.studio.forms import Form
from toolkit.studio.pages.data_pages import data_page
from toolkit.studio.pages.page import Reader
from toolkit.studio.pages.run_pages import run_page, runs_page
from toolkit.studio.workspace import Workspace

RUNS = ("v0-20260101-000000", "v1-20260101-000001")
READER = Reader(lang="en", form_token="x")


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Desk:
    desk = Desk.of(Workspace(folder=tmp_path, output=Path("output")), "tiny-qwen2")
    desk.checks.close()  # no process of its own
    rows = [{"instruction": f"Question {at}?", "output": f"Answer {at}."} for at in range(3)]
    (tmp_path / "mine.json").write_text(json.dumps(rows), encoding="utf-8")
    for run_id in RUNS:
        (tmp_path / "output" / run_id).mkdir()
        write_record(tmp_path / "output" / run_id, run_record(run_id=run_id, data=data_of(tmp_path / "mine.json")))
    return desk


def data_of(file: Path) -> dict:
    return {"path": str(file), "sha256": file_sha256(file), "rows": 3, "dropped": 0}


def press(desk: Desk, path: str, *, brought: tuple[str, bytes] | None = None, **fields) -> str:
    values = {name: tuple(value) if isinstance(value, list) else (str(value),) for name, value in fields.items()}
    return ACTIONS[path](desk, "en", Form(fields=values, file=brought))


def test_a_brought_file_leads_to_its_page(desk: Desk):
    assert press(desk, "/bring", brought=("new.jsonl", b"{}")) == "/data?file=output/data/new.jsonl"
    with pytest.raises(DataError, match="No file"):
        press(desk, "/bring")


def test_a_shipped_data_set_is_copied_before_it_is_edited(desk: Desk):
    with pytest.raises(DataError, match="shipped"):
        press(desk, "/rows/add", file="self_cognition.json", question="Who?", answer="Me.")

    assert press(desk, "/copy", file="self_cognition.json") == "/data?file=output/data/self_cognition.json"
    assert len(desk.own_rows("output/data/self_cognition.json").rows()) == 50


def test_a_table_is_copied_as_lines_that_can_be_edited(desk: Desk):
    (desk.workspace.folder / "table.csv").write_text("query,response\nWho?,Nova.\nWhere?,\n", encoding="utf-8")

    assert press(desk, "/copy", file="table.csv") == "/data?file=output/data/table.jsonl"
    [row] = desk.own_rows("output/data/table.jsonl").rows()
    assert [text.text for text in row.texts] == ["Who?", "Nova."]


def test_rows_are_edited_added_deleted_and_undone(desk: Desk):
    file = desk.workspace.folder / "mine.json"
    before = file.read_bytes()
    first = desk.own_rows("mine.json").rows()[0]

    row = {"file": "mine.json", "page": 1, "row": 1, "seen": first.seen}
    assert press(desk, "/rows/edit", text=["Question?", "Other."], **row) == "/data?file=mine.json&page=1#row-1"
    assert press(desk, "/rows/add", file="mine.json", question="New?", answer="Yes.").endswith("#row-4")
    last = desk.own_rows("mine.json").rows()[-1]
    press(desk, "/rows/edit", file="mine.json", page=1, row=4, seen=last.seen, do="delete")

    assert json.loads(file.read_text(encoding="utf-8"))[0] == {"instruction": "Question?", "output": "Other."}
    for _ in range(3):
        press(desk, "/rows/undo", file="mine.json")
    assert file.read_bytes() == before


def test_questions_that_a_model_wrote_are_struck_out_for_the_next_training(desk: Desk):
    folder = desk.workspace.results / RUNS[1]
    questions = write_questions(folder)
    data = data_of(desk.workspace.folder / "mine.json")
    write_record(folder, run_record(run_id=RUNS[1], questions=questions, data=data))
    assert QUESTIONS[0].prompt in data_page(desk, READER, "mine.json", 1)

    press(desk, "/questions", file="mine.json", run=RUNS[1], keep=["0", "2"])

    kept = (desk.workspace.folder / "mine.questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["prompt"] for line in kept] == [QUESTIONS[0].prompt, QUESTIONS[2].prompt]
    assert json.loads(kept[0]) == asdict(QUESTIONS[0])
    assert "My choice below" in data_page(desk, READER, "mine.json", 1)
    with pytest.raises(DataError, match="not of this data set any more"):
        press(desk, "/questions", file="mine.json", run=RUNS[0], keep=["0"])


def test_latest_is_moved_and_moved_back(desk: Desk):
    link = desk.workspace.results / "latest"
    press(desk, "/use", run=RUNS[0])
    press(desk, "/use", run=RUNS[1])

    assert link.resolve().name == RUNS[1]
    assert press(desk, "/undo") == "/runs"
    assert link.resolve().name == RUNS[0]


def test_a_note_is_in_the_list_and_can_be_found(desk: Desk):
    press(desk, "/note", run=RUNS[0], note=" Fewer <b>epochs</b>. ")
    press(desk, "/note", run=RUNS[1], note="Gone.")
    press(desk, "/note", run=RUNS[1], note=" ")

    assert desk.notes == {RUNS[0]: "Fewer <b>epochs</b>."}
    found = runs_page(desk, READER, "fewer", "")
    assert "Fewer &lt;b&gt;epochs&lt;/b&gt;." in found
    assert RUNS[1] not in found
    assert RUNS[0] not in runs_page(desk, READER, "", "passed")


@pytest.mark.parametrize(
    "path", ["/use", "/resume", "/compare", "/export", "/attest", "/push", "/note", "/ask", "/probe"]
)
@pytest.mark.parametrize("run", ["..", "../..", "latest", "", "v9-20260101-000000", "/etc"])
def test_what_is_not_a_run_is_refused(desk: Desk, path: str, run: str):
    with pytest.raises(ConfigError):
        press(
            desk, path, run=run, format="merged", note="x", question="x", group="paraphrase", expect="x", hub="hf",
            repository="me/mine", key="",
        )  # fmt: skip


def test_a_run_that_is_not_finished_offers_no_use(desk: Desk):
    write_record(desk.workspace.results / RUNS[0], run_record(run_id=RUNS[0], status="failed", error="<i>Broken</i>"))

    page = run_page(desk, READER, RUNS[0])

    assert "&lt;i&gt;Broken&lt;/i&gt;" in page
    assert 'action="/use"' not in page
    assert 'action="/ask"' not in page


@pytest.mark.parametrize("text", ["", "x", "-1", "1e3", "١", "9" * 30])
def test_a_number_that_is_none_is_refused(desk: Desk, text: str):
    with pytest.raises(DataError, match="not a number"):
        press(desk, "/stop", job=text)
