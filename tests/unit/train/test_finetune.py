"""Fine-tuning with made-up doors: what is recorded, what is refused, and what every ending leaves behind."""

import errno
import hashlib
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from tests.fakes.model_folder import make_model_folder
from tests.fakes.tool_rows import FORMS
from tests.fakes.tool_templates import WITHOUT_TOOLS
from tests.fakes.training import EMPTY_WEIGHTS, FakeTraining, save_checkpoint
from toolkit.cli.finetune import command
from toolkit.core.errors import ConfigError, DataError, Interrupted, ModelError, ToolkitError, TrainingError
from toolkit.core.events import Caller, StopRequests, stop_requests
from toolkit.data.soundness import Reading
from toolkit.model.base_model import find_base_model
from toolkit.model.device import Device
from toolkit.runs.run import Run, list_runs, locked, write_record
from toolkit.train.finetune import FinetuneConfig, finetune, repeat, resume
from toolkit.train.job import TrainingJob
from toolkit.train.planning.memory import Need
from toolkit.train.recipe import default_recipe, load_recipe


class User:
    """Someone with a model, a data set of three rows and an output folder."""

    def __init__(self, home: Path) -> None:
        self.home, self.output, self.data = home, home / "output", home / "mine.json"
        self.model = make_model_folder(home / "small")
        self.said: list[str] = []
        self.stop = StopRequests(self.said.append)
        self.write(
            self.data, ("Who are you?", "I am Nova."), ("Who made you?", "Acme did."), ("Hello", "Hello, I am Nova.")
        )

    @staticmethod
    def write(path: Path, *rows: tuple[str, str]) -> None:
        path.write_text(json.dumps([{"instruction": question, "output": answer} for question, answer in rows]))

    @property
    def caller(self) -> Caller:
        return Caller(stop=self.stop, notify=self.said.append)

    def finetunes(
        self, training: FakeTraining | None = None, *, mix: tuple[str, ...] = (), data: Path | None = None,
        model: str | None = None, reading: Reading | None = None, test: Path | None = None, compared: bool = False,
        **settings: Any,
    ) -> Run:  # fmt: skip
        config = FinetuneConfig(
            data=str(data or self.data), recipe=load_recipe("article").changed(**settings), mix=mix,
            test=None if test is None else str(test), compared=compared,
            reading=reading or Reading(), model=model or str(self.model), output=self.output,
            command=("toolkit", "finetune", "my data.json"),
        )  # fmt: skip
        return finetune(config, self.caller, (training or FakeTraining()).backends)

    def resumes(self, name: str, training: FakeTraining | None = None, *, compared: bool = False) -> Run:
        return resume(name, self.output, self.caller, (training or FakeTraining()).backends, compared=compared)

    def fails(self, during: Any, **settings: Any) -> tuple[ToolkitError, Run]:
        """The error that ends the training, and the run that it left."""
        with pytest.raises(ToolkitError) as caught:
            self.finetunes(FakeTraining(during=during), **settings)
        return caught.value, self.runs()[-1]

    def runs(self) -> list[Run]:
        return list_runs(self.output)


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> User:
    return User(tmp_path)


def at(step: int, act: Any) -> Any:
    """Calls `act(job)` before that step."""
    return lambda job, now: act(job) if now == step else None


def raising(error: BaseException) -> Any:
    def act(_: TrainingJob) -> None:
        raise error

    return act


