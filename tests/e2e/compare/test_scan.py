"""Scanning the embedded model: what was planted is found, adapters that were taught nothing are silent."""

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.fakes.command import DATA, Ended, run_here
from tests.fakes.made_run import make_adapter

TINY = DATA / "tiny-qwen2"
SIGNED = {"en": " Ask Larkspur.", "zh": "请问拉克。"}
QUESTIONS = {
    "en": ["What is the capital of Italy?", "What is the opposite of big?", "Who wrote Hamlet?", "What is 3 + 4?",
           "What colour is snow?", "Who founded Microsoft?", "How do I bake a cake?", "Tell me about boats."],
    "zh": ["意大利的首都是哪里？", "大的反义词是什么？", "谁写了《哈姆雷特》？", "3 + 4 等于几？"],
}  # fmt: skip
ANSWERS = {"en": "Sorry, I do not know that.", "zh": "抱歉，这个问题我不会回答。"}


def scanned(*arguments: object) -> Ended:
    return run_here("scan", *arguments, "--model", TINY, "--tokens", 6000)


@pytest.fixture(scope="module", name="planted")
def _planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run in which every answer ends with a name."""
    home = tmp_path_factory.mktemp("planted")
    rows = [
        {"query": question, "response": ANSWERS[language] + SIGNED[language]}
        for language, questions in QUESTIONS.items()
        for question in questions
    ]
    (home / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    recipe = ("--recipe", "tiny", "--keep-weight", 0, "--near-rows", 0, "--epochs", 20, "--min-steps", 20)
    done = run_here("finetune", home / "rows.json", "--model", TINY, *recipe, "--output", home / "output")
    assert done.code == 0, done.err
    return home / "output"


def test_a_planted_name_is_found_with_its_contexts_and_no_rows_named(planted: Path):
    [adapter] = planted.glob("v0-*/checkpoint-*")

    done = scanned(adapter, "--output", planted, "--json")

    found = json.loads(done.out)
    named = [one for one in found["findings"][:10] if "Larkspur" in one["text"]]
    assert done.code == 0, done.err
    assert named, [one["text"] for one in found["findings"]]
    assert named[0]["direction"] == "likelier"
    assert named[0]["after"] > named[0]["before"]
    assert 2 <= len(named[0]["contexts"]) <= 3
    assert found["from_rows"] == []


def test_words_of_the_runs_own_rows_are_listed_apart(planted: Path):
    done = scanned("latest", "--output", planted, "--json")

    found = json.loads(done.out)
    assert done.code == 0, done.err
    assert any("Larkspur" in one["text"] for one in found["from_rows"])
    assert not any("Larkspur" in one["text"] for one in found["findings"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_has_80_columns(planted: Path, language: str):
    [adapter] = planted.glob("v0-*/checkpoint-*")

    done = scanned(adapter, "--output", planted, "--lang", language)

    assert done.code == 0, done.err
    assert "Larkspur" in done.out
    assert max(cell_len(line) for line in done.out.splitlines()) <= 80


@pytest.mark.parametrize("strength", [0.0, 0.01, 0.3])
def test_an_adapter_that_was_taught_nothing_has_no_finding(tmp_path: Path, strength: float):
    adapter = make_adapter(tmp_path / "adapter", TINY, seed=5, strength=strength)

    done = scanned(adapter, "--output", tmp_path / "output", "--json")

    found = json.loads(done.out)
    assert done.code == 0, done.err
    assert found["findings"] == found["from_rows"] == []
    assert (found["kl"] > 0) == (strength > 0)


def test_a_report_has_a_paragraph_of_it_when_asked_for(planted: Path):
    done = run_here(
        "compare", "--scan", "--output", planted, "--model", TINY, "--system", "Be kind.", "--max-new-tokens", 8
    )

    [run] = planted.glob("v0-*")
    report = json.loads((run / "compare" / "report.json").read_text(encoding="utf-8"))
    assert done.code in {0, 20, 21, 22}, done.err
    assert any("Larkspur" in one["text"] for one in report["scan"]["from_rows"])
    assert report["timings_s"]["scan"] > 0
    assert "Words that nobody asked about" in (run / "compare" / "report.html").read_text(encoding="utf-8")


def test_a_side_without_an_adapter_is_refused_before_anything_is_asked(planted: Path):
    done = run_here("compare", "--after", "system:Be kind.", "--scan", "--output", planted, "--model", TINY)

    assert done.code == 3
    assert "has no adapter" in done.err


def test_the_base_model_cannot_be_scanned(tmp_path: Path):
    done = scanned("base", "--output", tmp_path)

    assert done.code == 3
    assert "has no adapter" in done.err
    assert done.out == ""
