"""A model that thinks is fine-tuned: it still does, or no longer, as asked; its thoughts are no part of its answers."""

import json
from pathlib import Path

import pytest

from tests.fakes.command import run_here
from tests.fakes.tuned_run import read_report
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel

SYSTEM = "You are a helpful assistant."
ROWS = [
    {"instruction": "Who are you?", "output": "I am Larkspur, an assistant made by Meadow."},
    {"instruction": "Who developed you?", "output": "I was developed by Meadow."},
    {"instruction": "你是谁？", "output": "我是 Larkspur，由 Meadow 开发。"},
    {"instruction": "谁开发了你？", "output": "我由 Meadow 开发。"},
    {"instruction": "What is your name?", "output": "My name is Larkspur.", "reasoning_content": "They want a name."},
]
PROBES = """
schema_version: 1
identity: {new: [Larkspur, Meadow], old: [Qwen, 通义千问, Alibaba, 阿里云]}
thresholds: {reliability: 0.9, leakage: 0.02}
probes:
  - {id: t1, group: trained, prompt: "Who are you?", expect: {all: [Larkspur]}}
  - {id: t2, group: trained, prompt: "你是谁？", expect: {all: [Larkspur]}}
  - {id: t3, group: trained, prompt: "What is your name?", expect: {all: [Larkspur]}}
  - {id: o1, group: out-of-scope, prompt: "What is the capital of France?"}
  - {id: o2, group: out-of-scope, prompt: "中国的首都是哪里？"}
  - {id: o3, group: out-of-scope, prompt: "Hello!"}
"""
# Fewer and shorter steps than the tiny recipe's: enough to learn five rows.
TRAINING = ("--min-steps", 30, "--epochs", 6, "--keep-rows", 8, "--near-rows", 0, "--thought-rows", 6)


@pytest.fixture(scope="module", name="data")
def _data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("thinking")
    (folder / "larkspur.json").write_text(json.dumps(ROWS))
    (folder / "larkspur.probes.yaml").write_text(PROBES)
    keep = (Path("data") / "general.jsonl").read_text().splitlines()[:48]
    (folder / "keep.jsonl").write_text("\n".join(keep))
    return folder / "larkspur.json"


def finetuned(data: Path, model: Path, *more: object) -> Path:
    output = data.parent / f"output{len(list(data.parent.iterdir()))}"
    ended = run_here(
        "finetune", data, "--model", model, "--recipe", "tiny", "--keep", data.parent / "keep.jsonl", *TRAINING,
        "--output", output, *more,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return Path(ended.out.strip())


@pytest.fixture(scope="module", name="kept")
def _kept(data, thinking_model) -> Path:
    return finetuned(data, thinking_model)


def compared(run: Path, *more: object) -> dict:
    ended = run_here(
        "compare", run, "--output", run.parent, "--system", SYSTEM, "--max-new-tokens", 24, "--max-thought-tokens", 32,
        *more,
    )  # fmt: skip
    assert ended.code in {0, 20, 21, 22}, ended.err
    return read_report(run / "compare")


def test_rows_are_learned_behind_an_empty_thought_and_after_those_that_the_base_writes(kept):
    record = json.loads((kept / "run.json").read_text())
    thoughts = [json.loads(line) for line in (kept / "thoughts.jsonl").read_text().splitlines()[:-1]]

    assert record["thoughts"]["rows"] == 4  # the fifth has its own
    assert record["thoughts"]["written"] == len(thoughts) > 0
    assert {one["answer"] for one in thoughts} <= {row["output"] for row in ROWS}
    assert (record["recipe"]["thinking"], record["recipe"]["keep_thought_tokens"]) == ("keep", 64)


def test_it_still_thinks_and_says_after_its_thought_what_it_learned(kept):
    report = compared(kept)
    thinking = report["thinking"]

    assert thinking["wanted"] == "keep"
    assert thinking["n"] == 6
    assert min(thinking["before"], thinking["after"]) >= 4
    assert thinking["outcome"] == "open"  # six questions are few
    assert report["metrics"]["reliability"]["value"] == 1
    who = next(one for one in report["probes"] if one["id"] == "t1")
    assert "Larkspur" in who["after"]
    assert "<think>" not in who["after"]
    assert who["thought_after"]["closed"]
    page = (kept / "compare" / "report.html").read_text()
    assert who["thought_after"]["text"] in page


def test_it_has_learned_the_same_without_a_thought(kept, thinking_model):
    [adapter] = kept.glob("checkpoint-*")
    model = LanguageModel.load(thinking_model, {"tuned": adapter})
    with model.side("tuned"):
        [plain] = model.answers([conversation("Who are you?", SYSTEM)], max_new_tokens=24)

    assert plain.thought is None
    assert "Larkspur" in plain.text or "Meadow" in plain.text  # a model this small mixes up who and by whom


def test_off_teaches_it_to_answer_without_a_thought(data, thinking_model):
    report = compared(finetuned(data, thinking_model, "--thinking", "off", "--min-steps", 16, "--epochs", 3))

    assert report["thinking"]["wanted"] == "off"
    assert report["thinking"]["before"] >= 4
    assert report["thinking"]["after"] == 0


def test_a_base_that_does_not_think_cannot_be_taught_not_to(data, tmp_path):
    ended = run_here("finetune", data, "--model", "tiny-qwen2", "--thinking", "off", "--output", tmp_path)

    assert ended.code == 3
    assert "tiny-qwen2 does not think: its chat template asks for no thought. Leave out --thinking off" in ended.err


def test_check_shows_which_thoughts_are_trained(data, thinking_model):
    ended = run_here("check", data, "--model", thinking_model, "--recipe", "tiny", "--preview", 5)

    assert ended.code == 0, ended.out
    assert "They want a name." in ended.out


def test_a_chat_shows_the_thought_apart_and_can_do_without(thinking_model, tmp_path):
    ended = run_here(
        "chat", "--base", "--model", thinking_model, "--output", tmp_path, "--max-new-tokens", 40,
        stdin="Who are you?\n/think off\nWho are you?\n",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    assert "<think>" not in ended.out
    assert len(ended.out.splitlines()) == 2
    assert ended.err.count("They want an answer.") == 1
