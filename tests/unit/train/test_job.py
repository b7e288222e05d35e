"""How a fine-tuning ends, with made-up doors: which checkpoint is the adapter, and what is said of it."""

import json
from pathlib import Path

import pytest

from tests.fakes.training import FakeTraining
from tests.unit.train.test_finetune import User, interrupted


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> User:
    return User(tmp_path)


def early(**ended: object) -> FakeTraining:
    """Ends after its fourth step of ten, the best of which was the second."""
    return FakeTraining(
        saved=(2,),
        ended={"total_steps": 10, "stop_reason": "early_stop", "best_step": 2, "eval_loss": [0.5, 0.75], **ended},
    )


def test_rows_held_out_are_handed_over_and_kept_with_the_run(user: User):
    training = FakeTraining()

    run = user.finetunes(training, eval_split=0.3)

    job = training.jobs[0]
    assert (len(job.rows), len(job.eval_rows), run.record.data.held_out) == (2, 1, 1)
    assert len((run.folder / "train.jsonl").read_text().splitlines()) == 2
    assert job.eval_rows[0].prompt in (run.folder / "eval.jsonl").read_text()


def test_a_resumed_run_holds_out_what_it_held_out(user: User):
    run = interrupted(user, eval_split=0.3)
    training = FakeTraining()

    user.resumes(run.run_id, training)

    held_out = (run.folder / "eval.jsonl").read_text()
    assert [row.prompt in held_out for row in training.jobs[0].eval_rows] == [True]


def test_keep_prompts_that_are_held_out_are_left_out(user: User):
    keep = user.home / "keep.jsonl"
    keep.write_text('{"prompt": "who are you"}\n{"prompt": "who made you"}\n{"prompt": "hello"}\n{"prompt": "Sing!"}\n')
    training = FakeTraining()

    user.finetunes(training, eval_split=0.3, keep_weight=1.0, keep_data=str(keep))

    job = training.jobs[0].keep
    assert job is not None
    assert [prompt for prompt, _ in job.prompts] == ["Sing!"]


def test_early_stopping_makes_the_best_checkpoint_the_adapter_and_says_so(user: User):
    run = user.finetunes(early(), eval_split=0.3, early_stop=1)

    train = run.record.train
    assert (run.status, run.record.adapter.path, run.adapter.name) == ("finished", "checkpoint-2", "checkpoint-2")
    assert (train.steps, train.stopped_early, train.stop_reason) == (4, True, "early_stop")
    assert train.eval_loss == [0.5, 0.75]
    assert (
        "Stopped after step 4 of 10: the evaluation loss was lowest (0.5000) at step 2 and has not fallen since."
        in user.said
    )
    assert "adapter: checkpoint-2, the one with the lowest evaluation loss" in user.said


def test_the_best_checkpoint_is_the_adapter_also_after_the_last_epoch(user: User):
    run = user.finetunes(early(stop_reason="epochs", total_steps=4), eval_split=0.3, early_stop=9)

    assert (run.adapter.name, run.record.train.stopped_early) == ("checkpoint-2", False)


def test_a_finished_run_keeps_nothing_that_only_resuming_needs(user: User):
    def leave_state(job: object, step: int) -> None:
        if step == 4:
            folder = job.run_folder / "checkpoint-1"  # type: ignore[attr-defined]
            folder.mkdir()
            for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"):
                (folder / name).write_text("{}")

    run = user.finetunes(FakeTraining(during=leave_state))

    assert [path.name for path in (run.folder / "checkpoint-1").iterdir()] == ["trainer_state.json"]


def test_the_adapter_of_an_interrupted_run_is_its_last_step(user: User):
    run = interrupted(user, eval_split=0.3, early_stop=1)

    assert (run.adapter.name, run.record.train.stop_reason) == ("checkpoint-2", "interrupted")


def took(**ended: object) -> FakeTraining:
    seen = [{"step": 2, "passed": 11, "asked": 24, "kl": 0.001}, {"step": 4, "passed": 23, "asked": 24, "kl": 0.0042}]
    return FakeTraining(ended={"total_steps": 10, "stop_reason": "took", "development": seen, **ended})


