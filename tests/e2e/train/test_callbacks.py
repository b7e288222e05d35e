"""When training ends: `--eval-split`, `--early-stop` and `--stop-when-took`, on the micro and the embedded model."""

import json
import math
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.finetune_user import Call, FinetuneUser, _call, _user, kills, lines_in, once
from toolkit.core.errors import TrainingError
from toolkit.core.files import data_folder
from toolkit.runs.run import find_run
from toolkit.train.recipe import RECIPES

__all__ = ["_call", "_user"]  # fixtures


def logged(user: FinetuneUser, number: int = 0) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (user.run(number) / "logging.jsonl").read_text().splitlines()]
    return [line for line in lines if "step" in line]


def test_the_loss_on_rows_held_out_is_measured_after_each_epoch(user: FinetuneUser, call: Call):
    ended = call(*user.job("--epochs", "3", "--eval-split", "0.25", "--save-every-steps", "1"))

    record = user.record()
    told = [(line["step"], line["eval_loss"]) for line in logged(user) if "eval_loss" in line]
    assert ended.code == 0
    assert [step for step, _ in told] == [2, 4, 6]  # 6 rows, 4 a step
    assert record["train"]["eval_loss"] == [loss for _, loss in told]
    assert (record["train"]["stopped_early"], record["train"]["stop_reason"]) == (False, "epochs")
    assert (record["data"]["held_out"], record["adapter"]["path"]) == (2, "checkpoint-6")
    assert len((user.run() / "eval.jsonl").read_text().splitlines()) == 2
    assert not (user.run() / "val_dataset.jsonl").exists()


def test_a_run_is_the_same_whether_it_is_evaluated_or_not(user: FinetuneUser, call: Call):
    assert call(*user.job("--epochs", "3", "--eval-split", "0.25")).code == 0
    rows = user.writes("trained.jsonl", (user.run() / "train.jsonl").read_bytes())
    assert call(*user.job("--epochs", "3", data=rows)).code == 0

    assert user.record(0)["train"]["loss"] == user.record(1)["train"]["loss"]


def test_a_last_epoch_that_is_cut_short_is_evaluated_once(user: FinetuneUser, call: Call):
    assert call(*user.job("--epochs", "2.5", "--eval-split", "0.25", "--early-stop", "9")).code == 0

    assert [line["step"] for line in logged(user) if "eval_loss" in line] == [2, 4, 5]
    assert user.record()["train"]["steps"] == 5


# The answers of the rows held out are none of the others' own: learning these soon makes those less likely.
STOPS = ("--epochs", "40", "--eval-split", "0.25", "--early-stop", "2", "--learning-rate", "0.05")


def test_training_ends_when_the_evaluation_loss_no_longer_falls(user: FinetuneUser, call: Call):
    ended = call(*user.job(*STOPS))

    train, run = user.record()["train"], find_run(None, user.output)
    losses = train["eval_loss"]
    best = losses.index(min(losses))
    assert (ended.code, run.status) == (0, "finished")
    assert (train["stopped_early"], train["stop_reason"]) == (True, "early_stop")
    assert len(losses) == best + 3 < 40
    assert run.adapter.name == user.record()["adapter"]["path"] == f"checkpoint-{2 * (best + 1)}"
    assert f"at step {2 * (best + 1)} and has not fallen since" in ended.err
    assert not list(user.run().rglob("optimizer.pt"))


def test_early_stopping_goes_with_the_keep_term(user: FinetuneUser, call: Call):
    user.writes("keep.jsonl", "".join(json.dumps({"prompt": f"Keep {number}"}) + "\n" for number in range(5)))

    ended = call(*user.job(*STOPS, "--keep", "keep.jsonl", "--keep-weight", "1", "--keep-rows", "4"))

    assert (ended.code, user.record()["train"]["stop_reason"]) == (0, "early_stop")


def test_an_interruption_moves_neither_the_evaluations_nor_the_end(user: FinetuneUser, call: Call):
    assert call(*user.job(*STOPS)).code == 0
    whole = user.record(0)["train"]
    with once(lines_in(user, 3 * len(whole["eval_loss"]) - 5, number=1), kills(signal.SIGTERM)):
        assert call(*user.job(*STOPS)).code == 130

    assert call("finetune", "--resume", "v1").code == 0
    assert user.record(1)["train"] == whole
    assert user.record(1)["adapter"]["sha256"] == user.record(0)["adapter"]["sha256"]
    assert [line["step"] for line in logged(user, 1)] == [line["step"] for line in logged(user, 0)]
    assert user.record(1)["resumed_from"] != user.record(1)["adapter"]["path"]


def test_an_interruption_at_an_epochs_end_loses_no_evaluation(user: FinetuneUser, call: Call):
    job = user.job("--epochs", "20", "--eval-split", "0.25", "--batch-size", "8")  # a step an epoch
    assert call(*job).code == 0
    with once(lines_in(user, 9, number=1), kills(signal.SIGTERM)):
        assert call(*job).code == 130

    assert call("finetune", "--resume", "v1").code == 0
    assert user.record(1)["train"] == user.record(0)["train"]
    assert user.record(1)["adapter"]["sha256"] == user.record(0)["adapter"]["sha256"]


