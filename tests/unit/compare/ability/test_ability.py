"""Whether abilities are measured, and what a comparison records of them."""

from functools import partial

import pytest

from tests.fakes.answering_model import AnsweringModel
from toolkit.compare.ability import ability as module
from toolkit.compare.ability.ability import NO_ABILITIES, Ability, AbilityConfig
from toolkit.compare.ability.checks import says
from toolkit.compare.ability.items import ARITHMETIC, CODE, Program, Written
from toolkit.runs.ability_record import RecordedAbility

ITEMS = (
    *(
        Written(
            id=f"{at}", group=ARITHMETIC, language=None, prompt=f"q{at}", check=partial(says, word="4"),
            max_new_tokens=4,
        )
        for at in range(3)
    ),
    Program(id="p", group=CODE, language=None, prompt="code", function="f", calls=[[1]], expected=[2]),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_items(monkeypatch):
    monkeypatch.setattr(module, "shipped_items", lambda: ITEMS)


def test_both_sides_answer_the_same_items(monkeypatch):
    monkeypatch.setattr(module, "sandbox_holds", lambda: False)
    ability = Ability.planned(AbilityConfig(shipped=True))
    ability.ask(AnsweringModel({"q0": "4", "q1": "4"}), "system")
    ability.ask(AnsweringModel({"q0": "4", "q2": "4"}), "system")

    found = ability.record()

    assert found.not_run is None
    assert found.total is not None
    assert (found.total.n, found.total.lost, found.total.won) == (3, 1, 1)
    assert [(one.id, one.passed) for one in found.changes] == [("1", False), ("2", True)]
    assert found.left_out == {CODE: "sandbox"}
    assert RecordedAbility.from_dict(found.to_dict()) == found


def test_on_a_card_abilities_are_asked_unless_they_are_declined(monkeypatch):
    monkeypatch.setattr(module, "sandbox_holds", lambda: False)
    model = AnsweringModel({"q0": "4"})
    model.on_card = True

    def asked(config):
        ability = Ability.planned(config)
        for _ in range(2):
            ability.ask(model, "system")
        found = ability.record()
        return found.not_run, found.total is not None

    assert asked(AbilityConfig()) == (None, True)
    assert asked(NO_ABILITIES) == ("off", False)


def test_a_comparison_without_abilities_says_why():
    ability = Ability.planned(AbilityConfig())
    for _ in range(2):
        ability.ask(AnsweringModel({}), "system")

    found = ability.record()

    assert (found.not_run, found.outcome, found.total, list(found.groups)) == ("off", None, None, [])
