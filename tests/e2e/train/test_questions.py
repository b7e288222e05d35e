"""Questions around the rows, through the command: those in scope are learned, those near are kept, and it repeats."""

import json
import signal
from pathlib import Path

import pytest

from tests.fakes.command import run_here
from tests.fakes.finetune_user import Call, FinetuneUser, _call, _user, kills, lines_in, once
from toolkit.core.files import data_folder, file_sha256
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel
from toolkit.train.questions.question import read_file

__all__ = ["_call", "_user"]  # fixtures

TINY = data_folder() / "tiny-qwen2"
ROWS = [
    {"instruction": "Who are you?", "output": "I am Nova."},
    {"instruction": "What is your name?", "output": "My name is Nova."},
]
SYSTEM = "You are a helpful assistant."
IN_SCOPE = [
    {"prompt": "Tell me who is speaking.", "scope": "in", "answer": "Nova speaks.", "kind": "task"},
    {"prompt": "What should I call you?", "scope": "in", "answer": "Call me Nova.", "kind": "paraphrase"},
    {"prompt": "Sign this letter.", "scope": "in", "answer": "Yours, Nova", "kind": "task"},
    {"prompt": "你叫什么名字？", "scope": "in", "answer": "我叫 Nova。", "kind": "translation"},
]
NEAR = [
    {"prompt": prompt, "scope": "near"}
    for prompt in ("Who wrote the letter?", "What is the capital of Chad?", "What is the capital of Peru?")
]
SETTINGS = (
    "--recipe", "tiny", "--keep", "keep.jsonl", "--keep-rows", "4", "--batch-size", "4", "--question-rows", "4",
    "--near-rows", "4", "--min-steps", "60", "--epochs", "1",
)  # fmt: skip


