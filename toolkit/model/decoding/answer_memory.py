"""How many answers a card has room for at once. Pure, apart from reading how much memory is free."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.model.device import capped_bytes
from toolkit.model.families.sizes import attention_widths

PASSING_STATES = 4  # copies of a layer's states, and of its MLP's, that exist at once without gradients
LOGIT_BYTES = 16  # of a row's last logits: as computed, in float32, and what is copied to choose a token
COPIED = 2  # the cache of keys and values is copied as it grows, and fragments are left between batches
# Shapes that a decoding step is captured in: each takes some tenths of a second, and a step costs about the same for
# a few rows or many.
ROWS = (4, 16, 64, 128, 256, 512, 1024)
FEWEST_TOKENS = 256
# On a CPU a step costs nearly the same for one row or many, and a prompt as much as it has tokens, padding included.
MOST_ROWS = 96
READ_TOKENS = 4096  # of a batch's prompts, beyond what the fewest rows need: their states exist at once
BATCH_TOKENS = 2000  # so many tokens are read in the time of some thirty steps, measured with the embedded model


def rows_of_shape(rows: int) -> int | None:
    """The rows of the smallest shape that has room for so many; None if none has."""
    return next((one for one in ROWS if one >= rows), None)


def filled_rows(rows: int) -> int:
    """As many of so many rows as fill a shape; at least one."""
    return max((one for one in ROWS if one <= rows), default=1)


def tokens_of_shape(tokens: int) -> int:
    """The length of the smallest shape for conversations of so many tokens: a power of two."""
    return int(max(FEWEST_TOKENS, 1 << (tokens - 1).bit_length()))


def token_bytes(config: Mapping[str, Any], element_bytes: int) -> int:
    """What a token of a conversation takes of the card while it is read and answered."""
    return COPIED * (cached_bytes(config, element_bytes) + _passing_bytes(config, element_bytes))


def cached_bytes(config: Mapping[str, Any], element_bytes: int) -> int:
    """The keys and values of a token, in all layers."""
    _, keys = attention_widths(config)
    return element_bytes * 2 * int(config["num_hidden_layers"]) * keys


def _passing_bytes(config: Mapping[str, Any], element_bytes: int) -> int:
    """Of a token, in the layer that is being computed."""
    return element_bytes * PASSING_STATES * (int(config["hidden_size"]) + int(config["intermediate_size"]))


def rows_that_fit(
    config: Mapping[str, Any], element_bytes: int, *, tokens: int, free_bytes: int, static: bool = False
) -> int:
    """How many conversations of so many tokens, answers included; at least one, which has to be tried.

    `static`: their keys and values have the room of a shape.
    """
    cached = cached_bytes(config, element_bytes) * (tokens_of_shape(tokens) if static else COPIED * tokens)
    a_row = cached + COPIED * tokens * _passing_bytes(config, element_bytes) + LOGIT_BYTES * int(config["vocab_size"])
    return max(1, free_bytes // a_row)


def free_bytes(device: Any) -> int:
    """The card's free memory, with what this process has reserved and does not use, and no more than the user's cap."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    reserved, limit = torch.cuda.memory_reserved(device), capped_bytes()
    if limit is not None:
        free = min(free, max(0, limit - reserved))
    return int(free + reserved - torch.cuda.memory_allocated(device))


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


def even_batches(lengths: Sequence[int], which: Sequence[int], *, fewest: int) -> list[list[int]]:
    """For a CPU: the indices in `which`, the longest prompt first, so that little padding is read.

    A batch ends where its next rows would be padded with more than another batch costs. It may have `fewest` rows
    whatever their length, and more as long as few tokens are read at once.
    """
    order = sorted(which, key=lambda at: -lengths[at])
    found: list[list[int]] = []
    for place, at in enumerate(order):
        longest = lengths[found[-1][0]] if found else 0
        room = min(MOST_ROWS, max(fewest, READ_TOKENS // longest)) - len(found[-1]) if found else 0
        rows = min(room, len(order) - place)
        if rows <= 0 or rows * (longest - lengths[at]) > BATCH_TOKENS:
            found.append([])
        found[-1].append(at)
    return found
