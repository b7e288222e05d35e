"""`toolkit runs compare`: two runs in 80 columns, as JSON, and as a page."""

import json
from pathlib import Path

import jsonschema
import pytest
from rich.cells import cell_len

from tests.fakes.command import run_here
from tests.fakes.ledgers import ledger
from tests.fakes.paired import compared_run, learned, two_runs
from toolkit.compare.report.pair.record import pair_schema
from toolkit.compare.texts import LANGUAGES


def test_both_verdicts_figures_and_answers_are_shown(tmp_path: Path):
    done = run_here("runs", "compare", "v0", "v1", "--output", str(two_runs(tmp_path)))

    lines = [line.rstrip() for line in done.out.splitlines()]
    assert done.code == 0
    assert lines[0] == "v1 (keep) is better in 6 of 10 answers; v0 (article) in 0, 4 have the same"
    assert any(
        line.startswith("v0 (article): Not learned, and something else moved: 1 of 2 as expected") for line in lines
    )
    assert any(line.startswith("v1 (keep): Inconclusive: 2 of 2 learned; 0 of 2 unrelated") for line in lines)
    assert "From not learned and others moved (v0) to inconclusive (v1), with these changes:" in lines
    assert "epochs 10 → 11." in lines
    (row,) = [line.split() for line in lines if line.startswith("  leakage")]
    assert row[:4] == ["leakage", "0.500", "0.000", "−0.500"]
    assert lines.index("France?  out-of-scope · training prompt") < lines.index("Name?  paraphrase · training prompt")
    assert done.err.endswith("pairs/v0-20260101-000000-and-v1-20260101-000001/pair.html\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fits_80_columns_with_long_names_and_answers(tmp_path: Path, language: str):
    long = "a word and " * 30
    for number in range(2):
        results = [
            one if one.probe.id != "n" else type(one)(**{**vars(one), "after": f"{long}{number}"})
            for one in learned(forgets=not number)
        ]
        compared_run(tmp_path, number, results, ability=ledger("--xx", ("---x", "x-xx")[number]))

    done = run_here("runs", "compare", "v0", "v1", "--all", "--lang", language, "--output", str(tmp_path))

    assert max(cell_len(line.rstrip()) for line in done.out.splitlines()) <= 80
    assert done.out.count(f"{long.split(maxsplit=1)[0]} word and") > 2
    assert {"en": "Of 4 items, v1 (keep) solves 3", "zh": "4 道题中，v1 (keep) 答对 3 道"}[language] in done.out


def test_json_is_the_file_that_it_writes(tmp_path: Path):
    done = run_here(
        "runs", "compare", "v0", "v1", "--json", "--to", str(tmp_path / "page"), "--output", str(two_runs(tmp_path))
    )

    value = json.loads(done.out)
    jsonschema.validate(value, pair_schema())
    assert value == json.loads((tmp_path / "page" / "pair.json").read_text(encoding="utf-8"))


def test_a_run_that_was_not_compared_is_a_configuration_error(tmp_path: Path):
    two_runs(tmp_path)
    (tmp_path / "v1-20260101-000001" / "compare" / "report.json").unlink()

    done = run_here("runs", "compare", "v0", "v1", "--output", str(tmp_path))

    assert done.code == 3
    assert "has not been compared yet" in done.err
    assert not (tmp_path / "pairs").exists()


def test_diff_says_why_two_verdicts_differ(tmp_path: Path):
    done = run_here("runs", "diff", "v0", "v1", "--output", str(two_runs(tmp_path)))

    assert done.out.startswith(
        "From not learned and others moved (v0) to inconclusive (v1), with these changes: epochs 10 → 11.\n"
    )