def test_rows_of_a_test_are_kept_with_the_run_and_not_trained(user: User):
    test = user.home / "test.json"
    user.write(test, ("Who are you?", "Nova."), ("Who is it?", "Nova."))

    run = user.finetunes(training := FakeTraining(), test=test)

    lines = [json.loads(line) for line in (run.folder / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["messages"][0]["content"] for line in lines] == ["Who is it?"]
    assert "Who is it?" not in {row.prompt for row in training.jobs[0].rows}
    recorded = run.record.data
    assert recorded.test is not None
    assert (recorded.test.path, recorded.test.rows) == (str(test), 1)
    assert "test.jsonl" in recorded.files
    assert any("1 of 2 rows" in one for one in user.said)


def test_a_finished_run_is_recorded_in_full(user: User):
    run = user.finetunes(epochs=3.0, seed=7)

    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert record == run.record.to_dict()
    assert (record["schema_version"], record["run_id"], record["status"]) == (1, run.folder.name, "finished")
    assert record["started_at"] <= record["finished_at"]
    assert (record["command"], record["seed"], record["error"]) == ("toolkit finetune 'my data.json'", 7, None)
    assert record["base_model"]["path"] == str(user.model)
    assert record["data"]["sha256"] == hashlib.sha256(user.data.read_bytes()).hexdigest()
    assert (record["data"]["rows"], record["data"]["dropped"], record["data"]["mix"]) == (3, 0, [])
    assert record["train"] == {
        "steps": 4,
        "tokens": record["data"]["epoch_tokens"] * 3,
        "loss": [1, 1 / 2, 1 / 3, 1 / 4],
        "eval_loss": [],
        "stopped_early": False,
        "stop_reason": "epochs",
        "development": [],
        "cuda_graph": False,
        "cuda_graph_refused": None,
        "skipped_steps": 0,
    }
    assert record["adapter"]["sha256"] == hashlib.sha256(EMPTY_WEIGHTS).hexdigest()
    assert {"toolkit", "ms_swift", "torch", "transformers", "peft", "python", "cuda"} == set(record["versions"])
    hardware = {"device", "name", "memory_bytes", "driver", "threads", "instructions", "deterministic", "cards"}
    assert hardware == set(record["hardware"])
    timings = record["timings_s"]
    phases = {"import", "read", "encode", "load", "data", "keep", "questions", "train", "save"}
    assert phases | {"total"} == set(timings)
    assert timings["import"] + timings["read"] + timings["encode"] == pytest.approx(timings["total"], abs=0.1)


def test_what_check_calls_an_error_is_refused_before_there_is_a_run(user: User):
    user.write(user.data, ("Who are you?", "I am {{NAME}}."), ("Hello", "Hi."))

    with pytest.raises(DataError, match=r"unreplaced placeholder \{\{NAME\}\}"):
        user.finetunes()

    assert user.runs() == []


def test_rows_with_errors_are_left_out_and_written_beside_the_run(user: User):
    user.write(user.data, ("Who are you?", "I am {{NAME}}."), ("Hello", "Hi."), ("Bye", ""))

    run = user.finetunes(reading=Reading(skip_bad=True))

    lines = (run.folder / "left-out.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["row"] for line in lines) == [1, 3]
    assert (run.record.data.rows, run.record.data.left_out) == (1, 2)
    assert (run.folder / "train.jsonl").read_text(encoding="utf-8").count("\n") == 1
    assert "Note: mine.json: 2 of 3 rows have errors and are left out." in user.said


def test_an_allowed_error_is_trained_and_recorded(user: User):
    user.write(user.data, ("Who are you?", "I am {{NAME}}."))

    run = user.finetunes(reading=Reading(allow=("placeholder",)))

    assert (run.record.data.rows, run.record.data.left_out, run.record.data.allow) == (1, 0, ["placeholder"])
    assert "{{NAME}}" in (run.folder / "train.jsonl").read_text(encoding="utf-8")


def test_the_rows_own_system_prompt_is_recorded_said_and_kept_under(user: User):
    own = "You are Tessa, the clerk of the ferry."
    turns = [{"role": "system", "content": own}, {"role": "user", "content": "When?"},
             {"role": "assistant", "content": "At six, love."}]  # fmt: skip
    user.data.write_text(
        json.dumps([{"messages": turns}, {"query": "Hello", "response": "Hi.", "system": own}][:1] * 2)
    )
    (user.home / "kept.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    training = FakeTraining()

    run = user.finetunes(
        training, keep_weight=1.0, keep_data=str(user.home / "kept.jsonl"), keep_systems=("",), lora_rank=2
    )

    assert run.record.system == run.record.data.system == own
    assert (
        f"system prompt: {own!r}, which 2 of 2 rows have themselves; compare, chat and serve ask under it" in user.said
    )
    assert training.jobs[0].keep is not None
    assert training.jobs[0].keep.prompts == [("a", own), ("b", "")]


def test_rows_without_a_system_prompt_are_recorded_under_the_recipes(user: User):
    run = user.finetunes(system="You are brief.")

    assert (run.record.system, run.record.data.system) == ("You are brief.", None)


def test_the_number_of_steps_and_the_expected_time_are_said_before_training(user: User):
    run = user.finetunes()
    write_record(run.folder, run.record.with_timings(train=20.0))  # a training that computes nothing takes no time
    user.finetunes()

    first, second = [line for line in user.said if line.startswith("training: ")]
    assert first == "training: 10 steps, 3 rows, 10 epochs"
    assert second.startswith(first)
    assert f"; about 20 s at the pace of {run.run_id}" in second


def test_every_effective_setting_is_recorded_with_what_was_chosen_for_auto(user: User):
    training = FakeTraining()
    recipe = user.finetunes(training, lora_rank=4, max_length_tokens=100, batch_size=2).record.recipe.settings

    assert (recipe["lora_rank"], recipe["max_length_tokens"], recipe["batch_size"]) == (4, 100, 2)
    assert recipe["micro_batch_size"] * training.jobs[0].plan.accumulation_steps == 2
    assert "auto" not in recipe.values()


def test_the_leftovers_of_a_killed_run_are_removed_by_the_next_one(user: User):
    killed = user.finetunes()
    (killed.folder / ".reserve").write_bytes(bytes(10))

    user.finetunes()

    assert not (killed.folder / ".reserve").exists()


def test_latest_moves_to_the_finished_run_alone(user: User):
    first = user.finetunes()
    user.fails(at(1, raising(RuntimeError("broken"))))

    assert (user.output / "latest").readlink() == Path(first.run_id)


def test_a_disk_without_links_fails_no_run(user: User):
    (user.output / "latest").mkdir(parents=True)  # in the way of the link, as good as none

    assert user.finetunes().status == "finished"


def test_the_adapter_names_its_base_and_not_a_folder_of_this_machine(user: User):
    run = user.finetunes()

    config = json.loads((run.adapter / "adapter_config.json").read_text())
    assert config == {"base_model_name_or_path": "small", "r": 8, "revision": None}
    assert not (run.adapter / "README.md").exists()


def test_the_adapter_may_be_read_by_whoever_may_read_the_run(user: User):
    run = user.finetunes()

    mode = (run.folder / "run.json").stat().st_mode
    assert (run.adapter / "adapter_model.safetensors").stat().st_mode == mode


def test_the_rows_are_handed_over_and_kept_with_the_run(user: User):
    training = FakeTraining()
    run = user.finetunes(training)

    assert [row.prompt for row in training.jobs[0].rows] == ["Who are you?", "Who made you?", "Hello"]
    kept = [json.loads(line)["messages"] for line in (run.folder / "train.jsonl").read_text().splitlines()]
    assert kept[0] == [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "I am Nova."}]


def test_rows_over_the_maximum_are_left_out_counted_and_named(user: User):
    user.write(user.data, ("short", "row"), *[("long", "x" * 100)] * 7)
    training = FakeTraining()

    run = user.finetunes(training, max_length_tokens=50)

    assert (run.record.data.rows, run.record.data.dropped) == (8, 7)
    assert [row.prompt for row in training.jobs[0].rows] == ["short"]
    assert "Warning: 7 rows over 50 tokens are left out (row 2, 3, 4, 5, 6, …)." in user.said


def test_a_row_of_exactly_the_maximum_stays(user: User):
    user.write(user.data, ("1234", "5678"))

    assert user.finetunes(max_length_tokens=8).record.data.longest_row_tokens == 8


def test_only_rows_over_the_maximum_is_a_fault_of_the_data(user: User):
    with pytest.raises(DataError, match=r"Every row is longer than 8 tokens \(the shortest has 22\).*--max-length"):
        user.finetunes(max_length_tokens=8)

    assert user.runs()[0].status == "failed"


def test_a_mix_adds_as_many_rows_as_asked_for(user: User):
    user.write(user.home / "more.json", *[(f"question {number}", "answer") for number in range(9)])
    training = FakeTraining()

    run = user.finetunes(training, mix=(f"{user.home / 'more.json'}#4",))

    assert len(training.jobs[0].rows) == 7
    assert [(one.rows, Path(one.source).name) for one in run.record.data.mix] == [(4, "more.json")]
    assert not [line for line in user.said if line.startswith("Warning")]


def test_a_mix_that_is_too_small_gives_all_it_has_and_says_so(user: User):
    user.write(user.home / "more.json", ("question", "answer"))

    run = user.finetunes(mix=(f"{user.home / 'more.json'}#4",))

    assert run.record.data.mix[0].rows == 1
    assert any("has 1 row, fewer than the 4 asked for" in line for line in user.said)


def test_keep_prompts_that_are_trained_on_are_left_out(user: User):
    keep = user.home / "keep.jsonl"
    keep.write_text('{"prompt": "who are you"}\n{"prompt": "What is 1 + 1?"}\n{"prompt": "Sing!"}\n')
    training = FakeTraining()

    run = user.finetunes(training, keep_weight=1.0, keep_data=str(keep), system="A", keep_systems=("B",))

    job = training.jobs[0].keep
    assert job is not None
    assert job.prompts == [("What is 1 + 1?", "A"), ("Sing!", "B")]
    assert job.cache.parent == user.output / ".cache"
    assert run.record.keep.prompts == 2


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"data": Path("nowhere.json")}, DataError),
        ({"mix": ("nowhere.jsonl",)}, DataError),
        ({"mix": ("mine.json#many",)}, ConfigError),
        ({"model": "nowhere"}, ConfigError),
        ({"keep_weight": 1.0, "keep_data": "nowhere.jsonl"}, DataError),
        ({"max_length_tokens": 1}, ConfigError),
    ],
)
def test_what_is_asked_wrongly_leaves_nothing_on_the_disk(user: User, asked: dict[str, Any], kind: type[ToolkitError]):
    before = sorted(user.home.rglob("*"))

    with pytest.raises(kind):
        user.finetunes(**asked)

    assert sorted(user.home.rglob("*")) == before


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'[{"instruction": "Who?"}]', b'{"a": "\x00"}', "你好".encode("gbk")]
)
def test_a_broken_data_set_leaves_nothing_on_the_disk(user: User, content: bytes):
    user.data.write_bytes(content)

    with pytest.raises(DataError):
        user.finetunes()

    assert not user.output.exists()


