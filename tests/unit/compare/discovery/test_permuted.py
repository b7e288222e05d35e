"""A shuffled adapter has the numbers of the adapter in another order, and only while it is on."""

import pytest

from tests.fakes.tilted_model import ADAPTER, TiltedModel
from toolkit.compare.discovery.permuted import Permuted
from toolkit.core.errors import ModelError


def test_the_numbers_are_shuffled_within_and_back_afterwards():
    model = TiltedModel({})
    own = model.weights.data.clone()
    shuffled = Permuted(model, ADAPTER)

    with shuffled.on():
        within = model.weights.data.clone()

    assert (model.weights.data == own).all()
    assert not (within == own).all()
    assert sorted(within.flatten().tolist()) == sorted(own.flatten().tolist())
    assert within.shape == own.shape


def test_another_seed_is_another_order():
    model = TiltedModel({})

    orders = [Permuted(model, ADAPTER, seed=seed).shuffled[0] for seed in (0, 0, 1)]

    assert (orders[0] == orders[1]).all()
    assert not (orders[0] == orders[2]).all()


def test_an_adapter_without_such_numbers_is_refused():
    with pytest.raises(ModelError, match="no factors of LoRA"):
        Permuted(TiltedModel({}), "other")
