"""Abilities in every report: the same figures, the answers behind them, and why they were not measured."""

import dataclasses
import json

import pytest

from tests.fakes.answered import answered, report_on
from toolkit.cli.console.report import print_report
from toolkit.compare.ability.asking import Outcome
from toolkit.compare.ability.items import ARITHMETIC, CODE, Written
from toolkit.compare.ability.ledger import changes, group_entries, incoherent_entry, outcome_of, total_entry
from toolkit.compare.report.ability import ability_changes, ability_notes, ability_rows, ability_sentence, group_name
from toolkit.compare.report.html import render_html
from toolkit.compare.report.junit import render_junit
from toolkit.compare.report.markdown import LONGEST_CHARS, render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED
from toolkit.runs.ability_record import NotRun, RecordedAbility

EVIL = "<script>window.ran = 1</script> a|b `c` @someone \x1b[31m\nnext"


def measured(lost: int = 60, won: int = 34, n: int = 1000, text: str = "no") -> RecordedAbility:
    items = [
        Written(
            id=str(at), group=ARITHMETIC if at % 2 else CODE, language="en", prompt=f"{at}?", check=bool,
            max_new_tokens=4,
        )
        for at in range(n)
    ]  # fmt: skip
    before = [Outcome(passed=not lost <= at < lost + won, text="yes", incoherent=False) for at in range(n)]
    after = [Outcome(passed=at >= lost, text=text, incoherent=at == 0) for at in range(n)]
    total = total_entry(items, before, after)
    assert total is not None
    return RecordedAbility(
        not_run=None, system="", limit_points=3.0, outcome=outcome_of(total, 3.0), total=total,
        groups=group_entries(items, before, after), coherent=incoherent_entry(before, after),
        left_out={CODE: "sandbox"}, changes=changes(items, before, after), seconds=1.0,
    )  # fmt: skip


def not_run(why: NotRun | None) -> RecordedAbility:
    return RecordedAbility(
        not_run=why, system="", limit_points=3.0, outcome=None, total=None, groups=[], coherent=None, left_out={},
        changes=[], seconds=0.0,
    )  # fmt: skip


def report(ability: RecordedAbility | None) -> Report:
    made = report_on(answered(TRAINED, "Qwen.", "Nova."), answered(OUT_OF_SCOPE, "4", "4"))
    return dataclasses.replace(made, ability=ability)


def test_the_sentence_says_what_was_lost_and_won_and_what_follows():
    sentence = ability_sentence(measured(), Texts())

    assert "Of 1000 items, 60 were lost and 34 won (p = 0.0" in sentence
    assert "a loss of 2.6 points" in sentence
    assert sentence.endswith("Undecided: the interval reaches across the limit of 3 points.")
    assert ability_sentence(measured(80, 10), Texts()).endswith(
        "the complete interval is beyond the limit of 3 points."
    )
    assert "Kept: " in ability_sentence(measured(4, 4), Texts())
    assert "Undecided: " in ability_sentence(measured(6, 5, 60), Texts())
    assert "丢失 60 道，新增 34 道" in ability_sentence(measured(), Texts("zh"))


@pytest.mark.parametrize("why", NotRun.__args__)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_report_says_why_abilities_were_not_measured(why, language, capsys):
    texts, made = Texts(language), report(not_run(why))
    sentence = texts(f"ability.not_run.{why}")
    print_report(made, texts)

    assert ability_sentence(not_run(why), texts) == sentence
    assert "".join(sentence.split()) in "".join(capsys.readouterr().out.split())
    assert sentence.split("--")[0] in render_markdown(made, texts).replace("\\", "")
    assert sentence in render_html(made, None, texts)
    assert sentence in render_junit(made, texts)


def test_every_renderer_has_the_figures_of_each_group(capsys):
    made = report(measured())
    print_report(made, Texts())
    printed = capsys.readouterr().out

    for text in (
        printed,
        render_markdown(made, Texts()),
        render_html(made, None, Texts()),
        render_junit(made, Texts()),
    ):
        for row in ability_rows(measured(), Texts()):
            assert row.cells[0] in text
            assert row.cells[1].split("(")[1].rstrip(")") in text


def test_a_group_that_lost_is_marked_and_reds_no_test():
    """The threshold is on the total, which is a test beside the other thresholds."""
    made = report(measured(lost=200, won=0))

    assert all(row.significant for row in ability_rows(measured(lost=200, won=0), Texts())[:2])
    assert "❌" in render_markdown(made, Texts())
    assert 'name="ability" tests="3" failures="0" errors="0" skipped="2"' in render_junit(made, Texts())


def test_the_answers_that_flipped_are_listed_by_direction():
    lists = ability_changes(measured(), Texts())

    # As many incoherent ones as the note counts: the one that was lost by that is among them.
    assert [(one.name, len(one.shown)) for one in lists] == [("lost", 60), ("won", 34), ("coherence", 1)]
    assert lists[0].title == "Lost (60)"
    page = render_html(report(measured()), None, Texts())
    assert page.count("Lost (60)") == page.count("Won (34)") == 1


def test_markdown_shows_as_many_answers_as_fit_and_counts_the_others():
    text = render_markdown(report(measured(lost=500, won=20, text="x" * 400)), Texts())

    assert len(text) < LONGEST_CHARS
    assert "more in report" in text


def test_answers_are_escaped():
    made = report(measured(text=EVIL))

    assert "<script>" not in render_html(made, None, Texts())
    assert "<script>" not in render_markdown(made, Texts())
    assert "\x1b" not in render_html(made, None, Texts()) + render_markdown(made, Texts()) + render_junit(made, Texts())


def test_notes_count_incoherent_answers_and_name_what_was_not_asked():
    notes = ability_notes(measured(), Texts())

    assert "0 before and 1 after of 1000; 1 became so, 0 ceased to be" in notes[0]
    assert notes[1].startswith("Not run: code that runs.")


def test_a_report_keeps_its_abilities():
    made = report(measured())

    assert Report.from_dict(json.loads(json.dumps(made.to_dict()))).ability == made.ability
    assert report(None).to_dict()["ability"] is None


def test_a_benchmark_is_named_as_it_is():
    assert group_name("gsm8k", Texts("zh")) == "gsm8k"
    assert group_name(ARITHMETIC, Texts("zh")) == "算术"