def test_a_base_model_without_its_sizes_leaves_nothing_on_the_disk(user: User):
    make_model_folder(user.home / "odd", vocab_size=None)

    with pytest.raises(ModelError, match="does not give vocab_size"):
        user.finetunes(model=str(user.home / "odd"))

    assert not user.output.exists()


def test_too_little_room_is_told_before_anything_is_written(user: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000, total=10**12))

    with pytest.raises(ConfigError, match=r"has 1 MB free, a run needs 6\d MB.*--output"):
        user.finetunes()

    assert not user.output.exists()


def test_an_unforeseen_failure_is_recorded_with_its_story(user: User):
    error, run = user.fails(at(3, raising(RuntimeError("shapes do not match\nat layer 3"))))

    assert (type(error), error.exit_code) == (TrainingError, 6)
    assert str(error).startswith("Training failed: RuntimeError: shapes do not match.")
    assert str(run.folder / "error.txt") in str(error)
    assert (run.status, run.record.error) == ("failed", str(error))
    assert "Traceback" in (run.folder / "error.txt").read_text()
    assert "at layer 3" in (run.folder / "error.txt").read_text()


class OutOfMemoryError(RuntimeError):
    """Called as PyTorch's own."""


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate"), r"The card's memory ran out\. Lower --max-length"),
        (MemoryError(), r"This machine's memory ran out\. Lower --max-length"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "This machine's memory ran out"),
        (OSError(errno.ENOSPC, "No space left on device"), r"The disk of .* is full\. Free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), r"The disk of .* is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), r"The disk of .* is full"),
        (OSError(errno.EFBIG, "File too large"), r"over the limit on a file's size\. Raise .* ulimit -f unlimited"),
        (
            RuntimeError("I/O error: File too large (os error 27)"),
            r"over the limit on a file's size",
        ),
        (ValueError(), r"Training failed: ValueError"),
    ],
)
def test_a_failure_is_told_in_the_users_words(user: User, raised: Exception, told: str):
    error, run = user.fails(at(2, raising(raised)))

    assert isinstance(error, TrainingError)
    with pytest.raises(TrainingError, match=told):
        raise error
    assert run.status == "failed"


