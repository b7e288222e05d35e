"""What a run learned from beside its rows: said in every report, listed, escaped, and none of it hidden silently."""

import dataclasses
import io
import json
import re
import sys
from pathlib import Path

import pytest

from tests.fakes.answered import answered, report_on
from tests.fakes.asked_questions import QUESTIONS, write_questions
from tests.fakes.run_record import run_record
from toolkit.cli.console.report import print_report
from toolkit.compare.report import write_report
from toolkit.compare.report.html import render_html
from toolkit.compare.report.learned import SHOWN, kind_name, learned_from, question_lists
from toolkit.compare.report.markdown import LONGEST_CHARS, render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.sides import Side
from toolkit.compare.texts import Texts, catalogue
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED
from toolkit.runs.comparison import LearnedQuestions
from toolkit.runs.questions import RunQuestion, learned_questions, read_questions
from toolkit.runs.run import Run
from toolkit.train.questions.question import Question
from toolkit.train.questions.write import AROUND, FROM_ANSWERS, SAMPLES, read_forms

EVIL = "</li><script>window.ran = 1</script><img src=x> a|b `c` [e](http://f) @someone \x1b[31m\nnext"
EN = "Learned from 16 rows and 120 questions that the model wrote around them; 80 questions near them were kept."
ZH = "由 16 行数据和模型围绕它们写出的 120 个问题训练而成；另有 80 个相近的问题保持原来的回答。"


def learned(**changes: object) -> LearnedQuestions:
    fields = {
        "source": "model", "path": None, "sha256": "0" * 64, "from_rows": 16, "in": 120, "near": 80,
        "kinds": {"paraphrase": 120, "neighbour": 80}, "file": "questions.jsonl", "rows": 16,
    }  # fmt: skip
    return LearnedQuestions.from_dict(fields | changes)


def report(questions: LearnedQuestions | None = None) -> Report:
    made = report_on(answered(TRAINED, "Qwen.", "Nova."), answered(OUT_OF_SCOPE, "4", "4"))
    return dataclasses.replace(made, questions=questions)


def many(count: int, *, scope: str = "in", text: str = "Who?") -> list[RunQuestion]:
    answer = "Nova." if scope == "in" else ""
    return [RunQuestion(prompt=f"{text} {at}", scope=scope, answer=answer, kind="own") for at in range(count)]


@pytest.mark.parametrize(
    ("changes", "language", "says"),
    [
        ({}, "en", f"{EN} All of them: questions.jsonl in the run's folder."),
        ({}, "zh", f"{ZH}全部问题见运行文件夹中的 questions.jsonl。"),
        ({"near": 0}, "en", "120 questions that the model wrote around them. All"),
        (
            {"source": "file", "path": "/home/me/my.jsonl"},
            "en",
            "Learned from 16 rows and 120 questions from my.jsonl;",
        ),
        ({"source": "file", "path": "my.jsonl"}, "zh", "由 16 行数据和 my.jsonl 中的 120 个问题训练而成；"),
        ({"source": "file"}, "en", "120 questions from questions.jsonl;"),
        ({"in": 0}, "en", "Learned from 16 rows; 80 questions near them were kept. All"),
        ({"in": 0}, "zh", "由 16 行数据训练而成；另有 80 个相近的问题保持原来的回答。全部"),
    ],
)
def test_it_is_said_in_a_sentence(changes, language, says):
    assert says in learned_from(report(learned(**changes)), Texts(language))


def test_without_any_question_nothing_is_said():
    assert learned_from(report(learned(**{"in": 0, "near": 0})), Texts("en")) == ""


def test_a_run_that_learned_from_rows_only_says_nothing():
    for text in (render_markdown(report(), Texts()), render_html(report(), None, Texts())):
        assert "Learned from" not in text
        assert "<details" not in text.replace("<details><summary>Probes", "")
    assert report().to_dict()["questions"] is None


@pytest.mark.parametrize(("language", "sentence"), [("en", EN), ("zh", ZH)])
def test_every_report_says_it(language, sentence, monkeypatch):
    value, texts, stream = report(learned()), Texts(language), io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    print_report(value, texts)
    monkeypatch.undo()

    printed = re.sub(r"\s+", "", stream.getvalue())
    assert re.sub(r"\s+", "", sentence) in printed
    assert sentence in render_markdown(value, texts)
    assert sentence in render_html(value, None, texts)


