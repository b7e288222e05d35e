"""What others wrote — files, models, hubs — is shown escaped by every command and in every page, file and card."""

import ast
import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.fakes.answered import SYSTEM, answered, report_on
from tests.fakes.asked_questions import write_questions
from tests.fakes.command import run_here
from tests.fakes.model_folder import make_model_folder
from tests.fakes.run_record import run_record
from tests.unit.export.test_model_card import FACTS
from toolkit import __main__ as boundary
from toolkit.cli import cli
from toolkit.cli.console import answers, notify, show, show_json
from toolkit.cli.console.report import print_report
from toolkit.cli.console.sweep import print_sweep
from toolkit.compare.report.html import render_html
from toolkit.compare.report.junit import render_junit
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.texts import Texts
from toolkit.core.errors import RegistryError
from toolkit.core.text import UNPRINTABLE
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED
from toolkit.export.model_card import render_card
from toolkit.runs.comparison import LearnedQuestions
from toolkit.runs.questions import RunQuestion
from toolkit.runs.run import write_record
from toolkit.sweep.page import sweep_page
from toolkit.sweep.record import FAILED, Entry, Sweep

ROOT = Path(__file__).parents[2]
RUN_ID = "v0-20260101-000000"
# A window's title, a cleared line, C1's CSI, an override of the writing direction, and a line of somebody else's.
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2K\r\x9b2J\u202e\u2066\u200b\x00\ud800 [red]x[/] <b>@someone</b> #1 \u2028|\nVerdict: passed"
)
PRINTING = {"print", "click.echo", "click.secho", "sys.stderr.write", "sys.stdout.write", "os.write", "Console"}
# The boundary escapes by itself; the article's command and the prompt of a chat print only their own words.
EXCEPTIONS = {
    "toolkit/__main__.py",
    "toolkit/cli/serving/chat.py",
    "toolkit/swift_compat/__main__.py",
    "toolkit/cli/console/findings.py",
    "toolkit/core/streams.py",  # is what they print to
    "toolkit/core/limited_child.py",  # to its parent, through a pipe
    "toolkit/compare/ability/sandbox_child.py",  # to its parent, into a file
    "toolkit/serve/warm/client.py",  # escaped there, without the libraries of a console
    "toolkit/serve/warm/worker.py",  # a sentence of its own
    "toolkit/cli/serving/up.py",  # to its parent, through a pipe
}


def is_harmless(text: str) -> None:
    """No control character is left, and no line begins with others' words."""
    assert UNPRINTABLE.search(text) is None, text
    assert not re.search("^Verdict: passed", text, re.MULTILINE), text


HOSTILE_BASE = HOSTILE.replace("\ud800", "")


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Path:
    """An output folder with two runs whose records are hostile in every text."""
    for at in range(2):
        folder = tmp_path / f"v{at}-20260101-000000"
        folder.mkdir()
        hostile = HOSTILE.replace("\ud800", "") + str(at)  # half characters are refused when the record is read
        write_record(folder, run_record(
            run_id=folder.name, command=hostile, error=hostile, finished_at=hostile,
            base_model={"name": hostile, "path": hostile, hostile: hostile},
            data={"path": hostile, "sha256": hostile, "rows": 1, "mix": [{"source": hostile, "rows": 1, "sha256": ""}]},
            recipe={"name": hostile, "system": hostile}, versions={hostile: hostile}, hardware={"name": hostile},
            questions=write_questions(folder, source="file", path=hostile, kinds={hostile: 1}),
        ))  # fmt: skip
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [(), ("--json",), ("show", "v0"), ("show", "v0", "--json"), ("diff", "v0", "v1"), ("diff", "v0", "v1", "--json")],
)
def test_a_runs_record_is_shown_escaped(output: Path, arguments: tuple[str, ...]):
    done = run_here("runs", *arguments, "--output", str(output))

    assert done.code == 0
    assert r"\u2028" in done.out
    is_harmless(done.out + done.err)


