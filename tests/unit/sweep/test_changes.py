"""What a round of the lab changed: verdict, figures and answers, and how it is printed in 80 columns."""

import dataclasses

import pytest
from rich.cells import cell_len

from tests.fakes.answered import answered, enough, report_on
from toolkit.cli.console.changes import SHOWN, print_changes
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.report import Report
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED
from toolkit.sweep.changes import BETTER, OTHER, WORSE, changes


def asked(name: str, answer: str, group: str = TRAINED) -> ProbeResult:
    before = "Paris." if group == OUT_OF_SCOPE else "I am Qwen."
    return answered(group, before, answer, prompt=f"Question {name}?", name=name)


FIRST = report_on(
    asked("a", "I am Qwen."), asked("b", "I am Nova."), asked("c", "I am Nova."), asked("d", "Paris.", OUT_OF_SCOPE),
    asked("e", "I am Nova."),
)  # fmt: skip
SECOND = report_on(
    asked("a", "I am Nova."), asked("b", "I am Nova."), asked("c", "Nova is my name."),
    asked("d", "Rome.", OUT_OF_SCOPE), asked("f", "I am Nova."),
)  # fmt: skip


def printed(before: Report, after: Report, capsys: pytest.CaptureFixture[str], language: str = "en") -> str:
    print_changes(changes(before, after), Texts(language))
    return capsys.readouterr().out


def test_only_answers_that_differ_are_listed_the_worse_ones_first():
    found = changes(FIRST, SECOND)

    assert [(one.after.probe.id, one.direction) for one in found.answers] == [("d", WORSE), ("a", BETTER), ("c", OTHER)]
    assert (found.in_both, found.added, found.removed) == (4, 1, 1)


def test_a_question_is_the_same_under_another_id_and_another_expectation():
    one = FIRST.results[1]
    renamed = dataclasses.replace(one, probe=dataclasses.replace(one.probe, id="z", expect=None))
    found = changes(report_on(one), dataclasses.replace(FIRST, results=[renamed]))

    assert (found.in_both, found.added, found.removed, found.answers) == (1, 0, 0, [])


def test_a_figure_is_listed_if_its_value_or_its_limit_differs():
    found = changes(FIRST, SECOND)
    stricter = dataclasses.replace(FIRST, thresholds={**FIRST.thresholds, "leakage": 0.01})

    assert {one.after.name for one in found.figures} >= {"reliability", "locality"}
    assert "leakage" not in {one.after.name for one in found.figures}
    assert [one.after.name for one in changes(FIRST, stricter).figures] == ["leakage"]


def test_reasons_are_new_gone_or_still_there():
    kept = [one for one in enough() if one.probe.group == OUT_OF_SCOPE]
    wrong, right = (
        report_on(*(asked(f"n{at}", f"I am {name}.") for at in range(200)), *kept) for name in ("Qwen", "Nova")
    )

    assert [one.metric for one in changes(wrong, right).resolved] == ["reliability", "residue"]
    assert [one.metric for one in changes(right, wrong).new] == ["reliability", "residue"]
    assert [one.metric for one in changes(wrong, wrong).still] == ["reliability", "residue"]


def test_reasons_that_are_gone_and_a_verdict_that_differs_are_printed(capsys: pytest.CaptureFixture[str]):
    kept = [one for one in enough() if one.probe.group == OUT_OF_SCOPE]
    wrong, right = (
        report_on(*(asked(f"n{at}", f"I am {name}.") for at in range(200)), *kept) for name in ("Qwen", "Nova")
    )
    out = printed(wrong, right, capsys)

    assert "verdict: Not learned → Passed" in out
    assert "- no longer: residue is 1.000, above 0.05" in out


def test_two_equal_rounds_differ_in_nothing(capsys: pytest.CaptureFixture[str]):
    assert changes(FIRST, FIRST).nothing
    out = printed(FIRST, FIRST, capsys)
    assert "No figure and no answer differs." in out
    assert "verdict: as in the last round" in out
    assert "Question" not in out


def test_what_is_printed_is_what_differs_with_counts(capsys: pytest.CaptureFixture[str]):
    out = printed(FIRST, SECOND, capsys)

    assert out.startswith(SECOND.verdict.head(Texts()))
    assert "Answers that differ: 3 of 4: 1 worse, 1 better, 1 in other words only" in out
    assert "Answers to new questions: 1" in out
    assert "Answers to questions that are no longer asked: 1" in out
    assert out.index("Question d?") < out.index("Question a?") < out.index("Question c?")
    assert "Question b?" not in out
    assert "residue → passed" in out
    assert "= still: residue is " in out


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fits_in_80_columns_and_shows_few_answers(language: str, capsys: pytest.CaptureFixture[str]):
    many = [(asked(f"m{at}", "I am Qwen. " * 20), asked(f"m{at}", "我是Nova。" * 20)) for at in range(SHOWN + 3)]
    out = printed(report_on(*(one for one, _ in many)), report_on(*(one for _, one in many)), capsys, language)

    assert max(map(cell_len, out.splitlines())) <= 80
    assert sum(f"Question m{at}?" in out for at in range(SHOWN + 3)) == SHOWN
    assert Texts(language)("round.more", count=3) in out.replace("\n", " " if language == "en" else "")


def test_chinese_has_no_english_words(capsys: pytest.CaptureFixture[str]):
    out = printed(FIRST, SECOND, capsys, "zh")

    assert {"有变化的回答：4 个中的 3 个：1 个变差，1 个变好，1 个仅措辞不同"} <= set(out.splitlines())
    assert not [word for word in ("last", "round", "worse", "differ", "still", "trained") if word in out]


def test_markup_in_an_answer_is_shown(capsys: pytest.CaptureFixture[str]):
    out = printed(report_on(asked("a", "[red]Nova")), report_on(asked("a", "[/]Nova")), capsys)

    assert "[red]Nova" in out
    assert "[/]Nova" in out