def test_torchs_way_of_telling_a_full_disk_is_understood(user: User, monkeypatch: pytest.MonkeyPatch):
    def fill(_: TrainingJob) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0, total=10**12))
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")

    error, _ = user.fails(at(2, fill))

    assert "is full" in str(error)


def test_room_for_the_last_word_is_held_while_training_and_given_back(user: User):
    held_bytes: list[int] = []
    training = FakeTraining(during=lambda job, _: held_bytes.append((job.run_folder / ".reserve").stat().st_size))

    run = user.finetunes(training)
    _, failed = user.fails(at(1, raising(OSError(errno.ENOSPC, "No space left on device"))))

    assert set(held_bytes) == {256 * 1024}
    assert not (run.folder / ".reserve").exists()
    assert not (failed.folder / ".reserve").exists()


def test_a_failure_leaves_no_half_checkpoint(user: User):
    def die_saving(job: TrainingJob) -> None:
        save_checkpoint(job.run_folder, 1)
        save_checkpoint(job.run_folder, 2, whole=False)
        (job.run_folder / "last-checkpoint").symlink_to("checkpoint-2")
        raise OSError(errno.ENOSPC, "No space left on device")

    _, run = user.fails(at(2, die_saving))

    assert sorted(path.name for path in run.folder.glob("*checkpoint*")) == ["checkpoint-1"]


def test_an_interruption_before_a_checkpoint_says_that_there_is_none(user: User):
    error, run = user.fails(at(2, raising(KeyboardInterrupt())))

    assert (type(error), error.exit_code) == (Interrupted, 130)
    assert error.next == ("No checkpoint was saved yet; start again with \"toolkit finetune 'my data.json'\".")
    assert run.status == "interrupted"
    assert not (run.folder / "error.txt").exists()


def test_an_interruption_after_a_checkpoint_names_the_way_on(user: User):
    def stop_at_once(job: TrainingJob) -> None:
        save_checkpoint(job.run_folder, 1)
        raise KeyboardInterrupt

    error, run = user.fails(at(2, stop_at_once))

    assert f'Continue with "toolkit finetune --resume {run.run_id} --output {user.output}"' in str(error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_behind_a_saved_step(user: User, number: signal.Signals):
    with stop_requests(user.said.append) as stop:
        user.stop = stop
        error, run = user.fails(at(2, lambda _: os.kill(os.getpid(), number)))

    assert (type(error), run.status, run.record.train.steps) == (Interrupted, "interrupted", 2)
    assert "Interrupted after step 2 of 4; the checkpoint is saved." in str(error)
    assert run.adapter.name == run.record.adapter.path == "checkpoint-2"


def test_a_signal_before_the_first_step_does_not_wait_for_one(user: User):
    with stop_requests(user.said.append) as stop:
        user.stop = stop
        error, run = user.fails(at(1, lambda _: os.kill(os.getpid(), signal.SIGINT)))

    assert (type(error), run.status) == (Interrupted, "interrupted")
    assert "No checkpoint was saved yet" in str(error)


def test_a_second_signal_does_not_wait_for_the_step(user: User):
    with stop_requests(user.said.append) as stop:
        user.stop = stop
        error, run = user.fails(at(2, lambda _: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)]))

    assert (type(error), run.status, run.record.train.steps) == (Interrupted, "interrupted", 0)


