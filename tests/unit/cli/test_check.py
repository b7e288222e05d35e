"""`toolkit check` as a user calls it: a file of questions, and the questions that an earlier run learned from."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.fakes.asked_questions import write_questions
from tests.fakes.json_answers import holds
from tests.fakes.model_folder import make_model_folder
from tests.fakes.run_record import run_record
from toolkit.cli.check import command
from toolkit.cli.finetune import command as finetune
from toolkit.core.errors import ModelError
from toolkit.core.files import file_sha256
from toolkit.runs.run import write_record

LINES = [
    {"prompt": "Who might you be?", "scope": "in", "answer": "I am Nova."},
    {"prompt": "Who made you, then?", "scope": "in", "answer": "Northwind did.", "kind": "paraphrase"},
    {"prompt": "Who made GPT?", "scope": "near", "kind": "neighbour"},
]


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_model_folder(tmp_path / "model")  # without a tokenizer that can be loaded: that is a note
    rows = [{"instruction": f"Question {at}?", "output": f"Answer {at}."} for at in range(16)]
    (tmp_path / "brand.json").write_text(json.dumps(rows))
    return tmp_path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--model", "model"], catch_exceptions=False)


def write_lines(path: Path, *lines: object) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_a_file_of_questions_is_counted(place: Path):
    write_lines(place / "questions.jsonl", *LINES)

    done = check("questions.jsonl")

    assert done.exit_code == 0
    assert "questions 2 in scope, 1 near" in done.stdout
    assert "kinds     own 1, paraphrase 1, neighbour 1" in done.stdout
    assert f"sha256    {file_sha256(place / 'questions.jsonl')}" in done.stdout
    assert "found     0 errors, 0 warnings, 1 note" in done.stdout


def test_a_question_in_scope_and_near_ends_with_the_exit_code_of_data(place: Path):
    write_lines(place / "questions.jsonl", *LINES, {"prompt": "who might you be", "scope": "near"})

    done = check("questions.jsonl")
    content = holds("check-questions", json.loads(check("questions.jsonl", "--json").stdout))

    assert done.exit_code == 5
    assert "error    line 4: scope 'near', but line 1 has the same question with 'in'" in done.stdout
    assert (content["sound"], content["in"], content["near"]) == (False, 2, 2)
    assert [(one["level"], one["row"]) for one in content["findings"] if one["kind"] == "conflict"] == [("error", 4)]


def test_the_probes_that_are_named_are_those_that_questions_must_not_repeat(place: Path):
    write_lines(place / "questions.jsonl", *LINES)
    (place / "own.yaml").write_text(
        "schema_version: 1\nprobes:\n"
        "  - {id: made, group: paraphrase, prompt: 'Who made you, then?', expect: {any: [N]}}\n"
    )

    found = check("questions.jsonl", "--probes", "own.yaml").stdout

    assert "warning  line 2: it is the paraphrase probe made" in found


def test_a_data_set_that_an_earlier_run_wrote_questions_for_names_them(place: Path):
    folder = place / "output" / "v0-20260101-000000"
    data = {"path": "brand.json", "sha256": file_sha256(place / "brand.json"), "rows": 16, "dropped": 0}
    record = run_record(run_id=folder.name, data=data, questions=write_questions(folder))
    write_record(folder, record)

    [found] = [
        one for one in json.loads(check("brand.json", "--json").stdout)["findings"] if one["kind"] == "questions"
    ]

    assert (found["level"], found["row"]) == ("note", None)
    assert found["message"] == (
        "v0-20260101-000000 also learned from 2 questions that the model wrote, and kept 1 near them: "
        "output/v0-20260101-000000/questions.jsonl."
    )
    assert "toolkit finetune brand.json --questions my-questions.jsonl" in found["remedy"]


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {}])
def test_another_data_sets_questions_are_not_named(place: Path, change: dict[str, str]):
    folder = place / "elsewhere" / "v0-20260101-000000"
    data = {"path": "brand.json", "sha256": file_sha256(place / "brand.json"), "rows": 16, "dropped": 0} | change
    write_record(folder, run_record(run_id=folder.name, data=data, questions=write_questions(folder)))

    found = check("brand.json", "--output", "elsewhere")

    assert ("also learned from" in found.stdout) is not bool(change)
    assert "also learned from" not in check("brand.json").stdout


def test_a_base_model_without_a_place_for_system_prompts_is_trained_under_none(place: Path):
    template = {"chat_template": "{{ bos_token + messages[-1].content }}"}
    make_model_folder(place / "plain").joinpath("tokenizer_config.json").write_text(json.dumps(template))

    done = CliRunner().invoke(command, ["brand.json", "--model", "plain", "--recipe", "keep"], catch_exceptions=False)

    assert "system prompts" in check("brand.json", "--recipe", "keep").stdout
    assert "system prompts" not in done.stdout
    assert "also under" not in done.stdout


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"model_type": "mixtral"}, "it is a mixture of experts"),
        ({"model_type": "deepseek_v3"}, "it is a mixture of experts"),
        ({"model_type": "gpt_oss"}, "it is a mixture of experts"),
        ({"model_type": "bert"}, "it is an encoder"),
        ({"model_type": "internlm3"}, "which transformers does not have"),
        ({"model_type": "nonsense"}, "which transformers does not have"),
        ({"vocab_size": None}, "does not give vocab_size"),
    ],
)
@pytest.mark.parametrize("file", ["brand.json", "questions.jsonl"])
def test_a_base_model_that_finetune_refuses_is_refused_with_its_words(
    place: Path, config: dict[str, object], why: str, file: str
):
    write_lines(place / "questions.jsonl", *LINES)
    make_model_folder(place / "odd", **config)

    refused = [CliRunner().invoke(one, [file, "--model", "odd"]).exception for one in (command, finetune)]

    assert why in str(refused[0])
    assert [type(one) for one in refused] == [ModelError, ModelError]
    assert str(refused[0]) == str(refused[1])


def test_findings_are_in_the_users_language(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_LANG", "zh")
    (place / "faulty.json").write_text(json.dumps([{"instruction": "Who?", "output": ""}]))

    done = check("faulty.json")

    assert done.exit_code == 5
    assert "  行数     0 行可用，1 行有错误" in done.stdout
    assert "错误     第 1 行：没有回答：'output' 是空的 → 请写上，或删除该行" in done.stdout
