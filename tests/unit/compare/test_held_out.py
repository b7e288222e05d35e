"""Scores on rows that were not trained: what is asked, what counts, and what is recorded."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.fakes.run_record import run_record
from tests.fakes.scripted_model import LIKELY, VOCABULARY, ScriptedModel
from toolkit.compare.held_out import ANSWER_TOKENS, MOST_ROWS, HeldOut
from toolkit.core.errors import DataError
from toolkit.runs.run import Run

ROWS = [("Name a river.", "The Rhine"), ("Name a hill.", "The Taunus is one"), ("Say no.", "no")]


class Model(ScriptedModel):
    """With what rows are encoded by."""

    template_end = 1

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__(answers=answers)
        self.tokens = SimpleNamespace(text_ids=self._tokens)


@pytest.fixture(name="file")
def _file(tmp_path: Path):
    def write(rows, name="test.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps({"query": one, "response": two}) + "\n" for one, two in rows))
        return path

    return write


def scored(held_out: HeldOut, before: dict[str, str], after: dict[str, str], system: str = "S"):
    for answers in (before, after):
        held_out.ask(Model(answers), system)
    return held_out.record()


def test_both_sides_are_scored_on_the_same_rows(file):
    held_out = HeldOut.planned(str(file(ROWS)), None)
    assert held_out is not None

    found = scored(held_out, {"Say no.": "no"}, {"Name a river.": "The Rhine", "Name a hill.": "The hill is one"})

    exact, rouge = found.score("exact"), found.score("rouge_l")
    assert (exact.before, exact.after) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert rouge.after == pytest.approx((1 + 2 * 3 / 8 + 0) / 3)
    assert (found.total, found.answered, found.trained, found.system) == (3, 3, 0, "S")
    assert [(one.expected, one.after) for one in found.answers][:2] == [
        ("The Rhine", "The Rhine"), ("The Taunus is one", "The hill is one"),
    ]  # fmt: skip


def test_the_loss_is_the_mean_over_the_answers_tokens_with_their_ends(file):
    """A token that the script expects has the logit LIKELY, every other one 0; the end of an answer is never likely."""
    held_out = HeldOut.planned(str(file([("Name a river.", "The Rhine")])), None)
    assert held_out is not None

    loss = scored(held_out, {}, {"Name a river.": "The Rhine"}).score("loss")

    certain = math.log(math.exp(LIKELY) + VOCABULARY - 1) - LIKELY
    assert loss.before == pytest.approx(math.log(VOCABULARY), rel=1e-4)
    assert loss.after == pytest.approx((2 * certain + math.log(VOCABULARY)) / 3, rel=1e-4)


def test_a_row_is_asked_with_its_own_system_prompt_and_earlier_turns(tmp_path):
    turns = [("system", "Own"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    path = tmp_path / "test.jsonl"
    rows = [
        [{"role": role, "content": text} for role, text in turns],
        [{"role": role, "content": text} for role, text in turns[1:]],
    ]
    path.write_text("".join(json.dumps({"messages": one}) + "\n" for one in rows))
    held_out, model = HeldOut.planned(str(path), None), Model({})
    assert held_out is not None

    held_out.ask(model, "S")

    assert [[one["content"] for one in messages] for messages in model.asked] == [
        ["Own", "a", "b", "c"],
        ["S", "a", "b", "c"],
    ]


def test_of_a_long_answer_the_beginning_counts(file):
    held_out = HeldOut.planned(str(file([("Write.", "word " * 400)])), None)
    assert held_out is not None

    found = scored(held_out, {}, {"Write.": "word " * 400})

    assert len(found.answers[0].expected.split()) <= ANSWER_TOKENS
    assert found.score("rouge_l").after == pytest.approx(1)
    assert found.score("exact").after == 0


def test_many_rows_are_sampled_unless_a_number_is_named(file):
    path = file([(f"q{number}", "a") for number in range(300)])

    many, few = HeldOut.planned(str(path), None), HeldOut.planned(f"{path}#250", None)

    assert many is not None
    assert few is not None
    assert (len(many.rows), len(few.rows)) == (MOST_ROWS, 250)


def test_rows_that_the_run_was_trained_on_are_left_out(file, tmp_path):
    folder = tmp_path / "v0"
    folder.mkdir()
    file(ROWS[:1], "v0/train.jsonl")
    run = Run(folder=folder, record=run_record())

    held_out = HeldOut.planned(str(file(ROWS)), run)

    assert held_out is not None
    assert ([row.prompt for row in held_out.rows], held_out.trained) == (["Name a hill.", "Say no."], 1)
    with pytest.raises(DataError, match="was trained"):
        HeldOut.planned(str(file(ROWS[:1], "same.jsonl")), run)


def test_a_runs_own_test_rows_are_asked_where_no_file_is_named(file, tmp_path):
    folder = tmp_path / "v0"
    folder.mkdir()
    run = Run(folder=folder, record=run_record())
    assert HeldOut.planned(None, run) is None
    assert HeldOut.planned(None, None) is None

    file(ROWS, "v0/test.jsonl")

    held_out = HeldOut.planned(None, run)
    assert held_out is not None
    assert len(held_out.rows) == 3