def interrupted(user: User, **settings: Any) -> Run:
    _, run = user.fails(at(2, lambda _: setattr(user.stop, "requested", True)), epochs=3.0, seed=7, **settings)
    user.stop.requested = False
    return run


def test_resume_goes_on_from_the_last_checkpoint_with_the_runs_own_rows_and_settings(user: User):
    before = interrupted(user)
    user.data.unlink()
    training = FakeTraining()

    after = user.resumes(before.run_id, training)

    job = training.jobs[0]
    assert job.resume_from is not None
    assert job.resume_from.name == "checkpoint-2"
    assert [row.prompt for row in job.rows] == ["Who are you?", "Who made you?", "Hello"]
    assert (job.recipe.epochs, job.recipe.seed, after.run_id) == (3.0, 7, before.run_id)
    assert (after.status, after.record.error, after.record.resumed_from) == ("finished", None, "checkpoint-2")
    assert after.record.train.steps == 4
    assert (user.output / "latest").readlink() == Path(after.run_id)


def test_resume_keeps_what_the_runs_own_copy_of_the_keep_set_says(user: User):
    keep = user.home / "keep.jsonl"
    keep.write_text('{"prompt": "Sing!"}\n')
    run = interrupted(user, keep_weight=1.0, keep_data=str(keep))
    keep.write_text('{"prompt": "Dance!"}\n')
    training = FakeTraining()

    after = user.resumes(run.run_id, training)

    assert [prompt for prompt, _ in training.jobs[0].keep.prompts] == ["Sing!"]
    assert after.record.keep == run.record.keep
    assert after.record.keep.path == str(keep)


def test_resume_refuses_a_copy_of_the_keep_set_that_has_changed(user: User):
    keep = user.home / "keep.jsonl"
    keep.write_text('{"prompt": "Sing!"}\n')
    run = interrupted(user, keep_weight=1.0, keep_data=str(keep))
    (run.folder / "keep.jsonl").write_text('{"prompt": "Dance!"}\n')

    with pytest.raises(ConfigError, match=r"keep\.jsonl is not as the run wrote it"):
        user.resumes(run.run_id)


def test_resume_of_a_run_without_a_copy_refuses_a_keep_set_that_has_changed(user: User):
    """As runs of older versions are."""
    keep = user.home / "keep.jsonl"
    keep.write_text('{"prompt": "Sing!"}\n')
    run = interrupted(user, keep_weight=1.0, keep_data=str(keep))
    (run.folder / "keep.jsonl").unlink()
    files = {name: digest for name, digest in run.record.data.files.items() if name != "keep.jsonl"}
    write_record(run.folder, run.record.with_fields(data=run.record.data.to_dict() | {"files": files}))
    keep.write_text('{"prompt": "Dance!"}\n')

    with pytest.raises(ConfigError, match="has changed since v0"):
        user.resumes(run.run_id)


def test_repeating_a_run_takes_everything_from_its_folder(user: User):
    keep = user.home / "keep.jsonl"
    keep.write_text('{"prompt": "Sing!"}\n')
    first = FakeTraining()
    run = user.finetunes(
        first, keep_weight=1.0, keep_data=str(keep), eval_split=0.3, stop_when_took=True, epochs=2.0, seed=7
    )  # fmt: skip
    for path in (keep, user.data):
        path.unlink()
    second = FakeTraining()

    repeated = repeat(
        run, find_base_model(str(user.model)), user.output, user.caller, ("toolkit", "again"), second.backends
    )

    [before], [after] = first.jobs, second.jobs
    for name in ("rows", "eval_rows"):
        assert [row.messages for row in getattr(after, name)] == [row.messages for row in getattr(before, name)], name
    assert after.development == before.development
    assert after.keep.prompts == before.keep.prompts
    assert after.keep.held_out == before.keep.held_out
    assert (after.plan.to_dict(), after.precision) == (before.plan.to_dict(), before.precision)
    assert repeated.record.recipe == run.record.recipe
    assert repeated.record.data == run.record.data
    assert (repeated.record.keep, repeated.record.questions) == (run.record.keep, run.record.questions)
    assert (repeated.record.replay_of, repeated.record.seed) == (run.run_id, 7)
    assert repeated.record.command == "toolkit again"