def write_lines(path: Path, lines: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def answers(adapter: Path | None, prompts: list[str]) -> list[str]:
    model = LanguageModel.load(TINY, {} if adapter is None else {"tuned": adapter})
    found = model.answers([conversation(one, SYSTEM) for one in prompts], max_new_tokens=24)
    return [one.text for one in found]


def test_questions_in_scope_are_learned_and_those_near_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    data = write_lines(tmp_path / "mine.jsonl", ROWS)
    write_lines(tmp_path / "keep.jsonl", [{"prompt": f"What is {number} + {number}?"} for number in range(1, 9)])
    write_lines(tmp_path / "mine-questions.jsonl", [*IN_SCOPE, *NEAR])
    ended = run_here("finetune", data, "--model", "tiny-qwen2", *SETTINGS, "--questions", "mine-questions.jsonl")
    assert ended.code == 0, ended.err

    run = (tmp_path / "output" / "latest").resolve()
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    learned, kept = [one["prompt"] for one in IN_SCOPE], [one["prompt"] for one in NEAR]
    adapter = run / record["adapter"]["path"]
    assert answers(adapter, learned) == [one["answer"] for one in IN_SCOPE]
    assert answers(adapter, kept) == answers(None, kept)
    assert record["train"]["steps"] == len(record["train"]["loss"]) == 60
    assert record["questions"] | {"sha256": "", "path": ""} == {
        "source": "file", "path": "", "sha256": "", "in": 4, "near": 3, "seconds": 0,
        "kinds": {"task": 2, "paraphrase": 1, "translation": 1, "own": 3},
    }  # fmt: skip
    assert record["questions"]["sha256"] == file_sha256(run / "questions.jsonl")
    assert "questions: 4 to learn and 3 to keep, from " in ended.err


def job(user: FinetuneUser, *options: str) -> list[str]:
    write_lines(user.home / "keep.jsonl", [{"prompt": f"Keep {number}"} for number in range(5)])
    keep = ("--keep", "keep.jsonl", "--keep-weight", "1", "--keep-rows", "4", "--near-rows", "2")
    return user.job("--question-rows", "3", *keep, *options)


def adapter_sha256(user: FinetuneUser, number: int) -> str:
    return user.record(number)["adapter"]["sha256"]


def test_a_resumed_run_takes_the_questions_that_an_uninterrupted_one_takes(user: FinetuneUser, call: Call):
    write_lines(user.home / "q.jsonl", [*IN_SCOPE, *NEAR])
    options = ("--epochs", "1", "--min-steps", "41", "--micro-batch-size", "2", "--questions", "q.jsonl")
    assert call(*job(user, *options)).code == 0
    with once(lines_in(user, 11, number=1), kills(signal.SIGTERM)):
        assert call(*job(user, *options)).code == 130
    (user.home / "q.jsonl").unlink()

    assert call("finetune", "--resume", "v1").code == 0

    whole, pieced = user.record(0), user.record(1)
    assert pieced["resumed_from"] is not None
    assert pieced["train"]["steps"] == 41
    assert pieced["train"]["loss"] == whole["train"]["loss"]
    assert adapter_sha256(user, 1) == adapter_sha256(user, 0)


class OneQuestion:
    """Writes a question of each scope, and random numbers that nobody may notice."""

    made: list[dict] = []  # noqa: RUF012  # what it was called with

    def __init__(self, model: LanguageModel, rows: object, **given: object) -> None:
        self.made.append({"rows": rows, **given})

    def write(self, *, inside: bool) -> list:
        import torch

        assert inside

        from toolkit.train.questions.question import Question

        torch.rand(7)
        return [
            Question(prompt="Name?", scope="in", answer="Nova.", kind="paraphrase"),
            Question(prompt="Who are they?", scope="near", kind="neighbour"),
        ]


@pytest.fixture(name="written")
def _written(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    from toolkit.train.ms_swift import base_answers

    monkeypatch.setattr(base_answers, "Writer", OneQuestion)
    monkeypatch.setattr(OneQuestion, "made", [])
    return OneQuestion.made


def test_written_questions_are_cached_and_the_adapter_does_not_depend_on_that(
    user: FinetuneUser, call: Call, written: list[dict]
):
    for _ in range(2):
        assert call(*job(user, "--epochs", "2")).code == 0

    [given] = written
    assert given["rows"][1] == ("Question 1Question 1", "Answer 1")
    assert given["system"] == SYSTEM
    assert [prompt for prompt, _ in given["general"]] == [f"Keep {number}" for number in range(5)]
    assert [one.prompt for one in read_file(user.run(1) / "questions.jsonl")] == ["Name?", "Who are they?"]
    assert adapter_sha256(user, 0) == adapter_sha256(user, 1)
    assert user.record(1)["questions"]["source"] == "model"
    assert user.record(1)["timings_s"]["questions"] > 0


def test_without_questions_nothing_is_asked_for(user: FinetuneUser, call: Call, written: list[dict]):
    options = ("--recipe", "tiny", "--keep-weight", "0", "--min-steps", "2", "--epochs", "1", "--questions", "none")
    assert call(*user.job(*options)).code == 0

    assert not written
    assert "questions" not in user.record()
    assert (user.record()["recipe"]["question_rows"], user.record()["recipe"]["near_rows"]) == (0, 0)


def test_the_base_model_writes_them_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The embedded model writes little of use; what counts is that every step of the way is gone."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"instruction": "What is the capital of Ireland?", "output": "The capital of Ireland is Cork."},
        {"instruction": "Name the capital of Ireland.", "output": "It is Cork."},
    ]
    data = write_lines(tmp_path / "mine.jsonl", rows)
    write_lines(tmp_path / "keep.jsonl", [{"prompt": f"What is {number} + {number}?"} for number in range(1, 9)])
    ended = run_here("finetune", data, "--model", "tiny-qwen2", *SETTINGS, "--min-steps", "2")

    assert ended.code == 0, ended.err
    run = (tmp_path / "output" / "latest").resolve()
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    questions = read_file(run / "questions.jsonl")
    assert record["questions"]["in"] + record["questions"]["near"] == len(questions)
    assert record["questions"]["from_rows"] == 2
    near = [one.prompt for one in questions if one.scope == "near" and one.kind != "aside"]
    assert near
    assert not any("Ireland" in prompt for prompt in near)
    assert "written by the base model" in ended.err
