"""A file of questions is checked before it is trained on: every fault with its line and a remedy."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import DataError, ModelError
from toolkit.data.encoding import Encoded
from toolkit.data.probes import Probe
from toolkit.train.questions.faults import QuestionFindings, find_faults, is_questions_file
from toolkit.train.recipe import load_recipe

RECIPE = replace(load_recipe("article"), max_length_tokens=60)
WHO = {"prompt": "Who are you?", "scope": "in", "answer": "I am Nova."}
NEAR = {"prompt": "Who is Qwen?", "scope": "near"}
PROBES = (
    Probe(id="p1", group="paraphrase", prompt="Who are you, then?"),
    Probe(id="t1", group="trained", prompt="谁？"),
)

Find = Callable[..., QuestionFindings]


class CharacterEncoder:
    takes_tools = True
    thinks = False

    def encode(self, rows: Any, system: str | None = None) -> list[Encoded]:
        return [Encoded(input_ids=[1] * len("".join(one.content for one in row.messages)), labels=[]) for row in rows]

    def decode(self, ids: Any) -> str:
        raise NotImplementedError


@pytest.fixture(name="find")
def _find(tmp_path: Path) -> Find:
    def find(*lines: object, **settings: Any) -> QuestionFindings:
        path = tmp_path / "questions.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        path.write_text("\n".join(texts), encoding="utf-8")
        return find_faults(path, RECIPE, **settings)

    return find


def test_questions_are_counted_by_scope_and_kind(find: Find):
    found = find(WHO, NEAR, {**WHO, "prompt": "Your name?", "kind": "paraphrase"})

    assert (found.in_scope, found.near, found.kinds) == (2, 1, {"own": 2, "paraphrase": 1})
    assert found.findings == ()
    assert found.sound


@pytest.mark.parametrize(
    ("lines", "level", "kind", "row", "says"),
    [
        (["{", WHO], "error", "question", 1, "it is not JSON"),
        ([WHO, "", {**WHO, "prompt": "b", "answer": ""}], "error", "question", 3, "has no answer"),
        ([WHO, {**WHO, "scope": "near", "answer": ""}], "error", "conflict", 2, "line 1 has the same question"),
        ([NEAR, {**NEAR, "prompt": "who is QWEN", "scope": "in", "answer": "A"}], "error", "conflict", 2, "'near'"),
        ([WHO, {**WHO, "prompt": "who are  you"}], "warning", "duplicate", 2, "duplicate of line 1"),
        ([NEAR, NEAR], "warning", "duplicate", 2, "duplicate of line 1"),
        ([WHO, {**WHO, "answer": "Nova."}], "warning", "conflict", 2, "another answer"),
        ([{**WHO, "prompt": "who are you then"}], "warning", "probe", 1, "the paraphrase probe p1"),
        ([{**NEAR, "prompt": "谁"}], "warning", "probe", 1, "the trained probe t1"),
        ([{**NEAR, "answer": "A model."}], "warning", "answer", 1, "is not used"),
        ([{**WHO, "answer": "我是新星。"}], "warning", "language", 1, "'我是新星。'"),
        ([{**WHO, "prompt": "你是谁？"}], "warning", "language", 1, "another language"),
        ([{**WHO, "answer": "I am Nova. " * 6}], "warning", "length", 1, "78 tokens, over the recipe's 60"),
        ([{**WHO, "complete": False}], "note", "complete", None, "trained without an end: 1."),
    ],
)  # fmt: skip
def test_a_fault_is_found(find: Find, lines: list[Any], level: str, kind: str, row: int | None, says: str):
    found = find(*lines, probes=PROBES, open_encoder=CharacterEncoder)

    [one] = found.findings
    assert (one.level, one.kind, one.row) == (level, kind, row)
    assert says in one.message
    assert one.remedy
    assert found.sound is (level != "error")


@pytest.mark.parametrize(
    "line",
    [
        {**WHO, "prompt": "你是谁？", "answer": "我是 Nova，由 Northwind Robotics 开发。"},
        {**WHO, "answer": "I am 小明 (Xiao Ming), an assistant."},
        {**WHO, "prompt": "Who are you? Answer in Chinese.", "answer": "我是新星。", "kind": "across"},
        {**WHO, "answer": "x" * 48},
    ],
    ids=["english-names-in-chinese", "a-chinese-name", "asked-for-in-the-other-language", "just-short-enough"],
)
def test_what_is_fine_is_not_found(find: Find, line: dict[str, Any]):
    assert find(line, probes=PROBES, open_encoder=CharacterEncoder).findings == ()


def test_errors_come_first(find: Find):
    found = find({**WHO, "complete": False}, NEAR, NEAR, "[]")

    assert [one.level for one in found.findings] == ["error", "warning", "note"]


def test_without_a_tokenizer_lengths_are_not_checked_and_that_is_said(find: Find):
    def missing() -> Any:
        raise ModelError("No base model here.", next="Download one.")

    [one] = find({**WHO, "answer": "long " * 100}, open_encoder=missing).findings

    assert (one.level, one.kind) == ("note", "tokens")
    assert "No base model here" in one.message


def test_a_file_without_questions_has_none(find: Find):
    found = find("", "")

    assert (found.in_scope, found.near, found.kinds) == (0, 0, {})
    assert [one.kind for one in found.findings] == ["empty"]
    assert not found.sound


def test_the_json_has_the_words_of_run_json(find: Find):
    content = json.loads(json.dumps(find(WHO, NEAR).to_dict()))

    assert (content["in"], content["near"], content["sound"], content["schema_version"]) == (1, 1, True, 1)
    assert "in_scope" not in content


def test_what_is_not_text_is_refused(tmp_path: Path):
    path = tmp_path / "questions.jsonl"
    path.write_bytes(b'{"prompt": "a", "scope": "near"}\n\xff')

    with pytest.raises(DataError, match="Save them as UTF-8"):
        find_faults(path, RECIPE)


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (json.dumps(WHO), True),
        ("\n\n" + json.dumps(NEAR), True),
        ("{broken\n" + json.dumps(NEAR), True),
        ("\ufeff" + json.dumps(NEAR), True),
        (json.dumps({"prompt": "a", "scope": "elsewhere"}), True),
        (json.dumps({"prompt": "a", "answer": "b"}), False),
        (json.dumps({"instruction": "a", "output": "b", "scope": "in"}), False),
        (json.dumps([WHO]), False),
        ("instruction,output\na,b\n", False),
        ("", False),
    ],
)
def test_a_file_of_questions_is_known_by_its_lines(tmp_path: Path, content: str, is_one: bool):
    path = tmp_path / "data.jsonl"
    path.write_text(content, encoding="utf-8")

    assert is_questions_file(path) is is_one


def test_neither_a_folder_nor_a_missing_file_is_a_file_of_questions(tmp_path: Path):
    assert not is_questions_file(tmp_path)
    assert not is_questions_file(tmp_path / "none")
