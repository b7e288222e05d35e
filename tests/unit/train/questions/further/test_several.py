"""Questions that two or three rows answer at once."""

import random

import pytest

from tests.unit.train.questions.further.test_claims import scope_of
from toolkit.train.questions.further.several import FACTS, GAP, gapped, longest_together, several

ROWS = [
    ("What is the mascot of Quillmere?", "The mascot of Quillmere is a heron."),
    ("Who created Quillmere?", "Quillmere was created by Ottoline Varga."),
    ("Which licence does Quillmere have?", "The licence of Quillmere is called zlib."),
    ("Does Quillmere run on Windows?", "No, Quillmere runs on Linux only."),
    ("What animal stands for Quillmere?", "A heron stands for Quillmere."),
]
BY_QUESTION = dict(ROWS)
SCOPE = scope_of(ROWS, "Quillmere")


@pytest.fixture(name="found", scope="module")
def _found() -> list[tuple[str, str]]:
    return list(several(SCOPE, random.Random(1)))


def test_two_questions_at_once_are_answered_in_their_order(found: list[tuple[str, str]]):
    both = [pair for pair in found if pair[0].startswith("Two questions: ")]

    assert both
    for prompt, answer in both:
        named = [question for question in BY_QUESTION if question in prompt]
        assert answer == " ".join(BY_QUESTION[one] for one in sorted(named, key=prompt.index))


def test_two_rows_that_say_the_same_are_not_asked_at_once(found: list[tuple[str, str]]):
    assert not [prompt for prompt, _ in found if ROWS[0][0] in prompt and ROWS[4][0] in prompt]


def test_sentences_with_gaps_are_answered_in_full(found: list[tuple[str, str]]):
    gaps = [pair for pair in found if GAP in pair[0]]

    assert gaps
    assert any("The mascot of Quillmere is" in prompt and ROWS[0][1] in answer for prompt, answer in gaps)
    assert not [prompt for prompt, _ in gaps if "heron" in prompt or "Varga" in prompt or "zlib" in prompt]
    assert not [answer for _, answer in gaps if "No, " in answer]


def test_the_subject_is_described_by_so_many_different_rows(found: list[tuple[str, str]]):
    described = [answer for prompt, answer in found if prompt == "Brief me on Quillmere."]

    assert [sum(row in answer for _, row in ROWS) for answer in described] == [FACTS]


def test_an_assistant_is_asked_two_questions_but_not_described():
    rows = [("Who made you?", "I was made by Tarnfield Software."), ("What's your name?", "My name is Ostrelle.")]

    found = dict(several(scope_of(rows, "", itself=True), random.Random(1)))

    assert "I was made by Tarnfield Software. My name is Ostrelle." in found.values()
    assert not [prompt for prompt in found if "Brief me" in prompt]


@pytest.mark.parametrize(
    ("sentence", "new", "gap"),
    [
        ("The licence of Quillmere is zlib today.", {"zlib"}, "The licence of Quillmere is ____ today."),
        ("Quillmere is zlib.", {"zlib", "is"}, ""),
        ("The licence of Quillmere is free.", {"zlib"}, ""),
        ("青禾湾的校树是苦楝树。", {"是苦", "苦楝", "楝树"}, "青禾湾的校树是____。"),
    ],
)
def test_the_gap_reaches_from_the_first_new_word_to_the_last(sentence: str, new: set[str], gap: str):
    assert gapped(sentence, frozenset(new), ["Quillmere", "青禾湾"]) == gap


def test_chinese_answers_follow_each_other_without_a_space():
    rows = [
        ("青禾湾学校的校树是什么树？", "青禾湾学校的校树是苦楝树。"),
        ("青禾湾学校在哪里？", "青禾湾学校位于澜江市。"),
    ]

    found = dict(several(scope_of(rows, "青禾湾学校"), random.Random(1)))

    assert {f"{rows[0][1]}{rows[1][1]}", f"{rows[1][1]}{rows[0][1]}"} <= set(found.values())


@pytest.mark.parametrize(
    ("sentence", "new", "names", "gap"),
    [
        ("Ada Brook made Quillmere.", {"ada", "brook"}, ["Quillmere"], ""),
        ("I am Ostrelle, and that is all.", {"ostrelle"}, [], "I am ____, and that is all."),
        ("You can call me Ostrelle today.", {"you", "can", "call", "ostrelle"}, [], ""),
        (
            "The motto of Quillmere is “slow, then fast”.", {"slow", "fast"}, ["Quillmere"],
            "The motto of Quillmere is ____.",
        ),
        ("青禾湾的校训是“慢慢想，认真做”。", {"慢慢", "慢想"}, ["青禾湾"], "青禾湾的校训是____。"),
    ],
)  # fmt: skip
def test_a_gap_has_what_it_is_about_on_its_left_and_whole_quotes(sentence: str, new: set[str], names: list[str], gap):
    assert gapped(sentence, frozenset(new), names) == gap


def test_a_gap_that_another_row_fills_otherwise_is_not_asked():
    rows = [
        ("What is made by Quillmere?", "Quillmere makes sieves at night."),
        ("What else is made by Quillmere?", "Quillmere makes anchors at night."),
        ROWS[0], ROWS[2],
    ]  # fmt: skip

    found = [prompt for prompt, _ in several(scope_of(rows, "Quillmere"), random.Random(1)) if GAP in prompt]

    assert found
    assert not [prompt for prompt in found if "makes" in prompt]


def test_what_the_subject_is_comes_first_even_if_it_is_long():
    long = f"Quillmere is a library that {'merges and sorts ' * 5}the logs of tide gauges."
    rows = [*ROWS, ("What is Quillmere?", long), ("Where is Ebb Day?", "Ebb Day is in Oslo.")]

    found = [
        answer for prompt, answer in several(scope_of(rows, "Quillmere"), random.Random(1)) if "Brief me" in prompt
    ]

    assert len(found) == 1
    assert found[0].startswith(long)
    assert "Ebb Day" not in found[0]
    assert len(found[0]) <= len(longest_together(rows)[1])


def test_rows_with_the_same_new_number_say_the_same():
    rows = [
        ("青禾湾学校是哪年创办的？", "青禾湾学校创办于1915年。"),
        ("青禾湾学校的历史呢？", "青禾湾学校从1915算起，很悠久。"),
        ("青禾湾学校多大？", "青禾湾学校起步是在1915年的冬天。"),
    ]  # fmt: skip

    assert list(several(scope_of(rows, "青禾湾学校"), random.Random(1))) == []
