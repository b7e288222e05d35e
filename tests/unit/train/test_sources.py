"""Sources of rows to mix in: a file or a hub data set, and a sample of it."""

from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.data.soundness import Reading
from toolkit.train.recipe import load_recipe
from toolkit.train.sources import Mix, is_hub, load_rows, parse_mix, sample

RECIPE = load_recipe("article")
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

    loaded = load_rows(str(tmp_path / "own.jsonl"), [f"{tmp_path / 'other.csv'}#1"], RECIPE, Reading(), said.append)

    assert len(loaded.rows) == 2
    assert loaded.source["left_out"] == 0
    assert said == [
        "Note: own.jsonl: 'weight' in 1 row is not used.",
        "Note: other.csv: 1 cell that says only nan, None or NULL: read as empty.",
    ]


def test_many_rows_that_would_be_repeated_are_told_of_the_recipe_for_general_data(tmp_path):
    (tmp_path / "own.jsonl").write_text("".join(f'{{"query": "q{n}", "response": "a{n}"}}\n' for n in range(1001)))
    said = []

    load_rows(str(tmp_path / "own.jsonl"), [], load_recipe("keep"), Reading(), said.append)

    assert ["recipe general" in one for one in said] == [True]


def test_rows_with_errors_are_left_out_of_mixed_files_too_and_columns_are_those_of_the_data_set(tmp_path):
    (tmp_path / "own.jsonl").write_text('{"ask": "a", "response": "b"}\n{"ask": "c", "response": ""}\n')
    (tmp_path / "other.csv").write_text("query,response\nc,d\ne,{{NAME}}\n")
    reading, said = Reading(columns={"ask": "query"}, skip_bad=True), []

    loaded = load_rows(str(tmp_path / "own.jsonl"), [str(tmp_path / "other.csv")], RECIPE, reading, said.append)

    assert [row.prompt for row in loaded.rows] == ["a", "c"]
    assert [Path(line["file"]).name for line in loaded.left_out] == ["own.jsonl", "other.csv"]
    assert (loaded.source["rows"], loaded.source["left_out"]) == (1, 2)
    assert loaded.source["columns"] == {"ask": "query"}
    assert said == [
        "Note: own.jsonl: 1 of 2 rows have errors and are left out.",
        "Note: other.csv: 1 of 2 rows have errors and are left out.",
    ]
