"""Sources of rows to mix in: a file or a hub data set, and a sample of it."""

import pytest

from toolkit.core.errors import ConfigError
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.train.sources import Mix, is_hub, load_rows, parse_mix, sample

CONVERSATION = (Message(role="user", content="a"), Message(role="assistant", content="b"))


def test_a_mix_is_a_source_with_an_optional_count():
    assert parse_mix("general.jsonl#200") == Mix(source="general.jsonl", count=200)
    assert parse_mix("owner/name") == Mix(source="owner/name", count=None)


@pytest.mark.parametrize("spec", ["", "#5", "a.jsonl#", "a.jsonl#0", "a.jsonl#-1", "a.jsonl#many"])
def test_a_malformed_mix_is_refused(spec):
    with pytest.raises(ConfigError, match="SOURCE#COUNT"):
        parse_mix(spec)


@pytest.mark.parametrize(
    ("source", "hub"),
    [("AI-ModelScope/alpaca-gpt4-data-zh", True), ("HF::owner/name", True), ("general.jsonl", False),
     ("data/mistyped.jsonl", False), ("./owner/name", False), ("/owner/name", False)],
)  # fmt: skip
def test_a_hub_source_is_shaped_owner_and_name(source, hub):
    assert is_hub(Mix(source=source, count=None)) is hub


def test_a_local_file_goes_before_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "name").write_text("[]")

    assert not is_hub(Mix(source="owner/name", count=None))


def test_a_sample_repeats_no_row_and_is_the_same_for_the_same_seed():
    rows = [Row(number=number, messages=CONVERSATION) for number in range(100)]

    chosen = sample(rows, 10, seed=1)

    assert chosen == sample(rows, 10, seed=1)
    assert chosen != sample(rows, 10, seed=2)
    assert len({row.number for row in chosen}) == 10


def test_a_sample_larger_than_the_set_is_the_set():
    rows = (Row(number=1, messages=CONVERSATION),)

    assert sample(rows, 5, seed=1) == sample(rows, None, seed=1) == rows


def test_what_is_not_used_of_the_data_is_said(tmp_path):
    (tmp_path / "own.jsonl").write_text('{"query": "a", "response": "b", "weight": 2}\n')
    (tmp_path / "other.csv").write_text("query,response,input\nc,d,nan\n")
    said = []

    rows, _ = load_rows(str(tmp_path / "own.jsonl"), [f"{tmp_path / 'other.csv'}#1"], 1, said.append)

    assert len(rows) == 2
    assert said == [
        "Note: own.jsonl: 'weight' in 1 row is not used.",
        "Note: other.csv: 1 cell that says only nan, None or NULL: read as empty.",
    ]