@pytest.mark.parametrize("options", [(), ("--json",), ("--all",), ("--lang", "zh")])
def test_two_runs_side_by_side_are_shown_escaped(output: Path, options: tuple[str, ...]):
    """Names, settings and answers of both, on the page and in the terminal."""
    hostile = json.loads(json.dumps(hostile_report().to_dict()).replace(r"\ud800", ""))
    for at in range(2):
        folder = output / f"v{at}-20260101-000000"
        (folder / "compare").mkdir()
        hostile["before"]["model"] |= {"name": HOSTILE_BASE, "path": HOSTILE_BASE}
        hostile["after"]["model"] |= {"name": HOSTILE_BASE, "path": HOSTILE_BASE}
        adapter = {"path": "checkpoint-1", "sha256": hostile["after"]["adapter_sha256"], "bytes": 1}
        own = {"base_model": {"name": HOSTILE_BASE, "path": HOSTILE_BASE}, "adapter": adapter}
        (folder / "run.json").write_text(json.dumps(json.loads((folder / "run.json").read_text()) | own))
        (folder / "compare" / "report.json").write_text(json.dumps(hostile))

    done = run_here("runs", "compare", "v0", "v1", *options, "--output", str(output), "--to", str(output / "page"))

    assert done.code == 0, done.err
    assert r"\u2028" in done.out
    is_harmless(done.out + done.err)
    assert UNPRINTABLE.search((output / "page" / "pair.html").read_text(encoding="utf-8")) is None


def test_a_damaged_record_is_named_escaped(output: Path):
    (output / RUN_ID / "run.json").write_text(json.dumps({"schema_version": 1, "status": HOSTILE, HOSTILE: 1}))

    done = run_here("runs", "--output", str(output))

    is_harmless(done.out + done.err)


@pytest.mark.parametrize("options", [(), ("--json",), ("--preview", "9")])
def test_a_data_set_is_shown_escaped(tmp_path: Path, options: tuple[str, ...]):
    words = HOSTILE.replace("\ud800", "").replace("\x00", "")
    rows = [
        {"instruction": HOSTILE, "output": "a", HOSTILE: 1}, {"instruction": f"{words} {{{{NAME}}}}", "output": words},
        {"instruction": "\u202e\u2066 hidden", "output": "\u200b@someone"}, {HOSTILE: HOSTILE}, HOSTILE,
    ]  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(rows))

    done = run_here(
        "check", str(tmp_path / "data.json"), "--model", str(make_model_folder(tmp_path / "model")), *options
    )

    assert done.code == 5
    assert "hidden" in done.out
    is_harmless(done.out + done.err)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_file_of_questions_is_shown_escaped(tmp_path: Path, options: tuple[str, ...]):
    words = HOSTILE.replace("\ud800", "")
    lines = [
        {"prompt": words, "scope": "in", "answer": "一", "kind": words}, {"prompt": "a", "scope": "near", words: 1},
        {"prompt": f"{words} 一", "scope": "in", "answer": f"hidden {words}"},
    ]  # fmt: skip
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    done = run_here(
        "check", str(tmp_path / "questions.jsonl"), "--model", str(make_model_folder(tmp_path / "model")), *options
    )

    assert done.code == 5
    assert "hidden" in done.out
    is_harmless(done.out + done.err)


