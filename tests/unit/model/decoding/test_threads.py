"""Threads of a CPU: one where a model is tiny, and the user's number otherwise and afterwards."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from toolkit.model.decoding.threads import TINY_PARAMETERS, one_if_tiny


@pytest.fixture(name="two_threads", autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def network(parameters: int, kind: str = "cpu") -> SimpleNamespace:
    weights = [torch.empty(parameters, device="meta")]
    return SimpleNamespace(device=SimpleNamespace(type=kind), parameters=lambda: iter(weights))


def test_a_tiny_model_computes_with_one_thread():
    with one_if_tiny(network(TINY_PARAMETERS)):
        assert torch.get_num_threads() == 1


@pytest.mark.parametrize("other", [network(TINY_PARAMETERS + 1), network(8, "cuda"), None])
def test_another_keeps_its_threads(other: SimpleNamespace | None):
    with one_if_tiny(other):
        assert torch.get_num_threads() == 2


def test_afterwards_there_are_as_many_as_before_even_after_an_error():
    with pytest.raises(ValueError), one_if_tiny(network(8)):  # noqa: PT011  # it is ours
        raise ValueError

    assert torch.get_num_threads() == 2
