"""report.html as a reader sees it: nothing loaded, nothing run, nothing cut off, nothing inaccessible."""

import dataclasses
import re

import pytest

from tests.browser.conftest import expect_a_sound_file
from tests.fakes.answered import SYSTEM, answered, report_on
from tests.fakes.asked_questions import QUESTIONS, write_questions
from tests.fakes.run_record import run_record
from toolkit.compare.questions import UNRELATED
from toolkit.compare.report.html import render_html
from toolkit.compare.report.learned import SHOWN
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.model.divergence import Drift
from toolkit.runs.questions import learned_questions, read_questions
from toolkit.runs.run import Run
from toolkit.runs.training_log import read_training_log
from toolkit.train.questions.question import Question

EVIL = "</p><script>window.ran = 1</script><img src='http://x.invalid/y' onerror='window.ran = 1'> " + "long" * 200
WRITTEN = (
    Question(prompt=EVIL, scope="in", answer=EVIL, kind="around", before=EVIL),
    Question(prompt=EVIL, scope="near", kind="neighbour"),
    *(Question(prompt=f"Who made number {at}?", scope="near", kind="neighbour") for at in range(SHOWN + 5)),
)
DRIFT = Drift(kl_sum=0.01, agreeing=2, tokens=2)
RECORD = {
    "timings_s": {"import": 5.0, "load": 1.0, "keep": 8.0, "train": 30.0, "total": 45.0}, "peak_memory_bytes": 2**30,
    "hardware": {"memory_bytes": 2**32, "name": "A card"}, "data": {"path": "d.json", "sha256": "0" * 64, "rows": 5},
    "train": {"steps": 40}, "recipe": {"name": "keep"}, "seed": 1, "versions": {"torch": "2"},
}  # fmt: skip


@pytest.fixture(scope="module", name="seen")
def _seen(language, look, tmp_path_factory):
    """A report with everything in it, and with what a model should not say."""
    folder = tmp_path_factory.mktemp("page")
    steps = "\n".join(f'{{"step": {at}, "loss": {4 / at}, "cross_entropy": {3 / at}}}' for at in range(1, 41))
    (folder / "logging.jsonl").write_text(steps, encoding="utf-8")
    results = [
        one
        for system in (SYSTEM, DEFAULT, NONE, UNRELATED)
        for one in (
            answered(TRAINED, "I am Qwen.", EVIL, prompt="Who are you?", system=system, name="t"),
            answered(PARAPHRASE, "我是通义千问，由阿里云开发。", "我是Nova，由小明开发。", system=system, name="p"),
            answered(OUT_OF_SCOPE, "巴黎。", "Nova。", system=system, name="l", drift=DRIFT, before_again="巴黎。"),
            answered(OUT_OF_SCOPE, "Paris.", "Paris.", system=system, name="o", drift=DRIFT, before_again="Paris"),
        )
    ]
    story = read_training_log(Run(folder=folder, record=run_record(**RECORD)))
    record = run_record(**RECORD, questions=write_questions(folder, (*QUESTIONS, *WRITTEN)))
    report = dataclasses.replace(report_on(*results), questions=learned_questions(record))
    questions = read_questions(Run(folder=folder, record=record))
    file = folder / "report.html"
    file.write_text(render_html(report, story, Texts(language), questions), encoding="utf-8")
    return look(file)


def test_nothing_is_loaded_run_wider_than_the_screen_or_inaccessible(seen):
    expect_a_sound_file(seen)


def test_the_questions_beside_the_rows_are_folded_away_and_can_be_read(seen):
    for one in seen:
        assert [int(re.findall(r"\d+", title)[-1]) for title in one["folded"]] == [3, SHOWN + 7]
        assert "I was made by Nova." in one["text"]
        assert "Who made GPT?" in one["text"]


def test_choices_hide_what_is_not_asked_for(seen):
    for one in seen:
        assert one["shown"] == {
            "answers-all": 16, "answers-changed": 12, "answers-wrong": 8,
            "group-all": 16, "group-0": 4, "group-1": 4, "group-2": 8,
            "system-all": 16, "system-0": 4, "system-1": 4, "system-2": 4, "system-3": 4,
        }  # fmt: skip


def test_a_choice_counts_what_it_shows(seen):
    for one in seen:
        assert one["counted"] == one["shown"]


def test_a_click_on_a_number_shows_the_answers_behind_it(seen):
    """Each under one system prompt; leaked and changed are those of the headline."""
    for one in seen:
        assert [one["behind"][f"#{name}"] for name in ("t-0", "p-0", "o-0", "tp-1", "o-3", "learned")] == [
            1,
            1,
            2,
            2,
            2,
            2,
        ]
        assert [one["behind"][f"#{name}"] for name in ("leaked", "changed", "moved")] == [1, 1, 8]
