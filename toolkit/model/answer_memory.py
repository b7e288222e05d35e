"""How many answers a card has room for at once. Pure, apart from reading how much memory is free."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.model.families.sizes import attention_widths

PASSING_STATES = 4  # copies of a layer's states, and of its MLP's, that exist at once without gradients
LOGIT_BYTES = 16  # of a row's last logits: as computed, in float32, and what is copied to choose a token
COPIED = 2  # the cache of keys and values is copied as it grows, and fragments are left between batches


def token_bytes(config: Mapping[str, Any], element_bytes: int) -> int:
    """What a token of a conversation takes of the card while it is read and answered."""
    _, keys = attention_widths(config)
    cached = 2 * int(config["num_hidden_layers"]) * keys
    # In the layer that is being computed.
    passing = PASSING_STATES * (int(config["hidden_size"]) + int(config["intermediate_size"]))
    return COPIED * element_bytes * (cached + passing)


def rows_that_fit(config: Mapping[str, Any], element_bytes: int, *, tokens: int, free_bytes: int) -> int:
    """How many conversations of so many tokens, answers included; at least one, which has to be tried."""
    a_row = tokens * token_bytes(config, element_bytes) + LOGIT_BYTES * int(config["vocab_size"])
    return max(1, free_bytes // a_row)


def free_bytes(device: Any) -> int:
    """The card's free memory, with what this process has reserved and does not use."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def batches(
    lengths: Sequence[int], order: Sequence[int], *, most: int, fitting: Callable[[int], int] | None
) -> Iterator[list[int]]:
    """The indices in `order`, as many at once as `most`, and as `fitting` allows rows of the longest one's length."""
    batch: list[int] = []
    longest = 0
    for at in order:
        longest = max(longest, lengths[at])
        if batch and len(batch) + 1 > min(most, most if fitting is None else fitting(longest)):
            yield batch
            batch, longest = [], lengths[at]
        batch.append(at)
    if batch:
        yield batch
