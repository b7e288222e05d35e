"""The questions around the rows as a run takes them: from the user's file, from the base model, or not at all."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.training import FakeTraining
from tests.unit.train.test_finetune import User, at, raising
from toolkit.core.errors import ConfigError, DataError
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.runs.run import Run
from toolkit.train.beside_rows import MOST_ROWS, longest_tokens, pairs_of, systems_of
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.job import TrainingJob
from toolkit.train.questions.question import Question, read_file, write_file
from toolkit.train.recipe import load_recipe

WRITTEN = [
    Question(prompt="Your name, please?", scope="in", answer="Nova.", kind="paraphrase"),
    Question(prompt="Who made Linux?", scope="near", kind="neighbour"),
    Question(prompt="Who made Windows?", scope="near", kind="neighbour"),
]


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> User:
    return User(tmp_path)


def row(question: str, answer: str, system: str | None = None) -> Row:
    before = () if system is None else (Message(role="system", content=system),)
    turns = Message(role="user", content=question), Message(role="assistant", content=answer)
    return Row(number=1, messages=(*before, *turns))


def writes(job: TrainingJob) -> None:
    """What the pipeline does before the first step, unless the file is there."""
    assert job.questions is not None
    if not job.questions.file.exists():
        write_file(job.questions.file, WRITTEN)
        job.questions.written(WRITTEN, 1.5)


def given(user: User, *lines: dict[str, Any]) -> Path:
    path = user.home / "questions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def trains_with(user: User, path: Path | None, training: FakeTraining | None = None, **settings: Any) -> Run:
    recipe = load_recipe("article").changed(**{"question_rows": 4, **settings})
    config = FinetuneConfig(
        data=str(user.data), recipe=recipe, model=str(user.model), output=user.output, questions=path
    )  # fmt: skip
    return finetune(config, user.caller, (training or FakeTraining()).backends)


def test_questions_that_the_model_wrote_are_recorded_before_the_first_step(user: User):
    recorded: list[Any] = []

    def look(job: TrainingJob) -> None:
        writes(job)
        recorded.append(json.loads((job.run_folder / "run.json").read_text()))

    run = trains_with(user, None, FakeTraining(during=at(1, look)))

    digest = run.record.data.files["questions.jsonl"]
    assert recorded[0]["questions"] == run.record.to_dict()["questions"] == {
        "source": "model", "path": None, "sha256": digest, "from_rows": 3, "in": 1, "near": 2,
        "kinds": {"paraphrase": 1, "neighbour": 2}, "seconds": 1.5,
    }  # fmt: skip
    assert recorded[0]["data"]["files"]["questions.jsonl"] == digest
    assert f"questions: 1 to learn and 2 to keep, written by the base model ({run.folder}/questions.jsonl)" in user.said


def test_the_job_has_what_questions_are_written_from(user: User):
    training = FakeTraining()

    trains_with(user, None, training, row_systems=("", "B"))

    job = training.jobs[0].questions
    assert job is not None
    assert job.rows == [("Who are you?", "I am Nova."), ("Who made you?", "Acme did."), ("Hello", "Hello, I am Nova.")]
    assert (job.system, job.systems) == ("You are a helpful assistant.", ("You are a helpful assistant.", "", "B"))
    assert job.cache.parent == user.output / ".cache"


def test_no_question_may_be_a_probe_beside_the_data(user: User):
    user.data.with_name("mine.probes.yaml").write_text(
        "schema_version: 1\nprobes:\n- id: a\n  prompt: Who might you be?\n  group: trained\n  expect: {any: [Nova]}\n"
    )
    training = FakeTraining()

    trains_with(user, None, training)

    assert training.jobs[0].questions is not None
    assert "whomightyoube" in {key.replace(" ", "") for key in training.jobs[0].questions.excluded}


def test_the_users_questions_are_trained_instead(user: User):
    path = given(
        user, {"prompt": "Your name?", "answer": "Nova.", "scope": "in"}, {"prompt": "Linux?", "scope": "near"}
    )
    training = FakeTraining(during=at(1, writes))

    run = trains_with(user, path, training)

    assert [one.prompt for one in read_file(run.folder / "questions.jsonl")] == ["Your name?", "Linux?"]
    questions = run.record.to_dict()["questions"]
    assert (questions["source"], questions["path"], questions["in"], questions["near"]) == ("file", str(path), 1, 1)
    assert any(line.startswith(f"questions: 1 to learn and 1 to keep, from {path}") for line in user.said)


def test_a_users_question_that_is_too_long_is_left_out_and_said(user: User):
    path = given(
        user, {"prompt": "x" * 60, "answer": "y", "scope": "in"}, {"prompt": "Name?", "answer": "Nova.", "scope": "in"}
    )

    run = trains_with(user, path, max_length_tokens=50)

    assert [one.prompt for one in read_file(run.folder / "questions.jsonl")] == ["Name?"]
    assert "Warning: left out, over 50 tokens: 1 question." in user.said


def test_a_users_probe_is_left_out_and_said(user: User):
    user.data.with_name("mine.probes.yaml").write_text(
        "schema_version: 1\nprobes:\n- id: a\n  prompt: Who might you be?\n  group: trained\n  expect: {any: [Nova]}\n"
    )
    path = given(user, {"prompt": "who might you be", "answer": "Nova.", "scope": "in"})

    run = trains_with(user, path)

    assert read_file(run.folder / "questions.jsonl") == []
    assert "Warning: left out, since a probe is never trained: 1 question." in user.said


def test_a_broken_file_of_questions_leaves_no_run(user: User):
    with pytest.raises(DataError, match="a question in scope has no answer"):
        trains_with(user, given(user, {"prompt": "Name?", "scope": "in"}))

    assert not user.output.exists()


def test_questions_for_a_recipe_that_takes_none_are_refused(user: User):
    path = given(user, {"prompt": "Linux?", "scope": "near"})

    with pytest.raises(ConfigError, match=r"Recipe article takes no questions.*--question-rows"):
        trains_with(user, path, question_rows=0)
    assert not user.output.exists()


def test_rows_of_several_turns_make_no_questions_and_that_is_said(user: User):
    turns = [{"role": role, "content": "Hm."} for role in ("user", "assistant") * 2]
    user.data.write_text(json.dumps([{"messages": turns}]))
    training = FakeTraining()

    run = trains_with(user, None, training)

    assert training.jobs[0].questions is None
    assert "questions" not in run.record.to_dict()
    assert "questions: none, since no row is a single question with its answer in Chinese or English" in user.said


def stopped(user: User, path: Path | None) -> Run:
    def stop(job: TrainingJob) -> None:
        writes(job)
        user.stop.requested = True

    with pytest.raises(BaseException, match="the checkpoint is saved"):
        trains_with(user, path, FakeTraining(during=at(2, stop)))
    user.stop.requested = False
    return user.runs()[-1]


@pytest.mark.parametrize("source", ["model", "file"])
def test_a_resumed_run_takes_its_own_questions(user: User, source: str):
    path = given(user, {"prompt": "Name?", "answer": "Nova.", "scope": "in"}) if source == "file" else None
    before = stopped(user, path)
    if path is not None:
        path.unlink()
    user.data.unlink()
    training = FakeTraining()

    after = user.resumes(before.run_id, training)

    assert training.jobs[0].questions is not None
    assert training.jobs[0].questions.file == before.folder / "questions.jsonl"
    assert after.record.questions == before.record.questions


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text("")])
def test_questions_that_are_not_the_runs_are_not_resumed_with(user: User, change: Any):
    run = stopped(user, None)
    change(run.folder / "questions.jsonl")

    with pytest.raises(ConfigError, match=r"questions\.jsonl is not as the run wrote it"):
        user.resumes(run.run_id)


def test_a_run_that_fails_while_questions_are_written_records_none(user: User):
    with pytest.raises(Exception, match="too early"):
        trains_with(user, None, FakeTraining(during=at(1, raising(RuntimeError("too early")))))

    assert user.runs()[0].record.questions is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("a", "b"), row("c", "d")], ("S", ("S", "", "B"), ("S", "C"))),
        ([row("a", "b", "Own."), row("c", "d", "Own."), row("e", "f")], ("Own.", ("Own.",), ("Own.",))),
        ([row("a", "b", "")], ("(none)", ("(none)",), ("(none)",))),
        ([], ("S", ("S", "", "B"), ("S", "C"))),
    ],
)
def test_questions_come_under_the_rows_own_system_prompt_or_the_recipes(rows: Sequence[Row], expected: Any):
    recipe = load_recipe("article").changed(system="S", row_systems=("", "B", "S"), keep_systems=("C",))

    assert systems_of(rows, recipe) == expected


def test_of_many_rows_a_choice_is_written_from():
    rows = [row(f"Question {number}", "Answer") for number in range(MOST_ROWS + 50)]

    chosen = pairs_of([*rows, *rows], seed=7)

    assert len(set(chosen)) == MOST_ROWS
    assert chosen == pairs_of(rows, seed=7)
    assert chosen != pairs_of(rows, seed=8)
    assert len(pairs_of(rows[:10] * 2, seed=7)) == 10


def test_the_longest_question_is_known_before_the_model_is_loaded(tmp_path: Path):
    missing, file = tmp_path / "missing.jsonl", tmp_path / "questions.jsonl"
    write_file(file, [Question(prompt="x" * 300, scope="in", answer="y" * 300), *WRITTEN])

    assert longest_tokens(missing, [("x" * 30, "y" * 9999)]) == (96, 48)
    assert longest_tokens(missing, [("x" * 300, "y")]) == (96, 101)
    assert longest_tokens(missing, [("x" * 30_000, "y")]) == (96, 200)
    assert longest_tokens(missing, [("x" * 90, "y" * 90)] * 5) == (61 + 91, 48)
    assert longest_tokens(file, []) == (202, 6)
