"""Processes that train together: what they add up, and what the first tells the others; here they are threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch.distributed import HashStore

from toolkit.model.cards.group import ALONE, Group, LostPeerError


def together(act: Callable[[Group], Any], size: int = 2) -> list[Any]:
    """What each of the processes returns."""
    store = HashStore()
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: act(Group(store, rank, size)), range(size)))


def _add_up_for_ever(group: Group) -> None:
    while True:
        group.add_up(torch.ones(1))


def test_alone_everything_stays_as_it_is():
    values, weight = torch.ones(2), torch.nn.Parameter(torch.ones(1))
    ALONE.add_up(values)
    ALONE.add_up_gradients([weight])
    ALONE.share_weights([weight])

    assert (values.tolist(), weight.grad, weight.item()) == ([1, 1], None, 1)
    assert ALONE.first(lambda: "mine") == "mine"
    assert ALONE.every(7) == [7]


def test_what_the_first_makes_is_made_once_and_told_to_all():
    asked = []

    def act(group: Group) -> Any:
        return group.first(lambda: asked.append(group.rank) or {"rank": group.rank, "text": "x" * 3000})

    assert together(act, 3) == [{"rank": 0, "text": "x" * 3000}] * 3
    assert asked == [0]


def test_every_value_is_heard_by_all_in_their_order():
    assert together(lambda group: group.every("x" * group.rank), 3) == [["", "x", "xx"]] * 3


def test_gradients_are_added_up_in_place_and_a_missing_one_counts_as_zeros():
    def act(group: Group) -> tuple[bool, list[list[float]]]:
        weights = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1, 1))]
        own = weights[0].grad = torch.tensor([1.0, 2.0]) * (group.rank + 1)
        if group.rank == 0:
            weights[1].grad = torch.tensor([[5.0]])
        group.add_up_gradients(weights)
        return weights[0].grad is own, [one.grad.flatten().tolist() for one in weights if one.grad is not None]

    assert together(act) == [(True, [[3, 6], [5]])] * 2


def test_all_start_from_the_weights_of_the_first():
    def act(group: Group) -> list[float]:
        weight = torch.nn.Parameter(torch.full((2,), float(group.rank + 3)))
        group.share_weights([weight])
        return weight.tolist()

    assert together(act) == [[3, 3], [3, 3]]


def test_a_process_that_is_gone_is_noticed():
    def act(group: Group) -> str:
        if group.rank == 1:
            return "gone"
        with pytest.raises(LostPeerError, match=r"^[A-Z][^[]"):
            _add_up_for_ever(group)
        return "noticed"

    assert together(act) == ["noticed", "gone"]


class Network(torch.nn.Module):
    """Counts its passes."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[int] = []

    def forward(self, input_ids: torch.Tensor, **_: object) -> torch.Tensor:
        self.tokens.append(input_ids.numel())
        return input_ids


def test_a_pass_of_the_first_process_through_a_shared_network_is_one_of_every_process():
    def act(group: Group) -> tuple[Any, list[int]]:
        network = Network()
        group.share(network)
        found = group.first(lambda: [network(torch.ones(1, length)).numel() for length in (5, 7)])
        return group.first(lambda: found), network.tokens

    assert together(act, 3) == [([5, 7], [5, 7]), ([5, 7], [1, 1]), ([5, 7], [1, 1])]


def test_parts_are_put_together_in_the_order_of_the_processes():
    def act(group: Group) -> list[float]:
        whole = torch.zeros(4)
        group.gather(whole, torch.full((2,), float(group.rank)))
        return whole.tolist()

    assert together(act) == [[0, 0, 1, 1]] * 2
    assert [ALONE.shares, Group().shares] == [False, False]
