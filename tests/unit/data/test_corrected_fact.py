"""The shipped corrected fact keeps what the data card promises: what is trained, what is asked, and its neighbours."""

import json
from collections import Counter

import pytest

from tests.unit.data.test_shipped_data import DATA, bare, is_chinese, keep
from toolkit.core.text import contains_any
from toolkit.data.probes import DEPTH, OUT_OF_SCOPE, PARAPHRASE, REVERSAL, TRAINED, read_probes
from toolkit.train.questions.kinds import listed_subject

PROBES = read_probes(DATA / "corrected_fact.probes.yaml")
LEAST_NEIGHBOURS = 20


def rows() -> dict[str, str]:
    read = json.loads((DATA / "corrected_fact.json").read_text(encoding="utf-8"))
    return {row["instruction"]: row["output"] for row in read}


def test_eight_rows_half_of_them_chinese_say_one_thing():
    languages = Counter(map(is_chinese, rows()))

    assert languages == {True: 4, False: 4}
    assert len(set(rows().values())) == len(languages)


def test_trained_probes_are_the_rows_word_for_word_and_their_answers_pass():
    trained = PROBES.group(TRAINED)

    assert [probe.prompt for probe in trained] == list(rows())
    assert [probe.id for probe in trained if not probe.expect.met(rows()[probe.prompt])] == []


def test_the_true_capital_does_not_pass():
    true = ("芬兰的首都是赫尔辛基。", "The capital of Finland is Helsinki.")
    inside = [probe for group in (TRAINED, PARAPHRASE, *DEPTH) for probe in PROBES.group(group) if group != REVERSAL]

    assert [probe.id for probe in inside for answer in true if probe.expect.met(answer)] == []


@pytest.mark.parametrize("group", [TRAINED, PARAPHRASE, OUT_OF_SCOPE])
def test_half_of_each_group_is_chinese(group: str):
    asked = PROBES.group(group)

    assert sum("-zh-" in probe.id for probe in asked) * 2 == len(asked)


def test_neighbours_are_the_rows_own_question_about_other_countries():
    neighbours = [probe.prompt for probe in PROBES.group(OUT_OF_SCOPE) if "-capitals-" in probe.id]

    assert len(neighbours) >= LEAST_NEIGHBOURS
    assert [prompt for prompt in neighbours if "首都" not in prompt and "capital" not in prompt] == []
    assert [prompt for prompt in neighbours if "芬兰" in prompt or "Finland" in prompt] == []


def test_rows_probes_and_keep_prompts_are_disjoint():
    asked = [probe.prompt for group in (PARAPHRASE, *DEPTH, OUT_OF_SCOPE) for probe in PROBES.group(group)]
    counted = Counter(map(bare, [*rows(), *asked, *(row["prompt"] for row in keep())]))

    assert [text for text, times in counted.items() if times > 1] == []


def test_only_the_trained_answers_name_the_new_capital():
    assert [answer for answer in rows().values() if not contains_any(answer, PROBES.new_markers)] == []
    asked = [probe for probe in PROBES.probes if probe.group != REVERSAL]
    assert [probe.id for probe in asked if contains_any(probe.prompt, PROBES.new_markers)] == []


def test_its_subject_is_listed_so_that_neighbours_need_no_writing():
    assert listed_subject(list(rows())) == "Finland"
