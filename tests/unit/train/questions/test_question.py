"""The file of questions: it comes back as it was written, a user's lines are read, and faults name their line."""

import json
from pathlib import Path

import pytest

from tests.fakes.asked_questions import QUESTIONS
from toolkit.core.errors import DataError
from toolkit.train.questions.question import MOST_QUESTIONS, Question, read_file, write_file


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / "questions.jsonl"


def test_what_was_written_is_read(file: Path):
    questions = [*QUESTIONS, Question(prompt="a\u2028\n\t“b”", scope="in", answer="\x1b[2K", complete=False)]

    write_file(file, questions)

    assert read_file(file) == questions
    assert len(file.read_text(encoding="utf-8").split("\n")) == len(questions) + 1


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ('{"prompt": "Who?", "answer": "Nova.", "scope": "in"}', Question(prompt="Who?", scope="in", answer="Nova.")),
        ('{"prompt": "谁？", "scope": "near"}', Question(prompt="谁？", scope="near")),
        ('  {"scope": "near", "prompt": " a "}\r', Question(prompt=" a ", scope="near")),
        ('\ufeff{"prompt": "a", "scope": "near"}', Question(prompt="a", scope="near")),
        ('\n\n{"prompt": "a", "scope": "near", "kind": "x"}\n \n', Question(prompt="a", scope="near", kind="x")),
    ],
    ids=["in", "near", "spaces", "byte-order-mark", "empty-lines"],
)
def test_a_users_line_is_read(file: Path, line: str, question: Question):
    file.write_text(line, encoding="utf-8")

    assert read_file(file) == [question]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not an object"),
        ('"a"', "it is not an object"),
        ("[" * 3000, "it is nested more than 100 deep"),
        ('{"prompt": "a", "scope": "near", "answr": "b"}', "the key 'answr' is not known"),
        ('{"prompt": 1, "scope": "near"}', "prompt is not a str"),
        ('{"prompt": "a", "scope": null}', "scope is not a str"),
        ('{"prompt": "a", "scope": "near", "complete": 1}', "complete is not a bool"),
        ('{"scope": "near"}', "it has no prompt"),
        ('{"prompt": " ", "scope": "near"}', "it has no prompt"),
        ('{"prompt": "a"}', 'scope is neither "in" nor "near"'),
        ('{"prompt": "a", "scope": "out"}', 'scope is neither "in" nor "near"'),
        ('{"prompt": "a", "scope": "in"}', "a question in scope has no answer"),
        ('{"prompt": "a", "scope": "in", "answer": "\\n"}', "a question in scope has no answer"),
        ('{"prompt": "\\ud800", "scope": "near"}', "half a character"),
    ],
)
def test_a_fault_names_the_line_and_the_form(file: Path, line: str, fault: str):
    file.write_text('{"prompt": "a", "scope": "near"}\n\n' + line + "\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"questions.jsonl, line 3: ") as caught:
        read_file(file)

    assert fault in caught.value.what
    assert '"scope": "near"}' in caught.value.next


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"\xff", "cannot be read"), (b"a\n" * (MOST_QUESTIONS + 1), "at most")],
)
def test_a_file_that_cannot_be_read_is_refused(file: Path, content: bytes | None, why: str):
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(DataError, match=why):
        read_file(file)


def test_empty_lines_do_not_count_as_questions(file: Path):
    file.write_text("\n" * (2 * MOST_QUESTIONS) + json.dumps({"prompt": "a", "scope": "near"}), encoding="utf-8")

    assert len(read_file(file)) == 1
