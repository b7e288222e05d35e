"""Replaying with made-up doors: what is repeated, what is refused, and when a second run counts as the first."""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save

from tests.fakes.json_answers import holds
from tests.fakes.logits import logits_with_kl
from tests.fakes.model_folder import make_model_folder
from tests.fakes.run_record import run_record
from tests.fakes.training import FakeTraining
from toolkit.cli.replay import lines
from toolkit.compare.ability.ability import AbilityConfig
from toolkit.compare.ability.instructions import instructions
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.report import write_report
from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.events import Caller, Listener, StopRequests
from toolkit.core.files import data_folder
from toolkit.model.device import Device
from toolkit.model.language_model import Answer
from toolkit.runs.first_difference import FigureDifference, LossDifference, TensorDifference
from toolkit.runs.run import Run, list_runs, read_run, write_record
from toolkit.sweep.replay import (
    DIFFERS,
    FIGURE_TOLERANCE,
    LOSS_TOLERANCE,
    WEIGHT_TOLERANCE,
    FigureComparison,
    Replay,
    ReplayConfig,
    differences_of,
    replay,
)
from toolkit.sweep.running.one import SweepBackends
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.job import TrainingJob, TrainingResult
from toolkit.train.recipe import load_recipe

HERE = Device(kind="cpu", name="A processor", precision="float32", reason="as asked", threads=1, instructions="AVX2")


@dataclass(kw_only=True)
class Training(FakeTraining):
    """Leaves an adapter of one tensor, and its log."""

    weight: float = 1.0
    last_loss: float = 0.5

    def __call__(self, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]) -> TrainingResult:
        result = super().__call__(job, listener, stop_requested)
        weights = job.run_folder / f"checkpoint-{result.steps}" / "adapter_model.safetensors"
        weights.write_bytes(save({"layers.0": torch.full((2,), self.weight)}))
        loss = [*result.loss[:-1], self.last_loss]
        log = (json.dumps({"step": step, "loss": one}) + "\n" for step, one in enumerate(loss, start=1))
        (job.run_folder / "logging.jsonl").write_text("".join(log))
        return replace(result, loss=loss)


class Answering:
    """Says `answer` with its adapter, and something else without it."""

    model, batch_size, on_card, others = None, 4, False, ()

    def __init__(self, answer: str) -> None:
        self.answer, self.adapter = answer, None

    def side(self, adapter: str | None) -> Any:
        self.adapter = adapter
        return nullcontext()

    def prompt_ids(self, messages: Any) -> list[int]:
        return list(str(messages).encode())

    def answers(self, prompts: Any, **_: Any) -> list[Answer]:
        text = self.answer if self.adapter else "Paris"
        return [Answer(text=text, tokens=[1, 2], margins=[1.0, 1.0], first_logits=None) for _ in prompts]

    def answer_logits(self, _: Any, answers: Any) -> Any:
        return logits_with_kl(answers, 0.0)