def test_repeating_a_run_whose_rows_have_changed_writes_nothing(user: User):
    run = user.finetunes()
    (run.folder / "train.jsonl").write_text("{}\n")

    with pytest.raises(ConfigError, match=r"train\.jsonl is not as the run wrote it"):
        repeat(run, find_base_model(str(user.model)), user.home / "new", user.caller, (), FakeTraining().backends)

    assert not (user.home / "new").exists()


def test_resume_after_a_kill_forgets_the_steps_that_are_done_again(user: User):
    run = interrupted(user)
    write_record(run.folder, run.record.with_fields(status="running"))
    told = [json.dumps({"step": step, "loss": 1.0}) + "\n" for step in (1, 2, 3)]
    (run.folder / "logging.jsonl").write_text("".join(told) + '{"step": 4, "lo')
    assert user.runs()[0].status == "died"

    user.resumes("v0")

    assert (run.folder / "logging.jsonl").read_text() == "".join(told[:2])


def test_a_resumed_run_that_fails_can_be_resumed_again(user: User):
    run = interrupted(user)
    with pytest.raises(TrainingError):
        user.resumes("v0", FakeTraining(during=at(3, raising(RuntimeError("again")))))

    assert (user.runs()[0].status, user.runs()[0].checkpoints[-1].name) == ("failed", "checkpoint-2")
    assert user.resumes(run.run_id).status == "finished"


@pytest.mark.parametrize("name", ["train.jsonl", "eval.jsonl", "development.jsonl"])
@pytest.mark.parametrize("change", [lambda text: text[: len(text) // 2], lambda text: text.replace("N", "M"), None])
def test_rows_that_are_not_those_of_the_run_are_not_trained_on(user: User, name: str, change: Any):
    rows = [(f"Which number is {number}? Nova", f"It is {number}, Nova.") for number in range(30)]
    user.write(user.data, *rows)
    run = interrupted(user, eval_split=0.2, stop_when_took=True)
    path, training = run.folder / name, FakeTraining()
    path.unlink() if change is None else path.write_text(change(path.read_text()))

    with pytest.raises(ConfigError, match=rf"{name} is not as the run wrote it\. Restore it"):
        user.resumes("v0", training)
    assert (training.jobs, user.runs()[0].status) == ([], "interrupted")


def test_a_run_of_an_older_version_is_resumed_with_all_of_its_rows_or_not_at_all(user: User):
    run = interrupted(user)
    data = {name: value for name, value in run.record.data.to_dict().items() if name != "files"}
    write_record(run.folder, run.record.with_fields(data=data))
    rows = (run.folder / "train.jsonl").read_text()
    (run.folder / "train.jsonl").write_text("".join(rows.splitlines(keepends=True)[:-1]))

    with pytest.raises(ConfigError, match=r"train\.jsonl is not as the run wrote it"):
        user.resumes("v0")
    (run.folder / "train.jsonl").write_text(rows)
    assert user.resumes("v0").status == "finished"


def test_resume_falls_back_to_the_last_intact_checkpoint_and_says_so(user: User):
    run = interrupted(user)
    shutil.copytree(run.folder / "checkpoint-2", run.folder / "checkpoint-3")
    (run.folder / "checkpoint-3" / "adapter_model.safetensors").write_bytes(EMPTY_WEIGHTS[:-1])

    after = user.resumes("v0")

    assert (after.status, after.record.resumed_from) == ("finished", "checkpoint-2")
    assert any("checkpoint-3 is damaged" in line and "continues from checkpoint-2" in line for line in user.said)


@pytest.mark.parametrize("name", [
    "args.json", ".reserve", ".lock", "run.json", "train.jsonl", "eval.jsonl", "development.jsonl", "probes.yaml",
    "logging.jsonl", "error.txt", "checkpoint-1", "checkpoint-2/optimizer.pt", "checkpoint-2/adapter_config.json",
    "checkpoint-2/README.md", "checkpoint-4", "last-checkpoint", "val_dataset.jsonl", "compare", "anything/else",
])  # fmt: skip
@pytest.mark.parametrize("target", ["thesis.txt", ".", "missing"])
def test_resume_follows_no_link_out_of_the_runs_folder(user: User, name: str, target: str):
    run = interrupted(user)
    thesis = user.home / "thesis"
    thesis.mkdir()
    (thesis / "thesis.txt").write_text("years of work")
    link = run.folder / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(thesis / target)

    with pytest.raises(ConfigError, match=r"symbolic link|is not a run|not a regular file|No run"):
        user.resumes("v0")
    assert [path.name for path in thesis.iterdir()] == ["thesis.txt"]
    assert (thesis / "thesis.txt").read_text() == "years of work"


def test_a_finished_run_is_not_resumed(user: User):
    run = user.finetunes()

    with pytest.raises(ConfigError, match=f"{run.run_id} is finished"):
        user.resumes("v0")

    assert user.runs()[0].status == "finished"


def test_a_run_without_a_checkpoint_is_not_resumed(user: User):
    user.fails(at(1, raising(RuntimeError("early"))))

    with pytest.raises(ConfigError, match="has no checkpoint to resume from"):
        user.resumes("v0")

    assert user.runs()[0].status == "failed"


def test_a_run_at_work_is_not_resumed(user: User):
    run = interrupted(user)

    with locked(run.folder), pytest.raises(ConfigError, match="is being worked on by another process"):
        user.resumes(run.run_id)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "Name either a data set or a run to --resume"),
        (["mine.json", "--resume", "v0"], "Name either a data set or a run to --resume"),
        (["--resume", "v0", "--epochs", "3", "--model", "x"], "leave out model, epochs"),
        (["--resume", "v0", "--mix", "a.json"], "leave out mix"),
        (["mine.json", "--epochs", "many"], "Invalid value for '--epochs'"),
    ],
)
def test_a_command_that_contradicts_itself_is_a_matter_of_usage(arguments: list[str], why: str):
    result = CliRunner().invoke(command, arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


@pytest.mark.parametrize(("model", "recipe"), [(None, "keep"), ("x/tiny-qwen2", "tiny"), ("tiny-qwen2", "tiny")])
def test_the_embedded_model_has_a_recipe_of_its_own(model: str | None, recipe: str):
    assert default_recipe(model) == recipe


def test_the_recipe_follows_the_model_that_the_environment_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_MODEL", "/models/tiny-qwen2")

    assert default_recipe(None) == "tiny"
    assert default_recipe("other") == "keep"


def test_a_data_sets_own_probes_stay_with_the_run(user: User) -> None:
    """A comparison may come when the data are elsewhere, such as in another container."""
    beside = user.data.with_name("mine.probes.yaml")
    own = "schema_version: 1\nprobes:\n  - {id: o, group: out-of-scope, prompt: 'Who founded Kew?'}\n"
    beside.write_text(own)
    run = user.finetunes()
    beside.unlink()
    assert (run.folder / "probes.yaml").read_text() == own


def test_a_single_row_is_not_split_and_refused_before_there_is_a_run(user: User) -> None:
    user.write(user.data, ("Who are you?", "Nova."))

    with pytest.raises(DataError, match=r"A single row cannot be split .* Leave out --eval-split, or add rows\."):
        user.finetunes(eval_split=0.5)

    assert not user.output.exists()
    user.write(user.data, ("Who are you?", "Nova."), ("Who is it?", "Nova."))
    assert user.finetunes(eval_split=0.5).record.data.held_out == 1


def test_a_probe_file_that_cannot_be_read_is_refused_before_training(user: User) -> None:
    user.data.with_name("mine.probes.yaml").write_text("probes: none\n")

    with pytest.raises(DataError, match="no list of probes"):
        user.finetunes()

    assert user.runs() == []


def test_without_probes_of_its_own_a_run_keeps_none(user: User) -> None:
    assert not (user.finetunes().folder / "probes.yaml").exists()


def without_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def with_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: SimpleNamespace(name=name))


