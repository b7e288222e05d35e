"""The items that are shipped: enough, without duplicates, and right."""

from collections import Counter

import pytest

from toolkit.compare.ability.items import CODE, GROUPS, KNOWLEDGE_EN, KNOWLEDGE_ZH, Choice, Program, by_group
from toolkit.compare.ability.sandbox import run_calls, sandbox_holds
from toolkit.compare.ability.shipped import _file, shipped_items


def test_there_are_a_thousand_items_in_every_group_of_both_languages():
    groups = by_group(shipped_items())

    assert len(shipped_items()) >= 1000
    assert tuple(groups) == GROUPS
    assert min(map(len, groups.values())) >= 40


def test_no_item_is_there_twice():
    ids, prompts = (Counter(getattr(one, name) for one in shipped_items()) for name in ("id", "prompt"))

    assert [name for name, count in ids.items() if count > 1] == []
    assert [text for text, count in prompts.items() if count > 1] == []


def test_the_items_are_always_the_same():
    shipped_items.cache_clear()
    first = [one.prompt for one in shipped_items()]
    shipped_items.cache_clear()

    assert [one.prompt for one in shipped_items()] == first


@pytest.mark.parametrize("group", [KNOWLEDGE_EN, KNOWLEDGE_ZH])
def test_every_letter_is_right_about_equally_often(group: str):
    """Batch calibration takes a letter's mean for a liking: it needs that."""
    letters = Counter(one.answer for one in shipped_items() if isinstance(one, Choice) and one.group == group)

    assert max(letters.values()) - min(letters.values()) <= 1
    assert len(letters) == 4


def test_the_choices_of_a_question_differ():
    for one in (item for item in shipped_items() if isinstance(item, Choice)):
        options = [line[3:] for line in one.prompt.split("\n") if line[:3] in {"A. ", "B. ", "C. ", "D. "}]

        assert len(set(options)) == 4, one.prompt


def test_what_a_task_of_code_expects_is_what_its_solution_gives():
    for one in _file("code"):
        function = eval(f"lambda {one['args']}: {one['solution']}")

        assert [function(*call) for call in one["calls"]] == one["expected"], one["name"]


@pytest.mark.skipif(not sandbox_holds(), reason="no sandbox here")
def test_a_solution_in_the_sandbox_gives_what_is_expected():
    one = next(item for item in shipped_items() if isinstance(item, Program) and item.group == CODE)

    assert run_calls("def is_even(n): return n % 2 == 0", one.function, one.calls) == list(one.expected)
