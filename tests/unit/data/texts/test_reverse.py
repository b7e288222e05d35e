"""Rows asked the other way round: from names to the subject, on to another row, and from a maker to its assistant."""

import pytest

from tests.fakes.named_rows import BRAND
from toolkit.data.texts.reverse import bridges, noun_for, owned, reversed_rows
from toolkit.data.texts.terms import find_terms
from toolkit.train.questions.near import read_forms
from toolkit.train.questions.scope import Scope

LIBRARY = [
    ("Who created Quillmere?", "Quillmere was created by Ottoline Varga."),
    ("Which licence does Quillmere have?", "Quillmere has the zlib licence."),
    ("What is the name of the Quillmere forum?", "The forum of Quillmere is called Harbour Wall."),
    ("What do Quillmere archives end in?", "They end in .qlm."),
]
SCHOOL = [
    ("青禾学校的创办人是谁？", "青禾学校的创办人是顾望舒先生。"),
    ("青禾学校的校报叫什么？", "青禾学校的校报叫《潮声》。"),
    ("青禾学校的校车是什么颜色？", "青禾学校的校车是橙色的。"),
]
NAMES = ("Tarnfield Software", "Ostrelle")


def scope(rows, subject: str) -> Scope:
    terms = find_terms(rows, [""] * len(rows), ["is was by the has it"] * 2)
    return Scope(rows=rows, terms=terms, names=(), common=frozenset(), subject=subject, itself=False)


QUILLMERE, QINGHE = scope(LIBRARY, "Quillmere"), scope(SCHOOL, "青禾学校")
SOFTWARE, A_SCHOOL = noun_for("Quillmere", "software"), noun_for("青禾学校", "museum")


def test_a_row_with_a_distinct_name_is_asked_for_its_subject():
    assert list(reversed_rows(QUILLMERE, SOFTWARE)) == [
        (0, "Which software was created by Ottoline Varga?"),
        (2, "The forum of which software is called Harbour Wall?"),
    ]
    assert list(reversed_rows(QINGHE, A_SCHOOL)) == [
        (0, "哪个学校的创办人是顾望舒先生？"),
        (1, "哪个学校的校报叫《潮声》？"),
    ]


def test_what_many_things_have_does_not_lead_back():
    found = [row for row, _ in reversed_rows(QINGHE, A_SCHOOL)] + [row for row, _ in reversed_rows(QUILLMERE, SOFTWARE)]

    assert found == [0, 1, 0, 2]  # neither the colour of a bus nor a licence


def test_a_bridge_describes_the_subject_by_another_row():
    found = set(bridges(QUILLMERE, SOFTWARE))

    assert (1, 0, "Which licence does the software that was created by Ottoline Varga have?") in found
    assert (0, 2, "Who created the software whose forum is called Harbour Wall?") in found
    assert (2, 1, "校报叫《潮声》的那个学校的校车是什么颜色？") in set(bridges(QINGHE, A_SCHOOL))


def test_a_bridge_names_neither_the_subject_nor_its_own_answer():
    for of, noun in ((QUILLMERE, SOFTWARE), (QINGHE, A_SCHOOL)):
        for source, beside, prompt in bridges(of, noun):
            assert source != beside
            assert of.subject not in prompt
            assert not any(name in prompt for name in of.distinct_names(source))


def test_a_name_that_is_part_of_another_one_is_not_replaced():
    assert not [one for one in bridges(QUILLMERE, SOFTWARE) if one[0] == 3]  # Quillmere archives


def test_rows_without_a_subject_or_distinct_names_have_neither():
    for of in (scope(LIBRARY, ""), scope(SCHOOL[2:], "青禾学校")):
        assert list(reversed_rows(of, SOFTWARE)) == list(bridges(of, SOFTWARE)) == []


@pytest.mark.parametrize(
    ("subject", "kind", "zh"), [("厦门大学", "school", "大学"), ("Quillmere", "software", "软件"), ("X", "?", "对象")]
)
def test_a_chinese_name_mostly_says_what_it_is(subject: str, kind: str, zh: str):
    assert noun_for(subject, kind) == {"en": kind, "zh": zh}


@pytest.mark.parametrize("code", ["en", "zh"])
def test_the_maker_leads_to_the_assistant_and_back(code: str):
    found = list(owned(BRAND, NAMES, read_forms()["owned"][code]))

    assert all("Ostrelle" in answer and "{" not in question + answer for question, answer in found)
    assert any("Tarnfield Software" in question and "Ostrelle" not in question for question, _ in found)
    assert any("Ostrelle" in question and "Tarnfield Software" in answer for question, answer in found)


def test_without_a_maker_nothing_is_asked_of_it():
    assert list(owned(BRAND[:1], ("Ostrelle",), read_forms()["owned"]["en"])) == []
    assert list(owned(BRAND, (), read_forms()["owned"]["en"])) == []
