"""Which report says a run's verdict: only one of its adapter, as it is now, with the base that it was trained on."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.answered import answered, report_on
from tests.fakes.run_record import run_record
from toolkit.compare.report.report import read_report
from toolkit.core.errors import ConfigError
from toolkit.core.files import write_json
from toolkit.data.probes import TRAINED
from toolkit.runs.comparison import RecordedSide
from toolkit.runs.own_comparison import OTHER_SIDES, STALE, comparison_folder, own_comparison
from toolkit.runs.run import Run, read_run, write_record
from toolkit.runs.runs import details, summary

OTHER_MODEL = {"model": {"name": "other", "path": "/models/other"}}
RUN_BEFORE = {"kind": "run", "name": "v3-20260101-000000@0.5", "adapter_sha256": "b" * 64, "scale": 0.5}
PROMPT_BEFORE = {"kind": "system", "name": "You are Nova.", "system": "You are Nova."}


def compared(folder: Path, *, status: str = "finished", record: dict[str, Any] | None = None, **sides: Any) -> Run:
    """A run whose report is of its adapter; `sides`: what is otherwise in `before`, `after` and `options`."""
    run = folder / "v0-20260101-000000"
    (run / "compare").mkdir(parents=True)
    adapter = {"path": "checkpoint-1", "sha256": "a" * 64, "bytes": 1}
    write_record(run, run_record(run_id=run.name, status=status, adapter=adapter, **(record or {})))
    content = report_on(answered(TRAINED, "Qwen", "Nova")).to_dict()
    for name, changes in sides.items():
        content[name] = (content[name] or {}) | changes
    write_json(run / "compare" / "report.json", content)
    return read_run(run)


def with_checkpoint(run: Run, weights: bytes) -> Run:
    checkpoint = run.folder / "checkpoint-1"
    checkpoint.mkdir(exist_ok=True)
    (checkpoint / "adapter_model.safetensors").write_bytes(weights)
    (checkpoint / "trainer_state.json").write_text("{}", encoding="utf-8")
    return run


def test_a_report_of_the_recorded_adapter_is_the_runs_own(tmp_path: Path):
    run = compared(tmp_path)

    assert own_comparison(run).record is not None
    assert summary(run).verdict == "inconclusive"
    assert not summary(run).stale
    assert read_report(run).after["adapter_sha256"] == "a" * 64


@pytest.mark.parametrize("changes", [{"adapter_sha256": "b" * 64}, {"adapter_sha256": None}])
def test_a_report_of_another_adapter_is_stale_and_the_way_on_is_named(tmp_path: Path, changes: dict):
    run = compared(tmp_path, after=changes)

    line = summary(run)

    assert own_comparison(run).fault == STALE
    assert (line.verdict, line.stale) == (None, True)
    assert line.next.startswith(f"toolkit compare {run.run_id}")
    assert "verdict" not in details(run)
    with pytest.raises(ConfigError, match="not been compared as it is now: its report is about another adapter"):
        read_report(run)


def test_of_an_unfinished_run_the_last_checkpoint_is_the_adapter(tmp_path: Path):
    run = with_checkpoint(compared(tmp_path, status="interrupted"), b"first")
    sha256 = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"  # of b"first"
    path = run.folder / "compare" / "report.json"
    content = json.loads(path.read_text())
    write_json(path, content | {"after": content["after"] | {"adapter_sha256": sha256}})

    assert own_comparison(run).fault is None
    assert own_comparison(with_checkpoint(run, b"later")).fault == STALE


def test_a_run_whose_adapter_is_gone_before_it_finished_has_no_verdict(tmp_path: Path):
    assert own_comparison(compared(tmp_path, status="failed")).fault == STALE


@pytest.mark.parametrize(
    ("sides", "folder"),
    [
        ({}, "compare"),
        ({"after": {"scale": 0.5}}, "compare-scale-0.5"),
        ({"before": RUN_BEFORE}, "compare-before-v3-20260101-000000@0.5"),
        ({"before": RUN_BEFORE, "after": {"scale": 0.25}}, "compare-before-v3-20260101-000000@0.5-scale-0.25"),
        ({"before": PROMPT_BEFORE}, "compare-before-system-3ba97a75"),
        ({"before": {"kind": "adapter", "name": "/a b/../c d", "adapter_sha256": "b" * 64}}, "compare-before-c-d-"),
        ({"before": OTHER_MODEL, "after": OTHER_MODEL}, "compare-model-other-"),
    ],
)
def test_other_sides_are_compared_beside_the_runs_own_report(tmp_path: Path, sides: dict, folder: str):
    run = compared(tmp_path, **sides)
    content = json.loads((run.folder / "compare" / "report.json").read_text())
    before, after = (RecordedSide.from_dict(content[name]) for name in ("before", "after"))

    found = comparison_folder(run, before, after)

    assert found.parent == run.folder
    assert found.name.startswith(folder)
    assert own_comparison(run).fault == (OTHER_SIDES if sides else None)
    assert (summary(run).verdict is None) == bool(sides)  # as an older version left it in compare/


def test_folders_of_one_name_in_two_places_are_two_experiments(tmp_path: Path):
    run = compared(tmp_path)
    after = RecordedSide.from_dict(report_on(answered(TRAINED, "Qwen", "Nova")).after)
    sides = [RecordedSide.from_dict({"kind": "adapter", "name": name, "model": {"name": "micro", "path": "/m"}})
             for name in ("/a/adapter", "/b/adapter")]  # fmt: skip

    assert len({comparison_folder(run, side, after) for side in sides}) == 2


def test_a_base_that_has_moved_is_the_same_and_another_revision_is_not(tmp_path: Path):
    base = {"name": "micro", "path": "/old", "repository": "me/micro", "revision": "c" * 40}
    moved = {"model": {"name": "renamed", "path": "/new", "repository": "me/micro", "revision": "c" * 40}}
    other = {"model": {"name": "micro", "path": "/old", "repository": "me/micro", "revision": "d" * 40}}

    same = compared(tmp_path / "same", record={"base_model": base}, before=moved, after=moved)
    another = compared(tmp_path / "another", record={"base_model": base}, before=other, after=other)

    assert own_comparison(same).fault is None
    assert own_comparison(another).fault == OTHER_SIDES


def test_a_verdict_by_the_users_own_limits_is_marked(tmp_path: Path):
    options = {"systems": [], "max_new_tokens": 8, "outside": None, "probes_more": None, "depth": False}

    usual = summary(compared(tmp_path / "usual", options=options))
    own = compared(tmp_path / "own", options=options | {"thresholds": {"kl": 3.0}, "ability_limit": 9.0})

    assert (usual.own_limits, summary(own).own_limits) == (False, True)
    assert details(own)["own_limits"] == {"kl": 3.0, "ability": 9.0}


@pytest.mark.parametrize("status", ["interrupted", "running"])  # running, but no process has its lock: it was killed
def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, status: str):
    run = compared(tmp_path, status=status)

    assert summary(run).next == "toolkit finetune"  # as it was started: there is no checkpoint
    assert summary(with_checkpoint(run, b"first")).next.startswith(f"toolkit finetune --resume {run.run_id}")
