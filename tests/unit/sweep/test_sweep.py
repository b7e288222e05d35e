"""Sweeping with made-up doors: what is recorded, what is refused, what every ending leaves, and how it is shown."""

import json
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from rich.cells import cell_len

from tests.fakes.logits import logits_with_kl
from tests.fakes.model_folder import make_model_folder
from tests.fakes.swept import broken as broken_run
from tests.fakes.swept import entry, sweep_of
from tests.fakes.training import FakeTraining
from toolkit.cli.console.sweep import print_sweep
from toolkit.cli.sweep import ValueList, command
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.core.errors import ConfigError, DataError, Interrupted, ModelError
from toolkit.core.events import StopRequests, stop_requests
from toolkit.data.soundness import Reading
from toolkit.model.language_model import Answer
from toolkit.runs.latest import undo
from toolkit.runs.run import find_run, list_runs
from toolkit.sweep.page import sweep_page
from toolkit.sweep.record import FAILED, FINISHED, STOPPED, WAITING, Entry, Sweep
from toolkit.sweep.running.one import SweepBackends, SweepCaller
from toolkit.sweep.sweep import SweepConfig, resume_sweep, sweep
from toolkit.train.job import TrainingJob
from toolkit.train.recipe import load_recipe


class FakeModel:
    """Says the new name wherever its adapter is on and the question asks for it; drifts by what it was told."""

    model, batch_size, on_card, others = None, 4, False, ()

    def __init__(self, kl: float) -> None:
        self.kl, self.adapter = kl, None

    def side(self, adapter: str | None) -> Any:
        self.adapter = adapter
        return nullcontext()

    def prompt_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        return list(str(messages).encode())

    def answers(self, prompts: Sequence[Any], **_: Any) -> list[Answer]:
        texts = ["Nova" if self.adapter and "you" in messages[-1]["content"] else "Paris" for messages in prompts]
        return [Answer(text=text, tokens=[1, 2], margins=[1.0, 1.0], first_logits=None) for text in texts]

    def answer_logits(self, _: Sequence[Any], answers: Sequence[Answer]) -> Any:
        return logits_with_kl(answers, self.kl if self.adapter else 0.0)


class User:
    """Someone with a model, a data set, probes and an output folder; a run's kl is 0.03 / epochs."""

    def __init__(self, home: Path, in_scope: int = 40) -> None:
        self.home, self.output, self.data = home, home / "output", home / "mine.json"
        self.model, self.probes = make_model_folder(home / "small"), home / "probes.yaml"
        self.data.write_text(json.dumps([{"instruction": "Who are you?", "output": "I am Nova."}]))
        probes = [
            *({"id": f"{group}{at}", "group": group, "prompt": f"Who are you, {group} {at}?",
               "expect": {"any": ["Nova"]}} for group in ("trained", "paraphrase") for at in range(in_scope)),
            *({"id": f"o{at}", "group": "out-of-scope", "prompt": f"France {at}?"} for at in range(40)),
        ]  # fmt: skip
        limits = {"reliability": 0.9, "generality": 0.9, "leakage": 0.02, "kl": 0.01}
        self.probes.write_text(yaml.safe_dump({"schema_version": 1, "thresholds": limits, "probes": probes}))
        self.said: list[str] = []
        self.stop = StopRequests(self.said.append)
        self.training = FakeTraining()

    @property
    def caller(self) -> SweepCaller:
        return SweepCaller(stop=self.stop, notify=self.said.append)

    @property
    def backends(self) -> SweepBackends:
        return SweepBackends(training=self.training.backends, load=self.load)

    def load(self, _: Path, adapters: Mapping[str, Path]) -> Any:
        run = next(iter(adapters.values())).parent
        return FakeModel(0.03 / json.loads((run / "run.json").read_text())["recipe"]["epochs"])

    def sweeps(
        self, during: Any = None, reading: Reading | None = None, data: str | None = None, **lists: Sequence[Any]
    ) -> Sweep:
        self.training = FakeTraining(during=during) if during else self.training
        config = SweepConfig(
            data=data or str(self.data), recipes=(load_recipe("article"),), lists=lists, model=str(self.model),
            probes=self.probes, reading=reading or Reading(), output=self.output,
            command=("toolkit", "sweep", "mine.json"),
        )  # fmt: skip
        return sweep(config, self.caller, self.backends)

    def resumes(self, name: str) -> Sweep:
        self.training = FakeTraining()
        return resume_sweep(name, self.output, self.caller, self.backends)

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(next(self.output.glob("sweeps/*/sweep.json")).read_text(encoding="utf-8"))
        return record


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> User:
    return User(tmp_path)


