"""Sources of rows to mix in: a file or a hub data set, and a sample of it."""

from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError, DataError
from toolkit.data.soundness import Reading
from toolkit.runs.record import RecordedData
from toolkit.train import ms_swift
from toolkit.train.recipe import load_recipe
from toolkit.train.sources import Source, is_hub, load_rows, source_file

RECIPE = load_recipe("article")


@pytest.fixture(name="hundred")
def _hundred(tmp_path) -> Path:
    """A file of a hundred rows."""
    path = tmp_path / "hundred.jsonl"
    path.write_text("".join(f'{{"query": "q{number}", "response": "a{number}"}}\n' for number in range(100)))
    return path


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

    with pytest.raises(DataError, match="1 of 1 row of owner/name cannot be trained on"):
        load_rows("owner/name", [], RECIPE, Reading(), lambda _: None)


def test_a_hubs_data_set_has_no_file_and_is_written_to_one_by_check(hundred):
    assert source_file(f"{hundred}#3") == hundred
    with pytest.raises(DataError, match=r"check .owner/name#5. --write rows\.jsonl"):
        source_file("owner/name#5")


def test_the_rows_of_a_test_are_recorded_without_those_that_are_trained(tmp_path, hundred):
    (tmp_path / "test.jsonl").write_text(
        '{"query": "q1", "response": "other"}\n{"query": "new", "response": "b"}\n{"query": "newer", "response": "c"}\n'
    )
    said = []

    loaded = load_rows(str(hundred), [], RECIPE, Reading(), said.append, test=f"{tmp_path / 'test.jsonl'}")

    assert [row.prompt for row in loaded.test] == ["new", "newer"]
    assert len(loaded.rows) == 100
    recorded = RecordedData.from_dict(loaded.source).test
    assert recorded is not None
    assert (recorded.path, recorded.rows) == (str(tmp_path / "test.jsonl"), 2)
    assert said == [f"Warning: 1 of 3 rows of {tmp_path / 'test.jsonl'} is left out of the test, as trained."]


def test_a_test_of_trained_rows_only_is_refused(hundred):
    with pytest.raises(DataError, match=r"Every row of .* is trained"):
        load_rows(str(hundred), [], RECIPE, Reading(), lambda _: None, test=str(hundred))


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
        "Note: own.jsonl: 1 of 2 rows has errors and is left out.",
        "Note: other.csv: 1 of 2 rows has errors and is left out.",
    ]
