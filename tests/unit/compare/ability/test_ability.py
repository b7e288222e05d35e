"""Whether abilities are measured, and what a comparison records of them."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch

from tests.fakes.answering_model import AnsweringModel
from toolkit.compare.ability import ability as module
from toolkit.compare.ability.ability import LEAST_PARAMETERS, Ability, AbilityConfig, reason_not_to_run
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


def model(texts, *, parameters: int = LEAST_PARAMETERS, device: str = "cuda") -> AnsweringModel:
    found = AnsweringModel(texts)
    found.model = SimpleNamespace(num_parameters=lambda: parameters, device=torch.device(device))
    return found


@pytest.fixture(autouse=True)
def _few_items(monkeypatch):
    monkeypatch.setattr(module, "shipped_items", lambda: ITEMS)


@pytest.mark.parametrize(
    ("config", "parameters", "on_card", "reason"),
    [
        (AbilityConfig(), LEAST_PARAMETERS, True, None),
        (AbilityConfig(), LEAST_PARAMETERS - 1, True, "small"),
        (AbilityConfig(), LEAST_PARAMETERS, False, "cpu"),
        (AbilityConfig(several=True), LEAST_PARAMETERS, True, "several"),
        (AbilityConfig(shipped=False), LEAST_PARAMETERS, True, "off"),
        (AbilityConfig(shipped=True, several=True), 1000, False, None),
    ],
)
def test_abilities_are_measured_on_real_weights_on_a_card_or_when_asked_for(config, parameters, on_card, reason):
    assert reason_not_to_run(config, parameters=parameters, on_card=on_card) == reason


def test_both_sides_answer_the_same_items(monkeypatch):
    monkeypatch.setattr(module, "sandbox_holds", lambda: False)
    ability = Ability.planned(AbilityConfig())
    ability.ask(model({"q0": "4", "q1": "4"}), "system")
    ability.ask(model({"q0": "4", "q2": "4"}), "system")

    found = ability.record()

    assert found.not_run is None
    assert found.total is not None
    assert (found.total.n, found.total.lost, found.total.won) == (3, 1, 1)
    assert [(one.id, one.passed) for one in found.changes] == [("1", False), ("2", True)]
    assert found.left_out == {CODE: "sandbox"}
    assert RecordedAbility.from_dict(found.to_dict()) == found


def test_a_comparison_without_abilities_says_why():
    ability = Ability.planned(AbilityConfig())
    for _ in range(2):
        ability.ask(model({}, parameters=1000), "system")

    found = ability.record()

    assert (found.not_run, found.outcome, found.total, list(found.groups)) == ("small", None, None, [])
