"""Why two verdicts differ, as `runs diff` says it in a sentence."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.answered import answered, report_on
from tests.fakes.run_record import run_record
from toolkit.compare.report.pair.explanation import explanation
from toolkit.core.files import write_json
from toolkit.data.probes import TRAINED
from toolkit.runs.run import Run, read_run, write_record

RECIPE = {"name": "article", "epochs": 10, "learning_rate": 1e-4, "batch_size": 8, "seed": 42, "warmup_ratio": 0.1}
ADAPTER = {"path": "checkpoint-1", "sha256": "a" * 64, "bytes": 1}  # as the report has it
ROWS = [f'{{"messages": [{number}]}}\n' for number in range(5)]


def run_at(
    output: Path, number: int, *, rows: list[str] = ROWS, after: str | None = "Nova",
    report: dict[str, Any] | None = None, **record: Any,
) -> Run:  # fmt: skip
    """A run that was compared, and in which the model said `after`; None: it was not."""
    folder = output / f"v{number}-20260101-000000"
    (folder / "compare").mkdir(parents=True)
    write_record(folder, run_record(run_id=folder.name, **{"recipe": RECIPE, "adapter": ADAPTER} | record))
    (folder / "train.jsonl").write_text("".join(rows), encoding="utf-8")
    if after is not None:
        content = report_on(answered(TRAINED, "Qwen", after)).to_dict()
        write_json(folder / "compare" / "report.json", content | (report or {}))
    return read_run(folder)


def test_everything_that_a_verdict_may_depend_on_is_named(tmp_path: Path):
    first = run_at(tmp_path, 1)
    second = run_at(
        tmp_path, 2, rows=[*ROWS[1:], "new 1\n", "new 2\n"], after="Qwen", recipe=RECIPE | {"epochs": 5},
        versions={"torch": "2.14.0"}, hardware={"device": "cuda", "name": "A card"},
        report={"probe_file": {"path": "probes.yaml", "sha256": "b" * 64}},
    )  # fmt: skip

    assert explanation(first, second) == (
        "From inconclusive (v1) to not learned (v2), with these changes: 2 rows were added, 1 row was removed, "
        "other probes were asked, epochs 10 → 5, device cpu → A card, torch 2.13.0 → 2.14.0."
    )


def test_the_same_runs_say_that_nothing_explains_a_difference(tmp_path: Path):
    same = "rows, probes, settings, versions and device are the same."

    assert explanation(run_at(tmp_path, 1), run_at(tmp_path, 2)) == f"Both inconclusive, though {same}"
    assert explanation(run_at(tmp_path, 3), run_at(tmp_path, 4, after="Qwen")).startswith("From inconclusive (v3) to")


def test_a_moved_row_is_no_change_of_the_data_and_a_repeated_one_is(tmp_path: Path):
    first = run_at(tmp_path, 1)

    assert "row" not in explanation(first, run_at(tmp_path, 2, rows=ROWS[::-1])).replace("though rows", "")
    assert "1 row was added" in explanation(first, run_at(tmp_path, 3, rows=[*ROWS, ROWS[0]]))


def test_many_changed_settings_are_counted(tmp_path: Path):
    changed = {"epochs": 5, "learning_rate": 5e-4, "batch_size": 4, "seed": 1, "warmup_ratio": 0}

    text = explanation(run_at(tmp_path, 1), run_at(tmp_path, 2, recipe=RECIPE | changed))

    assert "epochs 10 → 5, learning_rate 0.0001 → 0.0005, batch_size 8 → 4, seed 42 → 1, 1 more." in text


@pytest.mark.parametrize("thresholds", [{"kl": 0.5}, {"kl": 0.0}])
def test_another_limit_is_named(tmp_path: Path, thresholds: dict[str, float]):
    before = report_on(answered(TRAINED, "Qwen", "Nova")).to_dict()["thresholds"]

    text = explanation(run_at(tmp_path, 1), run_at(tmp_path, 2, report={"thresholds": before | thresholds}))

    assert f"the limit of kl {before['kl']:g} → {thresholds['kl']:g}" in text


def test_a_run_that_was_not_compared_is_called_that(tmp_path: Path):
    text = explanation(run_at(tmp_path, 1), run_at(tmp_path, 2, after=None, seed=1))

    assert text.startswith("From inconclusive (v1) to not compared (v2), ")