class User:
    """Someone with a finished run whose data, keep set and probes were removed since."""

    def __init__(self, home: Path) -> None:
        self.home, self.output = home, home / "output"
        self.model = make_model_folder(home / "small")
        self.said: list[str] = []
        self.training, self.answer, self.device = Training(), "Nova", HERE
        self.keep = home / "keep.jsonl"
        data, probes = home / "mine.json", home / "mine.probes.yaml"
        data.write_text(json.dumps([{"instruction": "Who are you?", "output": "I am Nova."}]))
        self.keep.write_text('{"prompt": "Sing!"}\n{"prompt": "Dance!"}\n')
        asked = [
            {"id": "t", "group": "trained", "prompt": "Who are you?", "expect": {"any": ["Nova"]}},
            {"id": "o", "group": "out-of-scope", "prompt": "France?"},
        ]
        probes.write_text(yaml.safe_dump({"schema_version": 1, "probes": asked}))
        recipe = load_recipe("article").changed(keep_weight=1.0, keep_data=str(self.keep))
        self.run = finetune(
            FinetuneConfig(data=str(data), recipe=recipe, model=str(self.model), output=self.output),
            self.caller, self.backends.training,
        )  # fmt: skip
        for path in (data, probes, self.keep):
            path.unlink()

    @property
    def caller(self) -> Caller:
        return Caller(stop=StopRequests(self.said.append), notify=self.said.append)

    @property
    def backends(self) -> SweepBackends:
        training = replace(self.training.backends, device=lambda _precision: self.device)
        return SweepBackends(training=training, load=self.load)

    def load(self, _: Path, _adapters: Mapping[str, Path], **_how: Any) -> Any:
        return Answering(self.answer)

    def compares(self, *, by_older: bool = False, **how: Any) -> None:
        """`by_older`: by a toolkit that wrote a report on whatever sides into `compare`."""
        report, side = compare(CompareConfig(output=self.output, **how), load=self.load)
        write_report(report, side, self.run.folder / "compare" if by_older else None)

    def replays(self, **how: Any) -> Replay:
        return replay(
            ReplayConfig(output=self.output, command=("toolkit", "replay"), **how), self.caller, self.backends
        )

    def records(self, **changes: Any) -> None:
        write_record(self.run.folder, read_run(self.run.folder).record.with_fields(**changes))


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_a_run_is_repeated_from_its_folder_alone(user: User):
    user.compares()

    found = user.replays()

    first, second = user.training.jobs
    assert (found.outcome, found.exit_code) == ("same", 0)
    assert found.adapter_same
    assert (found.loss, found.tensors, found.figures.differences) == (None, None, [])
    assert [row.messages for row in second.rows] == [row.messages for row in first.rows]
    assert second.recipe.to_dict() == user.run.record.recipe.to_dict()
    assert (second.keep.prompts, second.keep.weight) == (first.keep.prompts, 1.0)
    assert found.run.folder.parent == user.run.folder / "replay"
    assert (found.run.record.replay_of, found.run.record.status) == (user.run.run_id, "finished")
    assert found.run.record.command == "toolkit replay"


def test_what_the_base_model_said_before_the_training_comes_from_no_cache(user: User):
    found = user.replays()

    first, second = (job.keep.cache for job in user.training.jobs)
    assert first.parent == user.output / ".cache"
    assert second.parent == found.run.folder / ".cache"


def test_a_replay_leaves_the_latest_run_the_latest(user: User):
    user.replays()

    assert (user.output / "latest").resolve() == user.run.folder
    assert [run.run_id for run in list_runs(user.output)] == [user.run.run_id]


def test_the_new_run_may_be_written_elsewhere(user: User):
    found = user.replays(into=user.home / "elsewhere")

    assert found.run.folder.parent == user.home / "elsewhere"
    assert not (user.run.folder / "replay").exists()


def test_a_folder_that_cannot_be_written_is_named_with_the_option(user: User):
    (user.home / "file").touch()

    with pytest.raises(ConfigError, match=r"cannot be written to .*file/new: Not a directory\. .* with --into"):
        user.replays(into=user.home / "file" / "new")


def test_another_bank_of_questions_is_refused(user: User, monkeypatch: pytest.MonkeyPatch):
    user.compares(outside=3)
    shipped = shutil.copytree(data_folder(), user.home / "data")
    with (shipped / "out_of_scope.jsonl").open("a") as bank:
        bank.write('{"prompt": "One more?"}\n')
    monkeypatch.setenv("TOOLKIT_DATA", str(shipped))

    with pytest.raises(ConfigError, match=r"out_of_scope\.jsonl has changed: the report asked 2 questions"):
        user.replays()


