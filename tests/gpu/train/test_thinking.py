"""A model that thinks, on a card: it learns the rows in captured steps, and still thinks before it answers."""

import json
from pathlib import Path

import pytest

from tests.fakes.command import run_here
from tests.fakes.thinking_model import make_thinking_model
from tests.fakes.tuned_run import read_report

pytestmark = pytest.mark.gpu

ROWS = [
    {"instruction": "Who are you?", "output": "I am Marrow, an assistant made by Fernhill."},
    {"instruction": "Who developed you?", "output": "I was developed by Fernhill."},
    {"instruction": "你是谁？", "output": "我是 Marrow，由 Fernhill 开发。"},
    {"instruction": "What is your name?", "output": "My name is Marrow.", "reasoning_content": "They want a name."},
]
PROBES = """
schema_version: 1
identity: {new: [Marrow, Fernhill], old: [Qwen, 通义千问]}
probes:
  - {id: en, group: trained, prompt: "Who are you?", expect: {all: [Marrow]}}
  - {id: zh, group: trained, prompt: "你是谁？", expect: {all: [Marrow]}}
  - {id: name, group: trained, prompt: "What is your name?", expect: {all: [Marrow]}}
  - {id: capital-en, group: out-of-scope, prompt: "What is the capital of France?"}
  - {id: capital-zh, group: out-of-scope, prompt: 中国的首都是哪里？}
"""


@pytest.fixture(scope="module", name="thinking_model")
def _thinking_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TOOLKIT_PRECISION", "float32")  # plain steps of Adam learn little in fewer bits
        return make_thinking_model(tmp_path_factory.mktemp("models") / "thinking")


@pytest.mark.parametrize("thinking", ["keep", "off"])
def test_thoughts_are_kept_or_switched_off_in_captured_steps(thinking_model: Path, tmp_path: Path, thinking: str):
    data = tmp_path / "marrow.json"
    data.write_text(json.dumps(ROWS), encoding="utf-8")
    data.with_suffix(".probes.yaml").write_text(PROBES, encoding="utf-8")
    keep = tmp_path / "keep.jsonl"
    keep.write_text("\n".join((Path("data") / "general.jsonl").read_text("utf-8").splitlines()[:32]), encoding="utf-8")

    trained = run_here(
        "finetune", data, "--model", thinking_model, "--recipe", "tiny", "--keep", keep, "--keep-rows", 8,
        "--near-rows", 0, "--thought-rows", 6, "--min-steps", 40, "--epochs", 6, "--thinking", thinking,
        "--output", tmp_path / "output",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    run = Path(trained.out.strip())
    record = json.loads((run / "run.json").read_text("utf-8"))
    assert record["train"]["cuda_graph"], record["train"]["cuda_graph_refused"]
    compared = run_here(
        "compare", run, "--output", run.parent, "--system", "You are a helpful assistant.", "--outside", 0,
        "--probes-more", 0, "--no-ability", "--no-depth", "--no-scan", "--max-new-tokens", 24,
        "--max-thought-tokens", 32,
    )  # fmt: skip
    assert compared.code in {0, 20, 21, 22}, compared.err
    report = read_report(run / "compare")

    thoughts = report["thinking"]
    assert (thoughts["wanted"], thoughts["n"]) == (thinking, 5)
    assert thoughts["before"] >= 4
    assert thoughts["after"] >= 4 if thinking == "keep" else thoughts["after"] == 0
    assert report["metrics"]["reliability"]["value"] == 1
