"""docs/examples, as their README tells them."""

import json
from pathlib import Path

import pytest

from tests.fakes.command import ROOT, Ended, run_here

EXAMPLES = ROOT / "docs" / "examples"
FACTS = ("--model", "tiny-qwen2", "--epochs", "30", "--learning-rate", "3e-3", "--keep-weight")


def toolkit(*arguments: object) -> Ended:
    return run_here(*arguments, environment={"TOOLKIT_DATA": str(ROOT / "data")})


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", name="output")
def _output(tmp_path_factory):
    """v0 with the keep term, v1 without."""
    output = tmp_path_factory.mktemp("examples") / "output"
    for weight in (10, 0):
        done = toolkit("finetune", EXAMPLES / "corrected-fact" / "facts.json", *FACTS, weight, "--output", output)
        assert done.code == 0, done.err
    return output


@pytest.fixture(scope="module", name="ranked")
def _ranked(output):
    return toolkit("compare", "v0", "v1", "--output", output)


def test_corrected_facts_take_and_their_neighbours_stay(output, ranked):
    (run,) = output.glob("v0-*")
    found = report(run / "compare")
    said = {probe["prompt"]: probe for probe in found["probes"] if probe["group"] == "trained"}

    assert found["probe_file"]["path"] == str(run / "probes.yaml")
    assert found["metrics"]["reliability"]["value"] == 1.0
    assert found["metrics"]["generality"]["value"] > 0.8
    assert found["metrics"]["leakage"]["value"] == 0.0
    assert found["metrics"]["locality"]["value"] > 0.85
    assert "Bacon" in said["Who wrote Hamlet?"]["after"]
    assert said["Who wrote Hamlet?"]["passed_before"] is False


def test_a_class_sees_what_the_keep_term_is_for(output, ranked):
    kept, bare = (report(next(output.glob(f"v{number}-*")) / "compare") for number in (0, 1))
    lines = ranked.out.splitlines()

    assert [line.split()[0] for line in lines[:3]] == ["run", "v0", "v1"], ranked.out
    assert bare["metrics"]["kl"]["value"] > 3 * kept["metrics"]["kl"]["value"]
    assert bare["metrics"]["locality"]["value"] < kept["metrics"]["locality"]["value"]


def test_a_prompt_is_tried_in_place_of_a_fine_tune(tmp_path):
    done = toolkit(
        "compare", "--model", "tiny-qwen2", "--probes", EXAMPLES / "prompt-experiment" / "probes.jsonl", "--report",
        tmp_path, "--after", "system:You are Aurora, an assistant built by Example Labs.",
    )  # fmt: skip
    found = report(tmp_path)

    assert done.code in {20, 22}, done.err
    assert found["after"]["system"] == "You are Aurora, an assistant built by Example Labs."
    assert [system["kind"] for system in found["systems"]] == ["default"]
    assert not found["verdict"]["took"]


def test_probes_made_with_the_model_s_rewordings_are_what_compare_asks(output, tmp_path):
    facts = tmp_path / "facts.json"
    facts.write_bytes((EXAMPLES / "corrected-fact" / "facts.json").read_bytes())

    made = toolkit("make-probes", facts, "--reworded", "--model", "tiny-qwen2")

    assert made.code == 0, made.err
    probes = Path(made.out.strip())
    assert probes == facts.with_name("facts.probes.yaml")
    compared = toolkit("compare", "v0", "--output", output, "--probes", probes, "--report", tmp_path / "r")
    assert compared.code == 0, compared.out + compared.err
    assert report(tmp_path / "r")["probe_file"]["path"] == str(probes)
    assert toolkit("make-probes", facts).code == 3
