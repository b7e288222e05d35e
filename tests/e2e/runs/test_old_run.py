"""A run folder of the version before toolkit/ had rooms: it resumes, compares and exports as it did then.

tests/fixtures/runs holds two runs of the embedded model with the same settings: v0 finished and was compared, v1 was
interrupted after step 12 of 24. Only the machine's paths were replaced; neither exists here.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from tests.fakes.command import ROOT, run_here
from tests.fakes.tuned_run import read_report

OUTPUT = ROOT / "tests" / "fixtures" / "runs"


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Path:
    return shutil.copytree(OUTPUT, tmp_path / "output", symlinks=True)


def record(output: Path, number: int) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run_here("runs", "show", f"v{number}", "--output", output, "--json").out)
    return value


def adapter(output: Path, number: int) -> Path:
    return next(output.glob(f"v{number}-*/checkpoint-24"))


def figures(report: dict[str, Any]) -> dict[str, float | None]:
    """By system prompt and metric."""
    return {
        f"{system}: {name}": metric["value"]
        for system, metrics in report["per_system"].items()
        for name, metric in metrics.items()
    }


def answers(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    """By probe and system prompt."""
    return {(probe["id"], probe["system"]): probe["after"] for probe in report["probes"]}


@pytest.fixture(name="probes")
def _probes(tmp_path: Path) -> Path:
    probes = tmp_path / "probes.yaml"
    probes.write_text("schema_version: 1\nprobes: [{id: one, group: out-of-scope, prompt: 'Who are you?'}]\n")
    return probes


def test_it_is_listed_with_its_verdict(output: Path):
    listed = json.loads(run_here("runs", "--output", output, "--json").out)

    assert [(run["run_id"], run["status"], run["latest"]) for run in listed] == [
        ("v0-20261128-173936", "finished", True), ("v1-20261128-174046", "interrupted", False),
    ]  # fmt: skip
    assert listed[0]["verdict"] is not None
    assert listed[1]["verdict"] is None


def test_it_resumes_to_the_end_that_an_uninterrupted_run_had(output: Path):
    resumed = run_here("finetune", "--resume", "v1", "--output", output)

    assert resumed.code == 0, resumed.err
    whole, pieced = (json.loads(next(output.glob(f"v{n}-*/run.json")).read_text(encoding="utf-8")) for n in (0, 1))
    assert (pieced["status"], pieced["resumed_from"]) == ("finished", "checkpoint-12")
    assert pieced["train"]["loss"] == pytest.approx(whole["train"]["loss"], rel=1e-3)
    weights, expected = (load_file(adapter(output, number) / "adapter_model.safetensors") for number in (1, 0))
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        assert weights[name] == pytest.approx(values, abs=1e-3), name


def test_it_compares_to_the_figures_that_it_had(output: Path):
    before = read_report(next(output.glob("v0-*")) / "compare")

    compared = run_here("compare", "v0", "--output", output)

    after = read_report(next(output.glob("v0-*")) / "compare")
    assert compared.code == 20, compared.err
    assert {name: after["verdict"][name] for name in ("took", "kept", "passed")} == {
        name: before["verdict"][name] for name in ("took", "kept", "passed")
    }
    found = figures(after)
    assert {name: found[name] for name in figures(before)} == pytest.approx(figures(before), abs=1e-3)
    now, then = answers(after), answers(before)
    assert {asked: now[asked] for asked in then} == then  # of the shipped probes, to which others were added since


def test_an_interrupted_one_compares_by_its_last_checkpoint(output: Path, probes: Path):
    compared = run_here("compare", "v1", "--output", output, "--probes", probes)

    assert compared.code in {0, 20, 21, 22}, compared.err
    assert read_report(next(output.glob("v1-*")) / "compare")["after"]["name"] == "v1-20261128-174046"


@pytest.mark.parametrize("target", ["merged", "adapter"])
def test_it_exports(output: Path, probes: Path, target: str):
    exported = run_here("export", "v0", "--to", target, "--output", output, "--probes", probes)

    assert exported.code == 0, exported.err
    manifest = json.loads((Path(exported.out.strip()) / "export.json").read_text(encoding="utf-8"))
    assert manifest["parity"]["holds"] is True
    assert manifest["adapter_sha256"] == record(output, 0)["adapter"]["sha256"]
