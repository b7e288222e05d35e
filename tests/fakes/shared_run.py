"""A run that was compared, passed, and has its portable adapter: what there is to share."""

from pathlib import Path

from tests.fakes.made_run import make_run, probes_of
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig

PROMPTS = ("你是谁？", "Who are you?")
ANYTHING_PASSES = {"kl": 1e9, "agreement": 0.0}  # random weights move everything


def make_shared_run(output: Path, base: Path) -> Path:
    """Its folder; the probes lie beside `output`."""
    run = make_run(output, base, seed=2, strength=0.3)
    probes = output.parent / "probes.yaml"
    probes.write_text(probes_of(PROMPTS), encoding="utf-8")
    compare_again(output, probes)
    export(ExportConfig(to="adapter", output=output, probes=probes))
    return run


def compare_again(output: Path, probes: Path, *, passes: bool = True) -> None:
    limits = ANYTHING_PASSES if passes else {"kl": 0.0}
    report, side = compare(
        CompareConfig(output=output, probes=probes, thresholds=limits, systems=("Be brief.",), max_new_tokens=8)
    )
    write_report(report, side, None)
    assert report.verdict.passed is passes
