"""Sources of rows to mix in: a file or a hub data set, and a sample of it."""

from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError, DataError
from toolkit.data.soundness import Reading
from toolkit.runs.record import RecordedData
from toolkit.train import ms_swift
from toolkit.train.recipe import load_recipe
from toolkit.train.sources import Source, is_hub, load_rows, parse_source, read_source, source_file

RECIPE = load_recipe("article")


@pytest.fixture(name="hundred")
def _hundred(tmp_path) -> Path:
    """A file of a hundred rows."""
    path = tmp_path / "hundred.jsonl"
    path.write_text("".join(f'{{"query": "q{number}", "response": "a{number}"}}\n' for number in range(100)))
    return path


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


@pytest.mark.parametrize(
    ("source", "hub"),
    [("AI-ModelScope/alpaca-gpt4-data-zh", True), ("HF::owner/name", True), ("general.jsonl", False),
     ("data/mistyped.jsonl", False), ("./owner/name", False), ("/owner/name", False)],
)  # fmt: skip
def test_a_hub_source_is_shaped_owner_and_name(source, hub):
    assert is_hub(Source(name=source, count=None)) is hub


def test_a_local_file_goes_before_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "name").write_text("[]")

    assert not is_hub(Source(name="owner/name", count=None))


def test_a_sample_repeats_no_row_and_is_the_same_for_the_same_seed(hundred):
    chosen = read_source(f"{hundred}#10", {}, 1)

    assert chosen.rows == read_source(f"{hundred}#10", {}, 1).rows
    assert chosen.rows != read_source(f"{hundred}#10", {}, 2).rows
    assert [row.number for row in chosen.rows] == sorted({row.number for row in chosen.rows})
    assert (len(chosen.rows), chosen.sampled_from) == (10, 100)
    assert chosen.remarks == ("10 of 100 rows are taken, by the seed 1.",)
    assert chosen.sha256 == read_source(str(hundred), {}, 1).sha256


def test_a_sample_larger_than_the_set_is_the_set_and_says_so(hundred):
    everything = read_source(f"{hundred}#101", {}, 1)

    assert (len(everything.rows), everything.sampled_from) == (100, None)
    assert everything.remarks == ("It has 100 rows, fewer than the 101 asked for: all are taken.",)
    assert read_source(f"{hundred}#100", {}, 1).remarks == ()


def test_the_data_set_may_be_a_sample_and_run_json_says_of_how_many(hundred):
    said = []

    loaded = load_rows(f"{hundred}#10", [f"{hundred}#5"], RECIPE, Reading(), said.append)

    assert len(loaded.rows) == 15
    assert (loaded.source["path"], loaded.source["rows"], loaded.source["sampled_from"]) == (str(hundred), 10, 100)
    assert [(one["source"], one["rows"], one["sampled_from"]) for one in loaded.source["mix"]] == [
        (str(hundred), 5, 100)
    ]
    assert RecordedData.from_dict(loaded.source).sampled_from == 100
    assert said[0] == "Note: hundred.jsonl: 10 of 100 rows are taken, by the seed 42."


def test_the_data_set_may_be_a_hubs(monkeypatch):
    asked = []

    def records(name):
        asked.append(name)
        return [{"messages": [{"role": "user", "content": f"q{at}"}, {"role": "assistant", "content": "a"}]}
                for at in range(9)]  # fmt: skip

    monkeypatch.setattr(ms_swift, "hub_records", records)

    loaded = load_rows("HF::owner/name#4", ["owner/other"], RECIPE, Reading(), lambda _: None)

    assert asked == ["HF::owner/name", "owner/other"]
    assert len(loaded.rows) == 13
    assert (loaded.source["path"], loaded.source["rows"], loaded.source["sampled_from"]) == ("HF::owner/name", 4, 9)
    recorded = RecordedData.from_dict(loaded.source)
    assert (recorded.mix[0].source, recorded.mix[0].rows) == ("owner/other", 9)
    assert recorded.mix[0].sha256 == recorded.sha256  # of the rows before the sample is taken


def test_rows_of_a_hub_with_errors_are_refused_as_those_of_a_file_are(monkeypatch):
    monkeypatch.setattr(ms_swift, "hub_records", lambda _: [{"messages": [{"role": "user", "content": "q"}]}])

    with pytest.raises(DataError, match="1 of 1 rows of owner/name cannot be trained on"):
        load_rows("owner/name", [], RECIPE, Reading(), lambda _: None)


def test_a_hubs_data_set_has_no_file_and_is_written_to_one_by_check(hundred):
    assert source_file(f"{hundred}#3") == hundred
    with pytest.raises(DataError, match=r"check .owner/name#5. --write rows\.jsonl"):
        source_file("owner/name#5")


def test_columns_are_named_for_files_only():
    with pytest.raises(ConfigError, match="Columns are named for files"):
        load_rows("owner/name", [], RECIPE, Reading(columns={"ask": "prompt"}), lambda _: None)


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