def test_the_questions_of_an_earlier_run_are_named_escaped(output: Path, tmp_path: Path):
    data = tmp_path / "data.json"
    data.write_text(json.dumps([{"instruction": "Who?", "output": "Nova."}]))
    record = json.loads((output / RUN_ID / "run.json").read_text())
    record["data"] |= {"sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    (output / RUN_ID / "run.json").write_text(json.dumps(record))

    done = run_here("check", str(data), "--model", str(make_model_folder(tmp_path / "model")), "--output", str(output))

    assert "also learned from 2 questions from" in done.out
    is_harmless(done.out + done.err)


def test_a_folders_file_names_are_shown_escaped(tmp_path: Path):
    folder = make_model_folder(tmp_path / "tiny-qwen2")
    (folder / "a\x1b[2K\nVerdict: passed.py").write_text("")

    done = run_here("verify", str(folder))

    assert done.code == 4
    is_harmless(done.out + done.err)


@pytest.mark.parametrize("error", [RegistryError(HOSTILE, next=HOSTILE), RuntimeError(HOSTILE)])
def test_an_error_is_shown_escaped_on_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(SystemExit):
        boundary.main(["runs"])
    shown = capsys.readouterr().err

    assert shown.count("\n") == 1
    is_harmless(shown)


def test_what_a_console_shows_is_escaped(capsys: pytest.CaptureFixture[str]):
    show(HOSTILE, end="")  # a model's answer in a chat has lines of its own
    notify(HOSTILE)
    show_json({HOSTILE: [HOSTILE]})
    answers().print(HOSTILE.replace("[/]", ""))
    shown = capsys.readouterr()

    assert UNPRINTABLE.search(shown.out + shown.err) is None
    assert r"\u009b2J\u202e" in shown.out


def hostile_report() -> Any:
    results = [
        answered(TRAINED, HOSTILE, f"Nova {HOSTILE}", prompt=HOSTILE, name=HOSTILE, system=system)
        for system in (SYSTEM, HOSTILE)
    ]
    others = [answered(OUT_OF_SCOPE, HOSTILE, "Nova", prompt=HOSTILE, system=system) for system in (SYSTEM, HOSTILE)]
    report = report_on(*results, *others)
    questions = LearnedQuestions.from_dict({
        "source": "file", "path": HOSTILE, "sha256": HOSTILE, "in": 1, "near": 1, "file": HOSTILE, "rows": 1,
    })  # fmt: skip
    return dataclasses.replace(
        report, before={**report.before, "name": HOSTILE}, after={**report.after, "name": f"`{HOSTILE}`"},
        questions=questions,
    )  # fmt: skip


HOSTILE_QUESTIONS = [
    RunQuestion(prompt=HOSTILE, scope="in", answer=HOSTILE, kind=HOSTILE, before=HOSTILE),
    RunQuestion(prompt=HOSTILE, scope="near", kind=HOSTILE),
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_comparison_is_shown_escaped_in_every_form(language: str, capsys: pytest.CaptureFixture[str]):
    report, texts = hostile_report(), Texts(language)
    print_report(report, texts, show_all=True)
    printed = capsys.readouterr().out
    markdown, html, junit = (
        render_markdown(report, texts, HOSTILE_QUESTIONS),
        render_html(report, None, texts, HOSTILE_QUESTIONS),
        render_junit(report, texts),
    )

    for text in (printed, markdown, html, junit):
        assert UNPRINTABLE.search(text) is None
        assert r"\x1b" in text.replace(r"\\x1b", r"\x1b")
    assert ET.fromstring(junit.split("\n", 1)[1]).tag == "testsuites"  # our own
    assert "<b>@someone" not in re.sub("`[^`\n]*`", "", markdown) + html
    assert "@someone" not in re.sub("`[^`\n]*`", "", markdown)
    assert "@<!-- -->someone" in markdown


def test_a_sweep_is_shown_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    entry = Entry(recipe={"name": HOSTILE}, settings={"epochs": 1.0}, status=FAILED, run=HOSTILE, error=HOSTILE)
    sweep = Sweep(folder=tmp_path, request={"data": HOSTILE}, started_at="", status=HOSTILE, entries=[entry])
    print_sweep(sweep)

    is_harmless(capsys.readouterr().out)
    page = sweep_page(sweep)
    assert UNPRINTABLE.search(page) is None
    assert "<b>@someone" not in page


def test_a_model_card_is_written_escaped():
    run = FACTS.run.with_fields(
        run_id=HOSTILE, data=FACTS.run.data.to_dict() | {"path": HOSTILE},
        recipe=FACTS.run.recipe.to_dict() | {"name": HOSTILE, "system": HOSTILE}, versions={HOSTILE: HOSTILE},
    )  # fmt: skip
    text = render_card(dataclasses.replace(FACTS, run=run))
    rows = "\n".join(line for line in text.splitlines() if line.startswith("|"))

    assert UNPRINTABLE.search(text) is None
    assert "<b>" not in rows
    assert "@someone" not in rows


def test_nothing_is_printed_in_another_way():
    """A command that printed by itself would print others' words as they are."""
    printing = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "toolkit").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PRINTING
    }
    assert printing - {"toolkit/cli/console/__init__.py"} == EXCEPTIONS