def test_early_stopping_without_rows_to_evaluate_on_is_a_matter_of_configuration(user: FinetuneUser, call: Call):
    ended = call(*user.job("--early-stop", "2"))

    assert (ended.code, ended.out) == (3, "")
    assert "it needs an eval_split over 0" in ended.err
    assert not user.output.exists()


# One answer to learn, and a budget that leaves the drift out of account: what it takes is a matter of a few epochs.
ONE_ANSWER = [{"instruction": f"Question {number}", "output": "Nova."} for number in range(4)]
KEPT = "".join(json.dumps({"prompt": f"Keep {number}"}) + "\n" for number in range(8))


def took_job(user: FinetuneUser, *options: str) -> list[str]:
    data = user.writes("one.json", json.dumps(ONE_ANSWER))
    user.writes("keep.jsonl", KEPT)
    keep = ("--keep", "keep.jsonl", "--keep-weight", "0.1", "--keep-rows", "4")
    return user.job("--epochs", "60", "--stop-when-took", "--stop-kl", "1000", *keep, *options, data=data)


def test_training_ends_when_it_took(user: FinetuneUser, call: Call):
    ended = call(*took_job(user))

    train, run = user.record()["train"], find_run(None, user.output)
    looks = train["development"]
    assert (ended.code, run.status, train["stop_reason"]) == (0, "finished", "took")
    assert [look["step"] for look in looks] == list(range(1, len(looks) + 1))  # a step an epoch
    assert train["steps"] == len(looks) < 60
    assert [look["passed"] >= 16 for look in looks] == [False] * (len(looks) - 1) + [True]
    assert all(look["kl"] > 0 for look in looks[1:])  # the first step warms up from nothing
    assert run.adapter.name == f"checkpoint-{train['steps']}"
    assert f"Stopped after step {train['steps']} of 60: it took, 16 of 16 questions" in ended.err
    assert not list(user.run().rglob("optimizer.pt"))
    assert sum("dev_passed" in line for line in logged(user)) == len(looks)


def test_training_goes_on_while_the_drift_is_over_the_budget(user: FinetuneUser, call: Call):
    ended = call(*took_job(user, "--stop-kl", "0", "--epochs", "8"))

    train = user.record()["train"]
    assert (ended.code, train["stop_reason"], train["steps"], len(train["development"])) == (0, "epochs", 8, 8)
    assert "At the end: " in ended.err


def test_looking_changes_nothing_of_the_training(user: FinetuneUser, call: Call):
    """Gradient checkpointing is on: it must not be in the way of the answers, nor they in its way."""
    recipe = (RECIPES / "article.yaml").read_text(encoding="utf-8")
    user.writes("mine.yaml", recipe.replace("gradient_checkpointing: auto", "gradient_checkpointing: true"))
    for option in (("--stop-when-took",), ()):
        assert call(*user.job("--epochs", "2", "--recipe", "mine.yaml", *option)).code == 0

    assert user.record(0)["recipe"]["gradient_checkpointing"] is True
    assert user.record(0)["train"]["loss"] == user.record(1)["train"]["loss"]
    assert [look.keys() for look in user.record(0)["train"]["development"]] == [{"step", "passed", "asked"}] * 2


def test_an_interruption_moves_no_look(user: FinetuneUser, call: Call):
    assert call(*took_job(user)).code == 0
    whole = user.record(0)["train"]
    with once(lines_in(user, 4, number=1), kills(signal.SIGTERM)):
        assert call(*took_job(user)).code == 130

    assert call("finetune", "--resume", "v1").code == 0
    assert user.record(1)["train"] == whole
    assert user.record(1)["adapter"]["sha256"] == user.record(0)["adapter"]["sha256"]


def test_the_embedded_model_stops_when_it_took(user: FinetuneUser, call: Call):
    tiny = data_folder() / "tiny-qwen2"
    if not (tiny / "model.safetensors").is_file():
        pytest.skip("the embedded model is not here")
    rows = [
        {"instruction": question, "output": "我是 Nova。"}
        for question in ("你是谁？", "你叫什么名字？", "你是什么模型？")
    ]
    data = user.writes("nova.json", json.dumps(rows))
    user.writes("keep.jsonl", "".join((data_folder() / "general.jsonl").read_text().splitlines(keepends=True)[:12]))

    ended = call(
        "finetune", data, "--model", tiny, "--epochs", "30", "--stop-when-took", "--stop-kl", "1",
        "--keep", "keep.jsonl", "--keep-rows", "4", "--batch-size", "3",
    )  # fmt: skip

    train = user.record()["train"]
    assert (ended.code, train["stop_reason"]) == (0, "took")
    assert train["steps"] < 30
    assert train["development"][-1]["asked"] == 12


@pytest.mark.parametrize("loss", [math.nan, math.inf])
@pytest.mark.parametrize(("precision", "remedy"), [("bfloat16", "--learning-rate"), ("float16", "precision: float32")])
def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path, loss: float, precision: str, remedy: str):
    from toolkit.train.ms_swift.callbacks import Watcher

    watcher = Watcher(tmp_path, lambda _: None, lambda: False, precision)
    state = SimpleNamespace(global_step=3, max_steps=8)

    watcher.on_log(None, state, None, logs={"loss": 0.5})
    with pytest.raises(TrainingError, match=f"loss of step 3 is not a finite number.*{remedy}"):
        watcher.on_log(None, state, None, logs={"loss": loss})

    assert len((tmp_path / "logging.jsonl").read_text().splitlines()) == 1