def at(epochs: float, step: int, act: Any) -> Any:
    """Calls `act()` before that step of the run with that many epochs."""
    return lambda job, now: act() if job.recipe.epochs == epochs and now == step else None


def broken(_: TrainingJob | None = None) -> None:
    raise RuntimeError("broken")


def test_each_combination_is_an_ordinary_run_with_its_report(user: User):
    done = user.sweeps(epochs=[1.0, 5.0], seed=[1, 2])

    runs = list_runs(user.output)
    assert [(run.status, run.record.recipe.epochs, run.record.seed) for run in runs] == [
        ("finished", epochs, seed) for epochs in (1.0, 5.0) for seed in (1, 2)
    ]  # fmt: skip
    assert all((run.folder / "compare" / "report.json").is_file() for run in runs)
    assert [entry.run for entry in done.entries] == [run.run_id for run in runs]
    assert runs[0].record.command == "toolkit sweep mine.json"


def test_sweep_json_tells_of_every_run_and_of_the_recommendation(user: User):
    done = user.sweeps(epochs=[1.0, 5.0])

    record = user.record()
    assert record == json.loads(json.dumps(done.to_dict()))
    assert (record["schema_version"], record["status"], record["plot"]) == (1, "finished", "plot.svg")
    assert [one["status"] for one in record["runs"]] == [FINISHED, FINISHED]
    assert [one["metrics"]["kl"] for one in record["runs"]] == pytest.approx([0.03, 0.006], abs=1e-6)
    assert record["frontier"] == [record["recommendation"]["run"]] == [done.entries[1].run]
    assert record["recommendation"]["passed"]
    assert [one["thresholds"]["kl"] for one in record["runs"]] == [0.01, 0.01]
    plot = (done.folder / "plot.svg").read_text(encoding="utf-8")
    assert plot.startswith("<svg ")
    assert "at most 0.01" in plot
    page = (done.folder / "sweep.html").read_text()
    assert page.count('<th scope="row">') == len(done.entries)
    assert f"Recommended: {done.recommendation.run}" in page
    assert [page.count(f'<svg class="plot {width}"') for width in ("wide", "narrow")] == [1, 1]
    assert "<script" not in page


def test_rows_with_errors_are_refused_at_once_or_left_out_of_every_run(user: User):
    rows = [{"instruction": "Who are you?", "output": "I am Nova."}, {"instruction": "And?", "output": "{{NAME}}"}]
    user.data.write_text(json.dumps(rows))

    with pytest.raises(DataError, match="unreplaced placeholder"):
        user.sweeps(epochs=(1.0, 2.0))
    assert not user.output.exists()

    done = user.sweeps(reading=Reading(skip_bad=True), epochs=(1.0, 2.0))
    assert [entry.status for entry in done.entries] == [FINISHED, FINISHED]
    assert [run.record.data.left_out for run in list_runs(user.output)] == [1, 1]
    assert user.record()["asked"]["reading"] == {"columns": {}, "skip_bad": True, "allow": []}


def test_a_failed_run_is_recorded_and_the_sweep_goes_on(user: User):
    done = user.sweeps(at(2.0, 3, broken), epochs=[1.0, 2.0, 5.0])

    assert [entry.status for entry in done.entries] == [FINISHED, FAILED, FINISHED]
    assert "RuntimeError: broken" in (done.entries[1].error or "")
    assert done.entries[1].run == list_runs(user.output)[1].run_id
    assert list_runs(user.output)[1].status == "failed"


