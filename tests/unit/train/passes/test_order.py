"""In which order rows are trained, and what its passes hold at most."""

import random

import pytest

from toolkit.train.passes.order import epoch_order, pass_row_tokens, random_pass

LENGTHS = [900, 20, 150, 30, 700, 40, 150]


def passes(size: int, epochs: int, seed: int = 42) -> list[list[int]]:
    orders = [epoch_order(len(LENGTHS), seed, epoch).tolist() for epoch in range(epochs)]
    return [order[start : start + size] for order in orders for start in range(0, len(order), size)]


def test_each_epoch_has_every_row_in_an_order_of_its_own():
    orders = [epoch_order(50, 42, epoch).tolist() for epoch in range(3)]

    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert epoch_order(50, 42, 1).tolist() == orders[1] != epoch_order(50, 7, 1).tolist()


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_the_most_tokens_are_those_of_the_longest_pass_of_any_epoch(epochs: int):
    found = pass_row_tokens(LENGTHS, 4, 42, epochs)

    assert list(found) == ["1", "2", "4"]
    for size in (1, 2, 4):
        assert found[str(size)] == max(sum(LENGTHS[at] for at in one) for one in passes(size, epochs))


def test_a_pass_of_more_rows_than_there_are_has_them_all():
    assert pass_row_tokens(LENGTHS, 16, 42, 1)["16"] == sum(LENGTHS)


def test_a_random_pass_is_one_of_the_trainings_and_each_may_come():
    chance = random.Random(0)

    drawn = {tuple(random_pass(len(LENGTHS), 3, 42, 2, chance)) for _ in range(200)}

    assert drawn == {tuple(one) for one in passes(3, 2)}
