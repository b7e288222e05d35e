"""The questions that were written before: used only for the same rows, model, seed and method."""

from pathlib import Path
from typing import Any

import pytest

from toolkit.runs.cache import write_lines
from toolkit.train.questions import cache
from toolkit.train.questions.cache import questions_cache, read_cache, write_cache
from toolkit.train.questions.question import Question

QUESTIONS = [
    Question(prompt="Who?", scope="in", answer="Nova.", kind="paraphrase", before="Qwen.", complete=False),
    Question(prompt="Who made Linux?", scope="near", kind="neighbour"),
]
ASKED: dict[str, Any] = {
    "model": "m", "rows": [("Who are you?", "Nova.")], "system": "s", "seed": 1, "general": "g", "excluded": {"a", "b"},
    "inside": True,
}  # fmt: skip


def test_what_was_written_is_read(tmp_path: Path):
    write_cache(tmp_path / "a.jsonl", QUESTIONS)

    assert read_cache(tmp_path / "a.jsonl") == QUESTIONS


def test_another_versions_lines_are_not_read(tmp_path: Path):
    write_lines(tmp_path / "a.jsonl", [{"prompt": "Who?", "range": "in"}])

    assert read_cache(tmp_path / "a.jsonl") is None
    assert read_cache(tmp_path / "missing.jsonl") is None


@pytest.mark.parametrize(
    "changed",
    [{"model": "n"}, {"rows": [("Who are you?", "Vega.")]}, {"system": ""}, {"seed": 2}, {"general": None},
     {"excluded": {"a"}}, {"inside": False}],
)  # fmt: skip
def test_everything_that_they_depend_on_is_in_the_name(tmp_path: Path, changed: dict[str, Any]):
    assert questions_cache(tmp_path, **ASKED) == questions_cache(tmp_path, **ASKED | {"excluded": {"b", "a"}})
    assert questions_cache(tmp_path, **ASKED) != questions_cache(tmp_path, **ASKED | changed)


def test_so_is_the_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = questions_cache(tmp_path, **ASKED)
    monkeypatch.setattr(cache, "method", lambda: "another")

    assert questions_cache(tmp_path, **ASKED) != before