def test_the_json_has_counts_file_and_digest_and_comes_back():
    content = json.loads(json.dumps(report(learned()).to_dict()))

    assert content["questions"] == learned().to_dict()
    assert Report.from_dict(content).questions == learned()


@pytest.mark.parametrize("hidden", [0, 1, 57])
@pytest.mark.parametrize("scope", ["in", "near"])
def test_what_is_not_listed_is_counted(hidden, scope):
    questions = many(SHOWN + hidden, scope=scope)
    text = render_html(report(learned()), None, Texts(), questions)
    [found] = question_lists(questions, Texts())

    assert (len(found.shown), found.hidden, found.scope) == (SHOWN, hidden, scope)
    assert f"({SHOWN + hidden})</summary>" in text
    assert (f"{hidden} more in questions.jsonl." in text) is bool(hidden)


def test_html_lists_kind_question_answer_and_what_the_base_said():
    questions = [RunQuestion(**{name: getattr(one, name) for name in RunQuestion.model_fields}) for one in QUESTIONS]
    text = render_html(report(learned()), None, Texts(), questions)
    inside, near = (part.split("</details>")[0] for part in text.split('<details class="card questions">')[1:])

    for shown in ("Who made you?", "in other words", "I was made by Nova.", "By Qwen.", "你叫什么名字？", "translated"):
        assert shown in inside
    assert inside.count("the base model&#39;s own answer") == 1  # it was asked one of the two
    assert "Who made GPT?" in near
    assert "trained answer" not in near


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_a_model_wrote_is_escaped(language):
    hostile = [
        RunQuestion(prompt=EVIL, scope="in", answer=EVIL, kind=EVIL, before=EVIL),
        RunQuestion(prompt=EVIL, scope="near", kind=EVIL),
    ]
    value = report(learned(source="file", path=EVIL, file="questions.jsonl"))
    html = render_html(value, None, Texts(language), hostile)
    markdown = render_markdown(value, Texts(language), hostile)

    assert "<script>window" not in html + markdown
    assert "<img src" not in html + markdown
    assert "\x1b" not in html + markdown
    assert "@someone" not in markdown
    row = next(line for line in markdown.splitlines() if line.startswith("| &lt;/li"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 5  # four cells still


def test_markdown_lists_them_within_its_length_and_counts_the_others():
    long = [*many(150, text="word " * 60), *many(150, scope="near", text="word " * 60)]
    value = report_on(*(answered(OUT_OF_SCOPE, "4 " * 100, "5 " * 100) for _ in range(300)))
    text = render_markdown(dataclasses.replace(value, questions=learned()), Texts(), long)
    inside, near = text.split("<details><summary>Questions")[1:3]

    assert len(text) <= LONGEST_CHARS
    for part, mark in ((inside, "| word"), (near.split("</details>")[0], "- word")):
        shown = sum(line.startswith(mark) for line in part.splitlines())
        assert 0 < shown < 150
        assert f"{150 - shown} more in questions.jsonl." in part
    assert "more in report.html." in text


def test_a_file_that_changed_after_the_training_is_not_shown_as_what_was_trained():
    for text in (render_html(report(learned()), None, Texts()), render_markdown(report(learned()), Texts())):
        assert "questions.jsonl is missing, or has changed since the training." in text
        assert "Questions with the answers" not in text


def test_a_runs_reports_show_its_questions(tmp_path: Path):
    record = run_record(questions=write_questions(tmp_path))
    run = Run(folder=tmp_path, record=record)
    value = dataclasses.replace(report(), questions=learned_questions(record))

    folder = write_report(value, Side(kind="run", name="v0", model=None, run=run), None)

    assert folder is not None
    assert "I was made by Nova." in (folder / "report.html").read_text(encoding="utf-8")
    assert "| Who made you? | in other words | I was made by Nova. | By Qwen. |" in (folder / "report.md").read_text(
        encoding="utf-8"
    )
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["questions"]["in"] == 2
    assert len(read_questions(run)) == 3


def test_every_kind_that_is_written_has_a_name():
    kinds = {
        *SAMPLES,
        *FROM_ANSWERS,
        *AROUND,
        *(kind.removesuffix("_of_a_place") for kind in read_forms()),
        "alike",
        "assistant",
        "neighbour",
        Question(prompt="", scope="in").kind,
    }

    assert {kind for kind in kinds if f"question.kind.{kind}" not in catalogue()} == set()
    assert kind_name("of a later version", Texts()) == "of a later version"