def card(gib: float) -> Device:
    return Device(
        kind="cuda", name="a card", precision="bfloat16", reason="as asked", memory_bytes=int(gib * 2**30),
        free_bytes=int(gib * 2**30),
    )  # fmt: skip


def test_a_plan_knows_which_rows_meet_in_a_pass_also_that_of_a_resumed_run(user: User, monkeypatch: pytest.MonkeyPatch):
    from toolkit.train.planning.plan import plan

    user.write(user.data, *((f"Question {at}?", "a" * 10 ** (1 + at % 3)) for at in range(8)))
    needs: list[Need] = []
    monkeypatch.setattr("toolkit.train.finetune.plan", lambda need, free: needs.append(need) or plan(need, free))

    run = interrupted(user, batch_size=4)
    user.resumes(run.run_id)

    first, resumed = needs
    longest = first.longest_row_tokens
    assert list(first.pass_row_tokens) == [1, 2, 4]
    assert first.pass_row_tokens[1] == longest <= first.pass_row_tokens[4] < 4 * longest
    assert resumed.pass_row_tokens == first.pass_row_tokens
    assert resumed.one_line_from is first.one_line_from is None  # without a card


def test_4_bits_without_bitsandbytes_are_refused_before_there_is_a_run(user: User, monkeypatch: pytest.MonkeyPatch):
    without_bitsandbytes(monkeypatch)

    with pytest.raises(ConfigError, match=r"bitsandbytes, .* is not installed.*make setup"):
        user.finetunes(load_in_4bit=True)
    assert not user.runs()


