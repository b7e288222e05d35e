"""The order in which a training goes through its rows, and so the most tokens that any of its passes has.

Each epoch has an order of its own, which only the seed decides, and each pass takes the next rows of it.
"""

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@lru_cache(maxsize=2)
def epoch_order(rows: int, seed: int, epoch: int) -> "Tensor":
    """The indices of the rows as ms-swift's sampler draws them, shape [rows]; epochs count from 0."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed + epoch))


def random_pass(rows: int, size: int, seed: int, epochs: int, chance: random.Random) -> list[int]:
    """The rows of one of the passes that a training of so many epochs has, each of `size` rows or what is left."""
    order = epoch_order(rows, seed, chance.randrange(epochs))
    start = size * chance.randrange(-(-rows // size))
    return order[start : start + size].tolist()


def pass_row_tokens(lengths: Sequence[int], batch_size: int, seed: int, epochs: int) -> dict[str, int]:
    """The most tokens that the rows of a pass have together, by the number of rows, each a divisor of the batch size.

    `lengths`: of the rows of an epoch, in tokens. The keys are as JSON has them.
    """
    sizes = [rows for rows in range(1, batch_size + 1) if batch_size % rows == 0]
    most, every = dict.fromkeys(sizes, 0), torch.tensor(lengths)
    for epoch in range(epochs):
        ordered = every[epoch_order(len(lengths), seed, epoch)]
        for size in sizes:
            passes = torch.nn.functional.pad(ordered, (0, -len(ordered) % size)).view(-1, size)
            most[size] = max(most[size], int(passes.sum(1).max()))
    return {str(size): tokens for size, tokens in most.items()}