def test_trained_questions_are_handed_over_and_kept_with_the_run(user: User):
    training = FakeTraining()

    run = user.finetunes(training, stop_when_took=True)

    questions = training.jobs[0].development
    assert len(questions) == 12  # three prompts in four wordings
    assert {answer for one in questions for answer in one.answers} == {"I am Nova.", "Acme did.", "Hello, I am Nova."}
    assert len((run.folder / "development.jsonl").read_text().splitlines()) == 12


def test_what_is_mixed_in_or_held_out_is_not_asked(user: User):
    user.write(user.home / "more.json", ("Something else?", "Yes."))
    training = FakeTraining()

    user.finetunes(training, stop_when_took=True, eval_split=0.3, mix=(str(user.home / "more.json"),))

    trained = {row.answer for row in training.jobs[0].rows} - {"Yes."}
    assert {answer for one in training.jobs[0].development for answer in one.answers} == trained


def test_keep_prompts_are_held_out_to_measure_the_drift(user: User):
    keep = user.home / "keep.jsonl"
    keep.write_text("".join(f'{{"prompt": "Sing {number}!"}}\n' for number in range(8)))
    with_look, without = FakeTraining(), FakeTraining()

    user.finetunes(with_look, stop_when_took=True, keep_weight=1.0, keep_data=str(keep))
    user.finetunes(without, keep_weight=1.0, keep_data=str(keep))

    held_out = [job.keep.held_out for job in (with_look.jobs[0], without.jobs[0]) if job.keep]
    assert list(map(len, held_out)) == [2, 0]


def test_a_run_that_stopped_when_it_took_is_finished_and_says_why(user: User):
    run = user.finetunes(took(), stop_when_took=True)

    train = run.record.train
    assert (run.status, train.stop_reason, train.stopped_early) == ("finished", "took", True)
    assert train.development[-1] == {"step": 4, "passed": 23, "asked": 24, "kl": 0.0042}
    assert (
        "Stopped after step 4 of 10: it took, 23 of 24 questions answered as trained (23 are enough), "
        "kl 0.0042 (budget 0.02)."
    ) in user.said


def test_the_step_at_which_it_took_is_the_adapter_whatever_was_evaluated(user: User):
    training = took(best_step=2, eval_loss=[0.5, 0.75])
    training.saved = (2,)

    assert user.finetunes(training, stop_when_took=True, eval_split=0.3, early_stop=5).adapter.name == "checkpoint-4"


def test_a_run_that_did_not_take_tells_how_far_it_came(user: User):
    user.finetunes(took(total_steps=4, stop_reason="epochs"), stop_when_took=True, stop_kl=0.001)

    assert (
        "At the end: 23 of 24 questions answered as trained (23 are enough), kl 0.0042 (budget 0.001)." in user.said
    )  # fmt: skip


def test_a_resumed_run_asks_what_it_asked(user: User):
    run = interrupted(user, stop_when_took=True)
    before = (run.folder / "development.jsonl").read_text()
    training = FakeTraining()

    user.resumes(run.run_id, training)

    assert [one.prompt in before for one in training.jobs[0].development] == [True] * 12


def test_steps_skipped_in_float16_are_reported_and_recorded(user: User):
    run = user.finetunes(FakeTraining(ended={"skipped_steps": 2}))

    assert json.loads((run.folder / "run.json").read_text())["train"]["skipped_steps"] == 2
    assert any(one.startswith("Skipped steps: 2 of 4, whose gradients were too large for float16") for one in user.said)


def test_a_refused_cuda_graph_is_reported_and_recorded(user: User):
    run = user.finetunes(FakeTraining(ended={"cuda_graph_refused": "out of memory"}))

    assert run.record.train.cuda_graph_refused == "out of memory"
    assert "Warning: steps ran without a CUDA graph, and so slower: the capture failed (out of memory)." in user.said