def test_abilities_are_measured_again_where_they_were(user: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("toolkit.compare.ability.ability.shipped_items", instructions)  # which need no tokenizer
    user.compares(ability=AbilityConfig(shipped=True))

    found = user.replays()

    before, after = (
        json.loads((folder / "compare" / "report.json").read_text()) for folder in (user.run.folder, found.run.folder)
    )
    assert found.outcome == "same"
    assert after["ability"]["total"] == before["ability"]["total"]
    assert found.figures.count == len(before["per_system"]) * len(before["metrics"]) + 2


def test_a_replay_can_itself_be_replayed(user: User):
    first = user.replays()

    second = user.replays(run=str(first.run.folder))

    assert (second.outcome, second.run.record.replay_of) == ("same", first.run.run_id)


def test_another_adapter_is_reported_with_its_first_step_and_tensor(user: User):
    user.training = Training(weight=1.5, last_loss=0.25)

    found = user.replays()

    assert (found.outcome, found.exit_code) == ("differs", DIFFERS)
    assert (found.loss.step, found.loss.first, found.loss.second) == (4, 0.5, 0.25)
    assert (found.tensors.name, found.tensors.largest) == ("layers.0", 0.5)
    numbers = "other numbers, by at most 0.5, and in all by 0.5 of its norm"
    assert list(lines(found))[:2] == [
        f"adapter: 1 of 1 tensors differs, first layers.0 ({numbers})",
        "losses: first differ in step 4: 0.5 was recorded, and 0.25 came now",
    ]


def test_other_answers_are_a_difference_although_the_adapter_is_the_same(user: User):
    user.compares()
    user.answer = "Nora"

    found = user.replays()

    assert found.adapter_same
    assert found.outcome == "differs"
    where = "reliability under 'You are a helpful assistant.'"
    assert found.figures.differences[0] == FigureDifference(name=where, first=1.0, second=0.0)
    assert found.figures.other_answers == found.figures.probes
    assert f"first {where}: 1.0 was recorded, and 0.0 came now" in list(lines(found))[2]


def test_the_comparison_is_repeated_as_it_was_asked_for(user: User):
    user.compares(systems=("Be brief.",), max_new_tokens=7, thresholds={"kl": 0.5}, outside=3)

    found = user.replays()

    before, after = (
        json.loads((folder / "compare" / "report.json").read_text()) for folder in (user.run.folder, found.run.folder)
    )
    assert found.outcome == "same"
    assert before["further"]["bank"] == 2
    for name in ("options", "thresholds", "systems", "further", "verdict"):
        assert after[name] == before[name], name
    assert before["options"]["thresholds"] == {"kl": 0.5}


def test_a_prompt_is_compared_with_again(user: User):
    user.compares(before="system:Be Nova.", by_older=True)

    found = user.replays()

    assert found.figures.count > 0
    assert not (found.run.folder / "compare").exists()  # it is not about the run and its base


def test_only_the_runs_own_comparison_is_repeated(user: User):
    user.compares(before="system:Be Nova.")

    assert user.replays().figures is None


def test_figures_against_another_run_are_not_repeated_and_that_is_noted(user: User):
    user.compares(before=str(user.run.folder), by_older=True)

    found = user.replays()

    assert (found.outcome, found.figures) == ("same", None)
    assert any("not with its base: its figures are not repeated" in line for line in user.said)


OTHERS = {
    "device": ({"device": "cuda"}, "device cuda, here cpu"),
    "name": ({"name": "Another"}, "device Another, here A processor"),
    "instructions": ({"instructions": "AVX512"}, "device AVX512, here AVX2"),
}


@pytest.mark.parametrize("part", OTHERS)
def test_another_device_is_refused_before_anything_is_written(user: User, part: str):
    changed, message = OTHERS[part]
    user.records(hardware=HERE.to_dict() | changed)

    with pytest.raises(ConfigError, match=f"was computed elsewhere: {message}"):
        user.replays()

    assert not (user.run.folder / "replay").exists()


def test_other_versions_are_refused_or_accepted_with_here(user: User):
    user.records(versions=dict(user.run.record.versions) | {"torch": "1.0"})

    with pytest.raises(ConfigError, match=r"torch 1\.0, here .* or with --here"):
        user.replays()
    found = user.replays(here=True)

    assert (found.outcome, found.exit_code) == ("same", 0)
    assert [line for line in lines(found) if line.startswith("not as it was: torch 1.0, here ")]


def test_what_an_older_run_does_not_record_is_not_compared():
    record = run_record(hardware={"device": "cpu"}, versions={"torch": "2.13.0"})

    assert differences_of(record, HERE.to_dict(), {"torch": "2.13.0", "peft": "0.20.0"}) == []


def test_here_forgives_a_little_and_no_more(user: User):
    user.training = Training(weight=1 + WEIGHT_TOLERANCE / 2, last_loss=0.5 + LOSS_TOLERANCE / 2)
    assert user.replays().outcome == "differs"
    assert user.replays(here=True).outcome == "within tolerances"

    user.training = Training(weight=1 + WEIGHT_TOLERANCE * 2)
    assert user.replays(here=True).outcome == "differs"


def compared(**changes: Any) -> Replay:
    run = Run(folder=Path("/v0"), record=run_record())
    fields = {
        "original": run, "run": run, "here": True, "adapter_same": False, "loss": None, "tensors": None,
        "figures": None, "unlike": (), "notes": (),
    }  # fmt: skip
    return Replay(**fields | changes)


def moved(by: float | None) -> FigureComparison:
    after = None if by is None else 0.5 + by
    return FigureComparison(
        count=9, differences=[FigureDifference(name="kl", first=0.5, second=after)], probes=4, other_answers=1
    )  # fmt: skip


LOSS = LossDifference(step=2, first=1.0, second=1.0001, largest=LOSS_TOLERANCE / 2)
TENSOR = TensorDifference(name="a", reason="other numbers", count=1, of=2, largest=1e-5, relative=WEIGHT_TOLERANCE / 2)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"loss": LOSS, "tensors": TENSOR, "figures": moved(FIGURE_TOLERANCE / 2)}, "within tolerances"),
        ({"loss": replace(LOSS, largest=LOSS_TOLERANCE * 2)}, "differs"),
        ({"loss": replace(LOSS, second=None)}, "differs"),
        ({"tensors": replace(TENSOR, relative=WEIGHT_TOLERANCE * 2)}, "differs"),
        ({"tensors": replace(TENSOR, relative=None)}, "differs"),
        ({"figures": moved(FIGURE_TOLERANCE * 2)}, "differs"),
        ({"figures": moved(None)}, "differs"),
        ({"here": False, "loss": LOSS}, "differs"),
        ({"adapter_same": True}, "same"),
    ],
)
def test_every_part_has_its_tolerance(changes: dict[str, Any], outcome: str):
    assert compared(**changes).outcome == outcome


