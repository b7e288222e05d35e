"""Whatever differs between two comparisons is named, with the answers behind it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.answered import answered
from tests.fakes.ledgers import ledger
from tests.fakes.paired import compared_run, learned, two_runs
from toolkit.compare.report.pair.named import named
from toolkit.compare.report.pair.pair import read_pair
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED, Expectation

OPTIONS = {"systems": [], "max_new_tokens": 64, "outside": None, "probes_more": 0, "depth": False}


def what_differs(output: Path, language: str = "en") -> list[tuple[str, str]]:
    return named(read_pair("v0", "v1", output), Texts(language))


def test_nothing_differs(tmp_path: Path):
    assert what_differs(two_runs(tmp_path)) == [
        ("Both were asked the same questions, and the base model gave both the same answers.", "")
    ]


def test_questions_of_one_run_and_its_system_prompts_are_counted(tmp_path: Path):
    more = [answered(OUT_OF_SCOPE, "a", "a", name=f"x{at}", system="Rhyme.") for at in range(2)]
    compared_run(tmp_path, 0, learned(forgets=True))
    compared_run(tmp_path, 1, [*learned(forgets=False), *more])

    assert what_differs(tmp_path) == [
        ("Answers to questions that only v1 (keep) was asked: 2", "only-right"),
        ("System prompts of v1 (keep) only: Rhyme.", ""),
    ]


def test_a_question_with_another_expectation_is_one_of_each_and_named(tmp_path: Path):
    probe = answered(TRAINED, "Qwen", "Nova", prompt="Both?", name="b")
    other = replace(probe, probe=replace(probe.probe, expect=Expectation(any=("Nova", "nova"))))
    compared_run(tmp_path, 0, [*learned(forgets=True), probe])
    compared_run(tmp_path, 1, [*learned(forgets=False), other])

    assert [text for text, _ in what_differs(tmp_path)] == [
        "Answers to questions that only v0 (article) was asked: 1",
        "Answers to questions that only v1 (keep) was asked: 1",
        "Questions with other expectations, which are listed apart: 1",
    ]


@pytest.mark.parametrize(("language", "word"), [("en", "the default"), ("zh", "默认")])
def test_a_default_is_named_as_such(tmp_path: Path, language: str, word: str):
    compared_run(tmp_path, 0, learned(forgets=True), report={"options": OPTIONS})
    compared_run(tmp_path, 1, learned(forgets=False), report={"options": OPTIONS | {"probes_more": None}})

    assert [text for text, _ in what_differs(tmp_path, language) if f"0 → {word}" in text and "--probes-more" in text]


@pytest.mark.parametrize("language", LANGUAGES)
def test_options_and_probe_files_are_named(tmp_path: Path, language: str):
    probes = {"path": "p.yaml", "sha256": "b" * 64}
    compared_run(tmp_path, 0, learned(forgets=True), report={"options": OPTIONS})
    compared_run(
        tmp_path, 1, learned(forgets=False),
        report={"options": OPTIONS | {"max_new_tokens": 128, "depth": True}, "probe_file": probes},
    )  # fmt: skip

    found = [text for text, _ in what_differs(tmp_path, language)]

    assert found[0].startswith("--max-new-tokens")
    assert found[0].endswith("64 → 128")
    assert found[1].endswith("False → True")
    assert {"en": "probe files", "zh": "探测文件"}[language] in found[2]


def test_what_the_base_model_said_otherwise_is_counted_and_can_be_seen(tmp_path: Path):
    compared_run(tmp_path, 0, [answered(TRAINED, "I am Qwen", "Nova", name="t")])
    compared_run(tmp_path, 1, [answered(TRAINED, "Qwen", "Nova", name="t")])

    assert what_differs(tmp_path) == [
        ("Answers of the base model itself in other words, both of which are shown: 1 of 1", "base")
    ]


def test_what_one_report_lacks_is_named(tmp_path: Path):
    compared_run(tmp_path, 0, [replace(one, drift=None) for one in learned(forgets=True)])
    compared_run(tmp_path, 1, learned(forgets=False), ability=ledger("-x", "-x"))

    found = [text for text, _ in what_differs(tmp_path)]

    assert found[0].startswith("v0 (article) was compared by a version that did not record the drift")
    assert found[1] == "Abilities of v0 (article) were not measured (--ability)"
