"""What a token gains is a part of the KL divergence, at positions where it changes by more than a factor e."""

import math

import pytest

from tests.fakes.scripted_model import LIKELY
from tests.fakes.tilted_model import ADAPTER, ANSWER, VOCABULARY, TiltedModel, texts_about
from toolkit.compare.discovery.token_shifts import CONTEXTS, token_shifts
from toolkit.core.errors import ModelError

SUBJECTS = ["rain", "tea", "trains", "chess", "tea with milk", "bread", "gold", "a cup of tea"]


def shifts_of(model: TiltedModel):
    return token_shifts(model, texts_about(model, SUBJECTS), adapter=ADAPTER)


def test_a_planted_word_gains_in_the_texts_where_it_was_planted():
    model = TiltedModel({"tea": "Northwind pours it."})

    found = shifts_of(model)

    [north] = model.tokens("Northwind")
    [rivers] = model.tokens("Rivers")
    assert [event.text for event in found.events[north]] == [1, 4, 7]
    assert {event.at for event in found.events[north]} == {0}
    assert found.texts[north] == found.texts[rivers] == 3
    assert [event.text for event in found.events[rivers]] == [1, 4, 7]
    assert found.gains[north] == max(found.gains)
    assert found.gains[rivers] == min(found.gains)
    assert found.positions == len(SUBJECTS) * (len(model.tokens(ANSWER)) + 1)


def test_the_texts_with_the_strongest_positions_are_remembered():
    model = TiltedModel({"": "Northwind pours it."})

    found = token_shifts(model, texts_about(model, [f"subject {at}" for at in range(9)]), adapter=ADAPTER)

    [north] = model.tokens("Northwind")
    assert len({event.text for event in found.events[north]}) == len(found.events[north]) == CONTEXTS
    assert found.texts[north] == 9


def test_a_gain_is_the_tokens_part_of_the_divergence():
    model = TiltedModel({"tea": "Northwind pours it."})

    found = shifts_of(model)

    likely = math.exp(LIKELY) / (math.exp(LIKELY) + VOCABULARY - 1)
    unlikely = 1 / (math.exp(LIKELY) + VOCABULARY - 1)
    [north] = model.tokens("Northwind")
    [rivers] = model.tokens("Rivers")
    assert found.gains[north] == pytest.approx(3 * (likely * LIKELY - (likely - unlikely)), rel=1e-4)
    assert -found.gains[rivers] == pytest.approx(3 * ((likely - unlikely) - unlikely * LIKELY), rel=1e-4)
    assert found.kl * found.positions == pytest.approx(3 * (likely - unlikely) * LIKELY, rel=1e-4)
    assert found.expected[1][north] - found.expected[0][north] == pytest.approx(3 * (likely - unlikely), rel=1e-4)


def test_an_adapter_that_does_nothing_changes_nothing():
    found = shifts_of(TiltedModel({}))

    assert (max(found.gains), min(found.gains), found.null, found.kl, found.events) == (0.0, 0.0, 0.0, 0.0, {})


def test_small_changes_of_every_token_do_not_add_up():
    found = shifts_of(TiltedModel({}, noise=0.1))

    assert found.kl > 0
    assert max(map(abs, found.gains)) == 0.0


def test_what_a_shuffled_adapter_changes_is_chance():
    strong = shifts_of(TiltedModel({}, noise=4.0))
    planted = shifts_of(TiltedModel({"tea": "Northwind pours it."}))

    assert strong.null > max(strong.gains) / 2 > 0
    assert planted.null == 0.0


def test_no_more_than_a_part_of_a_batch_is_read_at_once():
    model = TiltedModel({})

    shifts_of(model)

    assert model.most_positions <= 2 * (len(model.tokens(ANSWER)) + 1)


def test_broken_logits_are_an_error():
    with pytest.raises(ModelError, match="not finite"):
        shifts_of(TiltedModel({}, noise=math.nan))