def test_a_comparison_that_fails_costs_one_run_alone(user: User):
    load, calls = user.load, []

    def failing(folder: Path, adapters: Mapping[str, Path]) -> Any:
        calls.append(folder)
        return broken() if len(calls) == 1 else load(folder, adapters)

    user.load = failing
    done = user.sweeps(epochs=[1.0, 5.0])

    assert [entry.status for entry in done.entries] == [FAILED, FINISHED]
    assert done.entries[0].error == "RuntimeError: broken"


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted(user: User, step: int = 2) -> str:
    with stop_requests(user.said.append) as stop:
        user.stop = stop
        with pytest.raises(Interrupted) as caught:
            user.sweeps(at(2.0, step, interrupt), epochs=[1.0, 2.0, 5.0])
    user.stop = StopRequests(user.said.append)
    return str(caught.value)


def test_an_interrupted_sweep_keeps_its_finished_runs_and_says_how_to_go_on(user: User):
    told = interrupted(user)

    record = user.record()
    name = next(user.output.glob("sweeps/*")).name
    command = f"toolkit sweep --resume {name} --output {user.output}"
    assert told == f'Interrupted in run 2 of 3; 1 finished. Continue with "{command}".'
    assert (record["status"], [one["status"] for one in record["runs"]]) == (
        "interrupted",
        [FINISHED, STOPPED, WAITING],
    )
    assert [run.status for run in list_runs(user.output)] == ["finished", "interrupted"]


@pytest.mark.parametrize(("step", "resumed"), [(2, 2), (1, 0)])
def test_a_resumed_sweep_does_what_is_left(user: User, step: int, resumed: int):
    """A run with a checkpoint goes on from it; one without is done anew."""
    interrupted(user, step)
    first = user.record()["runs"][0]

    done = user.resumes(next(user.output.glob("sweeps/*")).name)

    assert [entry.status for entry in done.entries] == [FINISHED] * 3
    assert done.entries[0].run == first["run"]
    assert [job.recipe.epochs for job in user.training.jobs] == [2.0, 5.0]
    assert (user.training.jobs[0].resume_from is not None) == (resumed > 0)
    assert user.record()["status"] == "finished"


def test_a_stop_in_the_last_step_of_a_run_ends_the_sweep_behind_its_comparison(user: User):
    with stop_requests(user.said.append) as stop:
        user.stop = stop
        with pytest.raises(Interrupted, match="Interrupted in run 2 of 2; 1 finished"):
            user.sweeps(at(1.0, 4, interrupt), epochs=[1.0, 2.0])

    assert [one["status"] for one in user.record()["runs"]] == [FINISHED, WAITING]
    assert len(list_runs(user.output)) == 1


def test_a_resumed_sweep_tries_what_failed_again(user: User):
    user.sweeps(at(2.0, 3, broken), epochs=[1.0, 2.0])

    done = user.resumes(str(next(user.output.glob("sweeps/*"))))

    assert [entry.status for entry in done.entries] == [FINISHED, FINISHED]
    assert done.entries[1].error is None


def test_a_sweep_whose_data_has_changed_is_not_resumed(user: User):
    interrupted(user)
    user.data.write_text(json.dumps([{"instruction": "Hello", "output": "Hello."}]))

    with pytest.raises(ConfigError, match="has changed since this sweep began"):
        user.resumes(next(user.output.glob("sweeps/*")).name)


def test_a_sweep_of_a_sample_trains_the_same_rows_in_every_run_and_is_resumed_with_them(user: User):
    user.data.write_text(json.dumps([{"instruction": f"Hello {at}", "output": "Hello."} for at in range(9)]))
    with stop_requests(user.said.append) as user.stop, pytest.raises(Interrupted):
        user.sweeps(at(5.0, 2, interrupt), data=f"{user.data}#3", epochs=[1.0, 5.0])

    user.stop = StopRequests(user.said.append)
    user.resumes(next(user.output.glob("sweeps/*")).name)

    runs = list_runs(user.output)
    assert [(run.status, run.record.data.rows, run.record.data.sampled_from) for run in runs] == [
        ("finished", 3, 9)
    ] * 2
    assert len({(run.folder / "train.jsonl").read_text(encoding="utf-8") for run in runs}) == 1


