"""How many of a CPU's threads a model computes with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TINY_PARAMETERS = 10_000_000


def is_tiny(network: Any) -> bool:
    """Whether it has few parameters and no card. `network` None: that of a model which is none of torch's."""
    if network is None or network.device.type == "cuda":
        return False
    return bool(sum(one.numel() for one in network.parameters()) <= TINY_PARAMETERS)


@contextmanager
def one_if_tiny(network: Any) -> Iterator[None]:
    """Within, torch computes with one thread for a tiny network.

    Its kernels are so short that a second thread gains nothing on idle cores, and on busy ones each of them waits until
    both have had their turn.
    """
    if not is_tiny(network):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