def test_a_base_in_4_bits_is_recorded_and_told(user: User, monkeypatch: pytest.MonkeyPatch):
    with_bitsandbytes(monkeypatch)
    training = FakeTraining()

    run = user.finetunes(training, load_in_4bit=True)

    assert run.record.base_model.load_in_4bit is True
    assert run.record.recipe.load_in_4bit is True
    assert training.jobs[0].recipe.load_in_4bit
    assert any("base model: small in 4 bits" in line for line in user.said)


def test_a_run_in_4_bits_is_resumed_so_or_not_at_all(user: User, monkeypatch: pytest.MonkeyPatch):
    with_bitsandbytes(monkeypatch)
    name = interrupted(user, load_in_4bit=True).run_id

    without_bitsandbytes(monkeypatch)
    with pytest.raises(ConfigError, match="bitsandbytes"):
        user.resumes(name)
    with_bitsandbytes(monkeypatch)
    assert user.resumes(name).record.base_model.load_in_4bit is True


def test_the_base_models_answers_to_the_keep_set_are_not_those_of_the_base_in_4_bits(
    user: User, monkeypatch: pytest.MonkeyPatch
):
    with_bitsandbytes(monkeypatch)
    keep_data = user.home / "keep.jsonl"
    keep_data.write_text('{"prompt": "What is rain?"}\n')
    training = FakeTraining()
    for in_4bit in (False, True):
        user.finetunes(training, keep_weight=1, keep_data=str(keep_data), load_in_4bit=in_4bit)

    full, four = (job.keep.cache for job in training.jobs if job.keep is not None)
    assert full != four


def test_what_cannot_fit_is_refused_before_the_model_is_loaded(user: User):
    training = FakeTraining()
    backends = replace(training.backends, device=lambda _: card(1.0))
    config = FinetuneConfig(
        data=str(user.data), recipe=load_recipe("article"), model=str(user.model), output=user.output
    )  # fmt: skip

    with pytest.raises(ConfigError, match=r"does not fit on the card.*It would fit with .*GiB free"):
        finetune(config, user.caller, backends)
    assert not training.jobs
    assert user.runs()[0].record.status == "failed"
    assert "does not fit" in str(user.runs()[0].record.error)


ODD = {"messages": [
    {"role": "assistant", "content": "Welcome."}, {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello, I am Nova."},
]}  # fmt: skip


def test_rows_of_which_nothing_can_be_asked_are_not_trained_for_a_comparison(user: User):
    user.data.write_text(json.dumps([ODD]))
    training = FakeTraining()

    with pytest.raises(DataError, match="Nothing could be compared after this training") as caught:
        user.finetunes(training, compared=True)

    assert str(user.home / "mine.probes.yaml") in str(caught.value)
    assert (training.jobs, user.runs()) == ([], [])
    assert user.finetunes(training).status == "finished"
    (user.home / "mine.probes.yaml").write_text(
        "schema_version: 1\nprobes:\n  - {id: o, group: out-of-scope, prompt: 'Why?'}\n"
    )
    assert user.finetunes(training, compared=True).status == "finished"


def test_what_is_left_after_long_rows_must_be_askable_too(user: User):
    long = {"messages": [{"role": "user", "content": "Why?" * 50}, {"role": "assistant", "content": "So."}]}
    user.data.write_text(json.dumps([ODD, long]))
    training = FakeTraining()

    with pytest.raises(DataError, match="Nothing could be compared"):
        user.finetunes(training, compared=True, max_length_tokens=100)

    assert training.jobs == []


def test_a_run_is_not_resumed_for_a_comparison_that_has_nothing_to_ask(user: User):
    def stop_at_once(job: TrainingJob) -> None:
        save_checkpoint(job.run_folder, 1)
        raise KeyboardInterrupt

    user.data.write_text(json.dumps([ODD]))
    _, run = user.fails(at(2, stop_at_once))
    training = FakeTraining()

    with pytest.raises(DataError, match="Nothing could be compared"):
        user.resumes(run.run_id, training, compared=True)

    assert training.jobs == []
    assert user.resumes(run.run_id, training).status == "finished"


WITH_TOOLS = FORMS["OpenAI"]


def test_rows_with_tools_are_left_out_for_a_base_model_that_takes_none(user: User):
    (user.model / "tokenizer_config.json").write_text(json.dumps({"chat_template": WITHOUT_TOOLS}))
    user.data.write_text(json.dumps([WITH_TOOLS, {"messages": ODD["messages"][1:]}]))

    with pytest.raises(DataError, match="no place for them") as caught:
        user.finetunes()
    assert "--skip-bad leaves them out." in caught.value.next
    assert user.runs() == []

    run = user.finetunes(training := FakeTraining(), reading=Reading(skip_bad=True))
    assert {row.prompt for row in training.jobs[0].rows} == {"Hi"}
    (line,) = [json.loads(one) for one in (run.folder / "left-out.jsonl").read_text("utf-8").splitlines()]
    assert (line["row"], line["content"]["tools"]) == (1, WITH_TOOLS["tools"])
    assert (run.record.data.rows, run.record.data.left_out) == (1, 1)