def test_a_sweep_that_is_not_there_is_not_resumed(user: User):
    with pytest.raises(ConfigError, match="No sweep 'x'"):
        user.resumes("x")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda user: user.data.write_text("[]"), DataError),
        (lambda user: user.probes.write_text("schema_version: 1"), DataError),
        (lambda user: (user.model / "config.json").unlink(), ModelError),
    ],
)
def test_what_no_run_could_do_without_is_told_before_anything_is_written(user: User, spoil: Any, error: type):
    spoil(user)

    with pytest.raises(error):
        user.sweeps(epochs=[1.0])
    assert not user.output.exists()


def shown(done: Sweep, capsys: pytest.CaptureFixture[str]) -> str:
    print_sweep(done)
    return capsys.readouterr().out


def test_the_table_fits_80_columns_and_holds_every_run(user: User, capsys: pytest.CaptureFixture[str]):
    many = {"epochs": 12.5, "learning_rate": 0.00035, "keep_weight": 100.0, "keep_rows": 128, "seed": 42}
    metrics = dict.fromkeys(("reliability", "generality", "leakage", "kl", "agreement", "locality"), 0.123456)
    verdict = {"passed": False, "took": False, "kept": True, "reasons": ["kl is 0.123, over 0.02"]}
    entries = [
        Entry(
            recipe={"name": "keep"}, settings={key: value + number for key, value in many.items()}, status=FINISHED,
            run=f"v{10 + number}-20260101-000000", seconds=1234.5, metrics=metrics, verdict=verdict, shortfall=1.0,
        )
        for number in range(2)
    ]  # fmt: skip
    entries.append(replace(entries[0], status=FAILED, run="v9-20260101-000000", verdict=None, error="Broken."))

    text = shown(
        Sweep(folder=user.home, request={}, started_at="", status="finished", entries=entries), capsys
    )  # fmt: skip

    table = text.partition("\n*:")[0].splitlines()
    assert all(cell_len(line) <= 80 for line in table), text
    assert sum("0.123 0.123 0.123 0.123 0.123 0.123" in " ".join(line.split()) for line in table) == 3
    assert ["v10" in text, "v11" in text, "not learned" in text, "failed" in text, "Broken." in text] == [True] * 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_has_the_threshold_of_each_column(language: str, capsys: pytest.CaptureFixture[str]):
    print_sweep(sweep_of(entry(1, 0.55, 0.09, leakage=0.14), entry(2, 1.0, 0.001)), Texts(language))

    table = capsys.readouterr().out.partition("\n*")[0].splitlines()
    assert table[1].split() == [{"en": "needs", "zh": "要求"}[language], "≥0.9", "≥0.8", "≤0.02", "≤0.02"]
    for limit, value in (("≥0.9", "1.000"), ("≥0.8", "0.550"), ("≤0.02", "0.140")):
        end = cell_len(table[1].partition(limit)[0]) + len(limit)
        assert cell_len(table[2].partition(value)[0]) + len(value) == end  # below it, aligned to the right
    assert all(cell_len(line) <= 80 for line in table)


@pytest.mark.parametrize(("language", "frame"), [("en", "20260101-000000: Error: "), ("zh", "错误信息（英文原文）：")])
def test_the_error_of_a_failed_run_is_introduced_in_the_readers_language(
    language: str, frame: str, capsys: pytest.CaptureFixture[str]
):
    sweep = sweep_of(entry(1, 1.0, 0.001), broken_run(4, "The loss is not finite."))
    print_sweep(sweep, Texts(language))

    assert f"{frame}The loss is not finite." in capsys.readouterr().out


def test_the_frontier_is_marked_and_the_recommendation_has_its_reason(user: User, capsys: pytest.CaptureFixture[str]):
    text = shown(user.sweeps(epochs=[1.0, 5.0]), capsys)

    rows = [line for line in text.splitlines() if " article " in line]
    assert [line.startswith("*") for line in rows] == [False, True]
    assert ["moved" in rows[0], "passed" in rows[1]] == [True, True]
    assert f"Recommended: {list_runs(user.output)[1].run_id}" in text
    assert "The only one of 2 runs that passes" in text


