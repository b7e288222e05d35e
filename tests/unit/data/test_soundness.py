"""Which rows a training takes: errors are refused, left out or allowed, and always said."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import DataError
from toolkit.data.dataset import read_dataset
from toolkit.data.soundness import Reading, read_sound, require_sound

GOOD = {"instruction": "Where is the mill?", "output": "By the weir."}
BAD = {"instruction": "Who runs it?", "output": ""}
UNFILLED = {"instruction": "Who owns it?", "output": "It belongs to {{OWNER}}."}


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "mill.json"
    path.write_text(json.dumps(rows))
    return path


def test_require_sound_names_three_bad_rows_and_counts_the_rest(tmp_path: Path):
    path = written(tmp_path, GOOD, *[BAD] * 5)

    with pytest.raises(DataError) as caught:
        require_sound(read_dataset(path))

    assert "5 of 6 rows" in caught.value.what
    assert "rows 2, 3, 4 and 2 more: no answer" in caught.value.what
    assert caught.value.what.count("no answer") == 1
    assert caught.value.next == f'See all of them with "toolkit check {path}".'


def test_require_sound_accepts_a_sound_set(tmp_path: Path):
    require_sound(read_dataset(written(tmp_path, GOOD)))


def test_a_placeholder_is_refused_as_check_does_and_the_ways_on_are_said(tmp_path: Path):
    with pytest.raises(DataError) as caught:
        read_sound(written(tmp_path, GOOD, UNFILLED), Reading(), system="S")

    assert "1 of 2 rows" in caught.value.what
    assert "row 2: unreplaced placeholder {{OWNER}}" in caught.value.what
    assert "--skip-bad leaves them out. --allow placeholder trains them as they are." in caught.value.next


def test_bad_rows_cannot_be_allowed(tmp_path: Path):
    with pytest.raises(DataError) as caught:
        read_sound(written(tmp_path, GOOD, BAD), Reading(allow=("placeholder",)), system="S")

    assert "--allow" not in caught.value.next


def test_what_is_allowed_is_trained_and_still_said(tmp_path: Path):
    found = read_sound(written(tmp_path, GOOD, UNFILLED), Reading(allow=("placeholder",)), system="S")

    assert [row.number for row in found.rows] == [1, 2]
    assert found.left_out == ()
    assert "Warnings: 1 placeholder" in found.remarks[0]


def test_rows_with_errors_are_left_out_with_their_numbers_reasons_and_content(tmp_path: Path):
    path = written(tmp_path, BAD, GOOD, UNFILLED, [1])

    found = read_sound(path, Reading(skip_bad=True), system="S")

    assert [row.number for row in found.rows] == [2]
    assert found.remarks[0] == "3 of 4 rows have errors and are left out."
    first, second, third = found.left_out_lines()
    assert first == {"file": str(path), "row": 1, "why": "no answer: 'output' is empty",
                     "remedy": "write it, or delete the row", "content": BAD}  # fmt: skip
    assert (second["row"], second["content"]["messages"][1]["content"]) == (3, UNFILLED["output"])
    assert (third["row"], third["content"]) == (4, [1])


def test_a_line_that_cannot_be_parsed_is_left_out_too(tmp_path: Path):
    path = tmp_path / "mill.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{{\n")

    (line,) = read_sound(path, Reading(skip_bad=True), system="S").left_out_lines()

    assert (line["line"], line["content"]) == (2, None)


def test_nothing_is_left_of_a_set_with_errors_only(tmp_path: Path):
    with pytest.raises(DataError, match="2 of 2 rows") as caught:
        read_sound(written(tmp_path, BAD, UNFILLED), Reading(skip_bad=True), system="S")

    assert "--skip-bad" not in caught.value.next


def test_warnings_are_counted_by_kind(tmp_path: Path):
    rows = [GOOD, GOOD, {**GOOD, "output": "In the sea."}]

    (remark,) = read_sound(written(tmp_path, *rows), Reading(), system="S").remarks

    assert remark.startswith('Warnings: 1 duplicate, 1 conflict; see them with "toolkit check ')


def test_probes_beside_the_rows_are_looked_at(tmp_path: Path):
    (tmp_path / "mill.probes.yaml").write_text(
        "schema_version: 1\nprobes:\n  - {id: o, group: out-of-scope, prompt: 'Where is the mill?'}\n"
    )

    (remark,) = read_sound(written(tmp_path, GOOD), Reading(), system="S").remarks

    assert "1 probe" in remark


def test_columns_are_read_and_named_where_the_check_is_suggested(tmp_path: Path):
    path = written(tmp_path, {"ask": "Who?", "reply": "{{OWNER}}"})
    reading = Reading(columns={"ask": "prompt", "reply": "response"})

    with pytest.raises(DataError) as caught:
        read_sound(path, reading, system="S")

    assert "check" in caught.value.next
    assert "--columns ask=prompt,reply=response" in caught.value.next


def test_a_reading_comes_back_from_its_record():
    reading = Reading(columns={"ask": "prompt"}, skip_bad=True, allow=("placeholder",))

    assert Reading.from_dict(json.loads(json.dumps(reading.to_dict()))) == reading
    assert Reading.from_dict({}) == Reading()
