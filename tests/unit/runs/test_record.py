"""run.json as a value: what it holds, what it keeps of other versions, and what it refuses."""

import json
from pathlib import Path

import pytest

from tests.fakes.run_record import run_record
from toolkit.runs.record import Part, RunRecord

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "report-0.5b-h100" / "run.json"
FIRST = {
    "run_id": "v0-20260101-000000", "command": "toolkit finetune d.json", "seed": 7,
    "base_model": {"name": "micro", "path": "/models/micro"},
    "data": {"path": "d.json", "sha256": "0" * 64, "rows": 3, "mix": []}, "recipe": {"name": "keep", "system": "Hi"},
}  # fmt: skip


@pytest.fixture(name="content")
def _content():
    return json.loads(EXAMPLE.read_text(encoding="utf-8"))


def test_a_record_comes_back_as_the_file_has_it(content):
    record = RunRecord.from_dict(content)

    assert record.to_dict() == content
    assert (record.recipe.epochs, type(record.recipe.epochs)) == (10, int)


def test_the_rows_own_system_prompt_is_the_one_that_a_run_was_trained_under():
    record = RunRecord.first_record(**FIRST)

    assert record.system == "Hi"
    assert record.with_fields(data=record.data.to_dict() | {"system": "You are Tessa."}).system == "You are Tessa."
    assert record.with_fields(data=record.data.to_dict() | {"system": None}).system == "Hi"


def test_fields_of_other_versions_survive(content):
    content["later"] = {"deep": [1]}
    content["train"]["cuda_graph_refused"] = "why"
    content["recipe"]["beauty"] = 0.5
    content["base_model"]["maker"] = "Alibaba"
    for name in ("keep", "hardware", "timings_s", "peak_memory_bytes"):  # an earlier version without them
        del content[name]
    del content["data"]["held_out"]

    record = RunRecord.from_dict(content)

    assert record.to_dict() == content
    assert record.with_fields(seed=1).to_dict() == content | {"seed": 1}
    assert (record.keep, record.data.held_out, record.hardware.name) == (None, 0, None)


def test_a_record_is_frozen(content):
    record = RunRecord.from_dict(content)

    for part, name in ((record, "status"), (record.train, "steps"), (record.recipe, "system")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(part, name, getattr(part, name))


def test_every_part_keeps_unknown_fields():
    parts = Part.__subclasses__()

    assert len(parts) > 7
    assert all(part.model_config["extra"] == "allow" and part.model_config["frozen"] for part in parts)


def test_a_run_that_starts_has_every_field_and_no_result():
    record = RunRecord.first_record(**FIRST)

    assert record.status == "running"
    assert list(record.to_dict()) == [
        "schema_version", "run_id", "status", "started_at", "finished_at", "command", "seed", "base_model", "data",
        "recipe", "versions", "hardware", "timings_s", "peak_memory_bytes", "keep", "train", "adapter", "error",
        "image",
    ]  # fmt: skip
    assert record.data.to_dict() == {**FIRST["data"], "dropped": 0}
    assert record.train.to_dict() == {"steps": 0, "tokens": 0, "loss": [], "eval_loss": []}


def test_a_run_in_a_container_records_its_image(monkeypatch: pytest.MonkeyPatch):
    assert RunRecord.first_record(**FIRST).image is None
    monkeypatch.setenv("TOOLKIT_IMAGE", "sha256:" + "e" * 64)

    assert RunRecord.first_record(**FIRST).image == "sha256:" + "e" * 64


def test_a_result_adds_its_timings_and_replaces_the_training():
    record = RunRecord.first_record(**FIRST).with_timings(load=1.0)
    adapter = {"path": "checkpoint-2", "sha256": "a" * 64, "bytes": 5}

    done = record.with_result(train={"steps": 2, "loss": [1.0, 0.5]}, seconds={"train": 2.0}, peak_memory_bytes=3,
                              adapter=adapter).ended("finished")  # fmt: skip

    assert (done.timings_s, done.train.last_loss, done.peak_memory_bytes) == ({"load": 1.0, "train": 2.0}, 0.5, 3)
    assert (done.adapter.to_dict(), done.status, done.error) == (adapter, "finished", None)
    again = done.with_result(train={"steps": 0}, seconds={}, peak_memory_bytes=3, adapter=None)
    assert (again.adapter, again.train.last_loss) == (done.adapter, None)


def test_a_resumed_run_has_no_end_and_no_error():
    failed = RunRecord.first_record(**FIRST).ended("failed", "Out of memory.")
    assert (failed.error, failed.finished_at is None) == ("Out of memory.", False)

    record = failed.resumed("checkpoint-4")

    assert (record.status, record.error, record.finished_at) == ("running", None, None)
    assert record.resumed_from == "checkpoint-4"


def test_the_plan_replaces_only_what_it_decides():
    record = RunRecord.first_record(**FIRST).with_plan(
        recipe={"precision": "float32"}, hardware={"device": "cpu"}, versions={"torch": "2"}
    )

    assert record.recipe.settings == {"system": "Hi", "precision": "float32"}
    assert (record.hardware.device, record.versions) == ("cpu", {"torch": "2"})


@pytest.mark.parametrize(("recipe", "system"), [({"system": "Hi"}, "Hi"), ({"system": ""}, ""), ({}, "")])
def test_a_run_that_records_no_system_prompt_was_trained_without_one(recipe, system):
    assert run_record(recipe={"name": "keep"} | recipe).system == system


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match=r"started_at: .*time zone"):
        run_record(started_at="2026-01-01T00:00:00")


def test_text_is_not_taken_for_a_number():
    with pytest.raises(ValueError, match=r"data\.rows: "):
        run_record(data={"path": "d", "sha256": "0", "rows": "50"})
