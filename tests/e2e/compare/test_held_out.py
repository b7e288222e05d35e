"""Scores on rows that were not trained, on real models: against the loss of transformers over ms-swift's own labels."""

import json
from pathlib import Path

import pytest

from tests.fakes.made_run import make_run
from toolkit.compare.compare import CompareConfig, compare
from toolkit.data.dataset import read_dataset
from toolkit.data.encoding import IGNORED

ROWS = [
    {"messages": [{"role": "user", "content": "你是谁？"}, {"role": "assistant", "content": "我是小明，一个助手。"}]},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
                  {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Who?"},
                  {"role": "assistant", "content": "Nova"}]},
]  # fmt: skip
PROBES = """\
schema_version: 1
systems: [You are a helpful assistant.]
probes:
  - {id: t, group: trained, prompt: 'Who?', expect: {any: [Nova]}}
  - {id: p, group: paraphrase, prompt: 'Who is it?', expect: {any: [Nova]}}
  - {id: o, group: out-of-scope, prompt: 'What is 1 + 1?'}
"""


@pytest.fixture(name="compared", scope="module")
def _compared(lively_model: Path, tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("held-out")
    (home / "test.jsonl").write_text(
        "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in ROWS), encoding="utf-8"
    )
    (home / "probes.yaml").write_text(PROBES, encoding="utf-8")
    run = make_run(home / "output", lively_model)
    config = CompareConfig(
        run=run.name, output=home / "output", model=str(lively_model), probes=home / "probes.yaml",
        test=str(home / "test.jsonl"), max_new_tokens=8,
    )  # fmt: skip
    return compare(config)[0], run, home / "test.jsonl"


def loss_of_transformers(base: Path, rows: Path, adapter: Path | None) -> float:
    """Nats a token over the tokens of each row's last answer and its end, by ms-swift's encoding."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from toolkit.train.ms_swift import encoder

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    nats, tokens = 0.0, 0
    for row in encoder(base, 512).encode(read_dataset(rows).rows, "You are a helpful assistant."):
        labels = list(row.labels)
        last = max(at for at, label in enumerate(labels) if label == IGNORED) + 1  # where the last answer begins
        labels = [
            *[IGNORED] * last,
            *labels[last:-1],
            IGNORED,
        ]  # not the line end behind the end mark
        given = torch.tensor([list(row.input_ids)]), torch.tensor([labels])
        count = sum(label != IGNORED for label in labels)
        with torch.inference_mode():
            nats += float(model(input_ids=given[0], labels=given[1]).loss) * count
        tokens += count
    return nats / tokens


def test_the_loss_before_and_after_is_that_of_transformers(compared, lively_model):
    report, run, rows = compared
    loss = report.test.score("loss")

    assert loss.before == pytest.approx(loss_of_transformers(lively_model, rows, None), rel=1e-4)
    assert loss.after == pytest.approx(loss_of_transformers(lively_model, rows, run / "checkpoint-1"), rel=1e-4)
    assert loss.before != pytest.approx(loss.after, rel=1e-3)


def test_the_report_has_the_rows_and_both_sides_answers(compared):
    report, _, rows = compared

    assert (report.test.path, report.test.answered, report.test.trained) == (str(rows), 2, 0)
    assert [one.expected for one in report.test.answers] == ["我是小明，一个助手。", "Nova"]
    assert all(one.before != one.after for one in report.test.answers)
    assert report.timings_s["test"] > 0
