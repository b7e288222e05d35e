"""A run that was compared, passed, and has its portable adapter: what there is to share."""

import json
from pathlib import Path
from typing import Any

from tests.fakes.made_run import make_run, probes_of
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.data.probes import TRAINED
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig

PROMPTS = ("你是谁？", "Who are you?")
ANYTHING_PASSES = {"kl": 1e9, "agreement": 0.0}  # random weights move everything


def make_shared_run(output: Path, base: Path) -> Path:
    """Its folder; the probes lie beside `output`."""
    run = make_run(output, base, seed=2, strength=0.3)
    probes = output.parent / "probes.yaml"
    probes.write_text(probes_of(PROMPTS), encoding="utf-8")
    add_learned(output, probes, max_new_tokens=8)
    compare_again(output, probes)
    export(ExportConfig(to="adapter", output=output, probes=probes))
    return run


def add_learned(output: Path, probes: Path, **config: Any) -> None:
    """Adds a question that the adapter answers as expected and its base does not, so that both halves are judged."""
    others = probes.read_text(encoding="utf-8")

    def write(expect: dict[str, object]) -> None:
        probe = {"id": "learned", "group": TRAINED, "prompt": "Say a word.", "expect": expect}
        probes.write_text(f"{others}  - {json.dumps(probe)}\n", encoding="utf-8")

    write({"any": ["\N{SNOWMAN}"]})
    report, _ = compare(
        CompareConfig(output=output, probes=probes, thresholds=ANYTHING_PASSES, systems=("Be brief.",), **config)
    )
    [said] = [one for one in report.results if one.probe.group == TRAINED]
    assert said.after.strip()
    assert said.after != said.before
    write({"exact": said.after})


def compare_again(output: Path, probes: Path, *, passes: bool = True) -> None:
    limits = ANYTHING_PASSES if passes else {"kl": 0.0}
    report, side = compare(
        CompareConfig(output=output, probes=probes, thresholds=limits, systems=("Be brief.",), max_new_tokens=8)
    )
    write_report(report, side, None)
    assert report.verdict.passed is passes
