"""Data sets with a number of rows, and rows that are held out."""

from pathlib import Path

import pytest

from tests.fakes.training import row
from toolkit.core.errors import ConfigError
from toolkit.data.dataset import Dataset, Row
from toolkit.data.formats import Message
from toolkit.data.samples import Source, parse_source, sample, unseen

CONVERSATION = (Message(role="user", content="a"), Message(role="assistant", content="b"))
HUNDRED = Dataset(
    path=Path("hundred.jsonl"), format="messages", sha256="0" * 64, bad=(),
    rows=tuple(Row(number=number, messages=CONVERSATION) for number in range(100)),
)  # fmt: skip


def test_a_source_has_an_optional_count():
    assert parse_source("general.jsonl#200") == Source(name="general.jsonl", count=200)
    assert parse_source("owner/name") == Source(name="owner/name", count=None)


def test_a_file_whose_name_has_a_number_sign_is_that_file(tmp_path):
    path = tmp_path / "rows#2"
    path.write_text("[]")

    assert parse_source(str(path)) == Source(name=str(path), count=None)
    assert parse_source(f"{path}#3") == Source(name=str(path), count=3)


@pytest.mark.parametrize("spec", ["", "#5", "a.jsonl#", "a.jsonl#0", "a.jsonl#-1", "a.jsonl#many"])
def test_a_malformed_source_is_refused(spec):
    with pytest.raises(ConfigError, match="SOURCE#COUNT"):
        parse_source(spec)


def test_a_sample_repeats_no_row_and_is_the_same_for_the_same_seed():
    chosen = sample(HUNDRED, 10, seed=1)

    assert chosen.rows == sample(HUNDRED, 10, seed=1).rows
    assert chosen.rows != sample(HUNDRED, 10, seed=2).rows
    assert [one.number for one in chosen.rows] == sorted({one.number for one in chosen.rows})
    assert (len(chosen.rows), chosen.sampled_from) == (10, 100)
    assert chosen.remarks == ("10 of 100 rows are taken, by the seed 1.",)


def test_a_sample_larger_than_the_set_is_the_set_and_says_so():
    everything = sample(HUNDRED, 101, seed=1)

    assert (everything.rows, everything.sampled_from) == (HUNDRED.rows, None)
    assert everything.remarks == ("It has 100 rows, fewer than the 101 asked for: all are taken.",)
    assert sample(HUNDRED, 100, seed=1) == sample(HUNDRED, None, seed=1) == HUNDRED


def test_a_row_is_unseen_unless_its_question_is_trained_after_the_same_turns_whatever_the_system():
    trained = [row("Who are you?", "A"), row("Hi", "Hello", "And you?", "Fine")]

    kept = unseen(
        [row("who are you", "B", system="S"), row("And you?", "Fine"), row("Hi", "Hello", "And you", "Bad")], trained
    )

    assert kept == [row("And you?", "Fine")]
