"""Two runs side by side for real: two adapters on the embedded model, compared, then put beside each other."""

import json

import jsonschema
import pytest

from tests.fakes.command import DATA, run_here
from tests.fakes.made_run import make_run
from toolkit.compare.report.pair.record import pair_schema
from toolkit.runs.run import find_run

PROBES = """
{"id": "t", "group": "trained", "prompt": "你是谁？", "expect": {"any": ["通义千问"]}}
{"id": "p", "group": "paraphrase", "prompt": "Who are you?", "expect": {"any": ["Qwen"]}}
{"id": "o", "group": "out-of-scope", "prompt": "What is the capital of Italy?"}
{"id": "n", "group": "out-of-scope", "prompt": "法国的首都是哪里？"}
"""
MORE = '\n{"id": "x", "group": "out-of-scope", "prompt": "What is 2 + 3?"}'


@pytest.fixture(scope="module", name="output")
def _output(tmp_path_factory):
    """v0 hardly differs from the base model, v1 much; v1 was asked one question more."""
    output = tmp_path_factory.mktemp("pair") / "output"
    for number, strength in ((0, 0.001), (1, 1.0)):
        make_run(output, DATA / "tiny-qwen2", number=number, seed=number, strength=strength)
        probes = output.parent / f"probes-{number}.jsonl"
        probes.write_text((PROBES + MORE * number).strip(), encoding="utf-8")
        done = run_here("compare", f"v{number}", "--probes", str(probes), "--max-new-tokens", "8",
                        "--output", str(output))  # fmt: skip
        assert done.code in {0, 20, 21, 22}, done.err
    return output


def test_the_page_and_its_json_have_both_runs_and_their_difference(output):
    done = run_here("runs", "compare", "v0", "v1", "--output", str(output), "--json")

    value = json.loads(done.out)
    jsonschema.validate(value, pair_schema())
    assert done.code == 0
    assert (value["counts"]["both"], value["counts"]["only_left"], value["counts"]["only_right"]) == (16, 0, 4)
    assert value["left"]["name"] == "v0"
    assert "other probes were asked" in value["explanation"]
    assert value["differs"][0] == "Answers to questions that only v1 was asked: 4"


def test_each_figure_is_the_one_of_the_runs_own_report(output):
    value = json.loads(run_here("runs", "compare", "v0", "v1", "--output", str(output), "--json").out)

    for side, name in (("left", "v0"), ("right", "v1")):
        report = json.loads((find_run(name, output).folder / "compare" / "report.json").read_text(encoding="utf-8"))
        assert value[side]["metrics"] == report["metrics"]
        assert value[side]["verdict"] == report["verdict"]


def test_the_drift_of_each_answer_is_paired(output):
    """Over the two questions that both were asked; v1's own figure has its third one too."""
    value = json.loads(run_here("runs", "compare", "v0", "v1", "--output", str(output), "--json").out)
    report = json.loads((find_run("v1", output).folder / "compare" / "report.json").read_text(encoding="utf-8"))
    drifts = {one["id"]: one["drift"] for one in report["probes"] if one["drift"]}

    found = value["differences"]["kl"]

    assert (found["questions"], found["left_better"], found["right_better"]) == (2, 2, 0)
    pairs = [drifts["o"], drifts["n"]]
    assert found["right"] == pytest.approx(
        sum(one["kl_sum"] for one in pairs) / sum(one["tokens"] for one in pairs), rel=1e-6
    )
    assert found["low"] <= found["value"] <= found["high"]
    assert set(drifts) == {"o", "n", "x"}


def test_the_page_is_in_the_language_that_was_asked_for(output):
    done = run_here("runs", "compare", "v1", "v0", "--output", str(output), "--lang", "zh")

    (folder,) = [path for path in (output / "pairs").iterdir() if path.name.startswith("v1")]
    assert done.code == 0
    assert "两次运行并排对照" in (folder / "pair.html").read_text(encoding="utf-8")
    assert str(folder / "pair.html") in done.err
