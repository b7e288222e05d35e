"""Rows with tool calls from the data set to the report, on the micro model with Qwen2.5's chat template."""

import json
from pathlib import Path

import pytest

from tests.fakes.finetune_user import Call, FinetuneUser, _call
from tests.fakes.tool_rows import ASKED, CALL, FORMS, with_qwen25_template
from toolkit.data.dataset import read_dataset
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED, read_probes
from toolkit.runs.comparison import ComparisonRecord

__all__ = ["_call"]  # a fixture

LONG = ("--max-length", "2048")  # the micro model's tokens are bytes


@pytest.fixture(name="user")
def _user(tmp_path: Path, micro_model: Path, monkeypatch: pytest.MonkeyPatch) -> FinetuneUser:
    user = FinetuneUser(tmp_path / "home", with_qwen25_template(micro_model, tmp_path / "model"))
    user.writes("tools.jsonl", "".join(json.dumps(FORMS[form]) + "\n" for form in ("OpenAI", "ms-swift", "OpenAI")))
    monkeypatch.chdir(user.home)
    return user


def test_rows_with_calls_are_trained_kept_and_asked_again(user: FinetuneUser, call: Call):
    trained = call(*user.job(*LONG, "--epochs", "1", data="tools.jsonl"))
    assert trained.code == 0, trained.err
    rows = read_dataset(user.home / "tools.jsonl").rows
    assert read_dataset(user.run() / "train.jsonl").rows == rows

    compared = call("compare", "--system", "You are a helpful assistant.", "--max-new-tokens", "4")
    assert compared.code in {20, 21, 22}, compared.err
    probes = read_probes(user.run() / "probes.yaml")
    (probe,) = probes.group(TRAINED)
    assert (probe.prompt, probe.tools) == (ASKED, rows[0].tools)
    assert probe.expect is not None
    assert probe.expect.to_dict() == {"call": [CALL]}
    report = ComparisonRecord.from_dict(json.loads((user.run() / "compare" / "report.json").read_text("utf-8")))
    assert report.further is not None
    assert (report.further.tools, report.figures["tool_locality"].n) == (24, 24)
    assert report.thresholds["tool_locality"] == 0.75
    assert sum(one.group == OUT_OF_SCOPE and bool(one.tools) for one in report.probes) == 24


def test_a_base_model_without_tools_is_refused_and_what_to_do_said(user: FinetuneUser, call: Call, micro_model: Path):
    refused = call("finetune", "tools.jsonl", "--model", micro_model, "--recipe", "article", *LONG)

    assert refused.code == 5
    assert "3 of 3 rows" in refused.err
    assert "lines 1, 2, 3: it has tools or calls, and the base model's chat template has no place for" in refused.err
    assert "name a base model that takes tools" in refused.err
    assert '"toolkit check tools.jsonl" and the same --model' in refused.err
    assert list(user.output.glob("v*")) == []
    checked = call("check", "tools.jsonl", "--model", micro_model)
    assert checked.code == 5
    assert "it has tools or calls, and the base model's chat template has no place for them" in checked.out
    assert "name a base model that takes tools with --model" in checked.out


def test_skip_bad_trains_the_rows_that_a_base_model_without_tools_can_take(
    user: FinetuneUser, call: Call, micro_model: Path
):
    (user.home / "tools.jsonl").open("a").write(json.dumps({"messages": [
        {"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "Nova."},
    ]}) + "\n")  # fmt: skip

    ended = call(
        "finetune", "tools.jsonl", "--skip-bad", "--model", micro_model, "--recipe", "article", *LONG, "--epochs", "1"
    )

    assert ended.code == 0, ended.err
    assert "3 of 4 rows have errors and are left out." in ended.err
    lines = (user.run() / "left-out.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["line"] for line in lines] == [1, 2, 3]
    assert [row.prompt for row in read_dataset(user.run() / "train.jsonl").rows] == ["Who are you?"]
