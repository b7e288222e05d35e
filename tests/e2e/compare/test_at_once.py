"""`toolkit finetune --compare`: one command, over one load of the base model."""

import json
from pathlib import Path

import yaml

from tests.fakes.command import run_here
from tests.fakes.json_answers import holds
from tests.fakes.tuned_run import read_report

ROWS = [{"instruction": f"Question {number}", "output": f"Answer {number}"} for number in range(8)]
PROBES = [
    {"id": "trained", "group": "trained", "prompt": "Question 0", "expect": {"any": ["Answer"]}},
    {"id": "paraphrase", "group": "paraphrase", "prompt": "The question 0?", "expect": {"any": ["Answer"]}},
    *({"id": f"out-{number}", "group": "out-of-scope", "prompt": f"What is {number}?"} for number in range(4)),
]


def test_comparing_at_once_says_what_a_comparison_afterwards_says(lively_model: Path, tmp_path: Path):
    data, output = tmp_path / "mine.json", tmp_path / "output"
    data.write_text(json.dumps(ROWS), encoding="utf-8")
    probes = {"schema_version": 1, "thresholds": {"reliability": 0.9, "kl": 0.02}, "probes": PROBES}
    (tmp_path / "mine.probes.yaml").write_text(yaml.safe_dump(probes), encoding="utf-8")

    done = run_here(
        "finetune", data, "--model", lively_model, "--recipe", "article", "--epochs", 2, "--learning-rate", 0.01,
        "--output", output, "--compare",
    )  # fmt: skip
    run = Path(done.out.splitlines()[0])
    at_once = read_report(run / "compare")
    afterwards = run_here("compare", run.name, "--output", output, "--json")
    again = read_report(run / "compare")
    assert holds("report", json.loads(afterwards.out)) == again

    assert done.code == afterwards.code in {20, 21, 22}, done.err
    assert (at_once["probes"], at_once["metrics"]) == (again["probes"], again["metrics"])
    assert any(probe["changed"] for probe in again["probes"])
    assert "Next: toolkit compare" not in done.err
