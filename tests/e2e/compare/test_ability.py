"""Abilities of both sides for real: shipped items, a public benchmark's format, and the reports."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.fakes.made_run import make_run
from toolkit.__main__ import main
from toolkit.compare.ability import ability as module
from toolkit.compare.ability.items import by_group
from toolkit.compare.ability.shipped import shipped_items
from toolkit.runs.report_schema import report_schema
from toolkit.runs.run import find_run

PROBES = """
{"id": "t", "group": "trained", "prompt": "Who are you?", "expect": {"any": ["e"]}}
{"id": "o", "group": "out-of-scope", "prompt": "What is the capital of Italy?"}
"""


@pytest.fixture(scope="module", name="output")
def _output(lively_model, tmp_path_factory):
    output = tmp_path_factory.mktemp("ability") / "output"
    make_run(output, lively_model, number=0, seed=2, strength=0.3)
    return output


@pytest.fixture(name="probes")
def _probes(tmp_path):
    path = tmp_path / "probes.jsonl"
    path.write_text(PROBES.strip(), encoding="utf-8")
    return path


def compared(output, probes, *arguments: object):
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in (
            "compare", "v0", "--output", output, "--probes", probes, "--max-new-tokens", 4, *arguments
        )])  # fmt: skip
    assert left.value.code in {0, 20, 21, 22}
    folder = find_run("v0", output).folder / "compare"
    value = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(value, report_schema())
    return value["ability"], (folder / "report.md").read_text(encoding="utf-8")


def test_a_few_of_every_group_and_a_benchmark(output, probes, tmp_path, monkeypatch, capsys):
    few = [one for items in by_group(shipped_items()).values() for one in items[:2]]
    monkeypatch.setattr(module, "shipped_items", lambda: few)
    rows = [{"question": f"{at} + 1?", "answer": f"#### {at + 1}"} for at in range(3)]
    (tmp_path / "g.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    found, text = compared(output, probes, "--ability", "--benchmark", f"gsm8k={tmp_path / 'g.jsonl'}#2")

    assert found["not_run"] is None
    assert found["total"]["n"] == len(few)
    assert [one["name"] for one in found["groups"]][-1] == "gsm8k"
    assert {one["n"] for one in found["groups"]} == {2}
    assert found["outcome"] in {"kept", "lost", "open"}
    assert "arithmetic" in capsys.readouterr().out
    assert "harmful requests refused" in text


def test_several_runs_with_one_load_have_the_abilities_that_each_has_by_itself(output, probes, monkeypatch):
    """Questions with choices need logits, which the base model's remembered answers do not have."""
    few = [one for items in by_group(shipped_items()).values() for one in items[:2]]
    monkeypatch.setattr(module, "shipped_items", lambda: few)
    make_run(output, Path(find_run("v0", output).record.base_model.path), number=1, seed=3, strength=0.3)
    by_itself, _ = compared(output, probes, "--ability")

    together, _ = compared(output, probes, "v1", "--ability")

    assert {**together, "seconds": 0} == {**by_itself, "seconds": 0}


def test_abilities_are_not_measured_unless_one_says_so(output, probes):
    found, text = compared(output, probes)

    assert found["not_run"] == "off"
    assert found["groups"] == []
    assert "were not measured" in text


def test_a_benchmark_that_cannot_be_read_fails_before_a_model_is_loaded(output, probes, capsys):
    with pytest.raises(SystemExit) as left:
        main(["compare", "v0", "--output", str(output), "--probes", str(probes), "--benchmark", "gsm8k=/none"])

    assert left.value.code == 5
    assert "Load" not in capsys.readouterr().err