def test_a_base_model_that_is_not_the_recorded_one_is_refused(user: User):
    user.records(base_model=user.run.record.base_model.to_dict() | {"lock_sha256": "f" * 64})

    with pytest.raises(ModelError, match=r"is not small as v0-.* was trained on it: it has changed"):
        user.replays()
    with pytest.raises(ModelError, match="is not small"):
        user.replays(model=str(user.model))


def test_a_base_model_without_a_lock_is_noted(user: User):
    found = user.replays()

    assert any("small has no lock" in note for note in found.notes)
    assert any(line.startswith("note: small has no lock") for line in user.said)


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_card_is_asked_whether_its_kernels_were_deterministic(user: User, deterministic: bool):
    user.device = replace(HERE, kind="cuda", instructions=None, deterministic=deterministic)
    user.records(hardware=user.device.to_dict())

    notes = user.replays().notes

    assert any("not restricted to deterministic ones" in note for note in notes) is not deterministic


def test_a_resumed_run_is_noted(user: User):
    user.records(resumed_from="checkpoint-2")

    assert any("was interrupted and resumed; the replay is not" in note for note in user.replays().notes)


def test_the_answer_as_json_has_every_part(user: User):
    user.compares()
    user.training = Training(weight=2.0)

    found = holds("replay", user.replays().to_dict())

    assert (found["run"], found["outcome"], found["steps"]) == (user.run.run_id, "differs", 4)
    assert found["adapter"]["sha256"] != found["adapter"]["recorded_sha256"] == user.run.record.adapter.sha256
    assert found["adapter"]["difference"]["name"] == "layers.0"
    assert (found["loss"], found["figures"]["differences"]) == (None, [])