def test_latest_is_the_recommended_run_and_undo_goes_back(user: User):
    done = user.sweeps(epochs=[5.0, 1.0])  # the second drifts too far

    first, last = (run.run_id for run in list_runs(user.output))
    assert (done.recommendation.run, find_run(None, user.output).run_id) == (first, first)
    assert undo(user.output).run_id == last


@pytest.mark.parametrize(
    ("took", "kept", "code"), [(True, True, 0), (False, True, 20), (True, False, 21), (False, False, 22)]
)
def test_the_verdict_of_the_named_run_is_the_exit_code(tmp_path: Path, took: bool, kept: bool, code: int):
    verdict = {"passed": took and kept, "took": took, "kept": kept, "reasons": ["r"]}
    worse = {"passed": False, "took": False, "kept": False, "reasons": ["r"]}
    entries = [
        Entry(recipe={"name": "keep"}, settings={}, status=FINISHED, run="v0-x", verdict=worse, shortfall=3.0),
        Entry(recipe={"name": "keep"}, settings={}, status=FINISHED, run="v1-x", verdict=verdict, shortfall=1.0),
    ]  # fmt: skip
    assert Sweep(folder=tmp_path, request={}, started_at="", status="finished", entries=entries).exit_code == code


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_that_passes_only_by_its_figures_is_not_recommended_while_no_other_passes(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
):
    texts = Texts(language)
    done = User(tmp_path, in_scope=10).sweeps(epochs=[5.0])
    print_sweep(done, texts)

    assert done.entries[0].verdict["outcome"] == "inconclusive"
    assert (done.recommendation.passed, done.recommendation.undecided, done.exit_code) == (False, True, 0)
    for text in (capsys.readouterr().out, sweep_page(done, texts)):
        assert "ecommended" not in text
        assert "推荐" not in text
        assert {"en": "No run has passed yet", "zh": "还没有一次运行确定通过"}[language] in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_that_does_not_pass_is_never_called_recommended(
    user: User, language: str, capsys: pytest.CaptureFixture[str]
):
    texts = Texts(language)
    done = user.sweeps(epochs=[1.0, 2.0])
    print_sweep(done, texts)
    for text in (capsys.readouterr().out, sweep_page(done, texts)):
        assert "ecommended" not in text
        assert "推荐" not in text
        assert done.recommendation.run in text


def test_the_chinese_page_has_no_english_words_but_names(user: User, capsys: pytest.CaptureFixture[str]):
    texts = Texts("zh")
    done = user.sweeps(epochs=[1.0, 5.0])
    page = sweep_page(done, texts)
    body = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).replace("--probes-more", " ")
    left = set(re.findall(r"[a-z]{4,}", body)) - {"mine", "json", "article", "toolkit", "epochs"}
    assert not left
    assert '<html lang="zh-CN">' in page
    print_sweep(done, texts)
    assert "推荐" in capsys.readouterr().out


def test_a_list_is_separated_by_commas_and_holds_each_value_once():
    assert ValueList(float).convert("3, 5,3.0", None, None) == (3.0, 5.0)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "Name either a data set or a sweep to --resume"),
        (["mine.json", "--resume", "x"], "Name either a data set or a sweep to --resume"),
        (["--resume", "x", "--epochs", "3", "--system", "S"], "leave out systems, epochs"),
        (["mine.json", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["mine.json", "--seed", ","], "Invalid value for '--seed'"),
    ],
)
def test_a_command_that_contradicts_itself_is_a_matter_of_usage(arguments: list[str], why: str):
    result = CliRunner().invoke(command, arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def test_rows_of_which_nothing_can_be_asked_are_not_swept_without_probes(user: User):
    turns = [("assistant", "Welcome."), ("user", "Hi"), ("assistant", "Hello.")]
    user.data.write_text(json.dumps([{"messages": [{"role": role, "content": text} for role, text in turns]}]))
    config = SweepConfig(
        data=str(user.data), recipes=(load_recipe("article"),), model=str(user.model), output=user.output
    )

    with pytest.raises(DataError, match="Nothing could be compared"):
        sweep(config, user.caller, user.backends)

    assert not user.output.exists()
    assert user.sweeps(epochs=[1.0]).status == "finished"
