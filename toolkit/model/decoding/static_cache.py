"""Keys and values at fixed places of memory, so that every step of an answer is the same kernels on the same tensors.

Prompts are padded on the left: all rows write a step's keys and values into one column. Columns that a row does not
see are masked; they must be finite all the same, as 0 times infinity is not a number.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.cache_utils import Cache, CacheLayerMixin

from toolkit.model.families.attention import attention_by

GROUPED = "sdpa_of_one_token"


class _Layer(CacheLayerMixin):  # type: ignore[misc]  # transformers has no types
    """`keys`, `values`: shape [rows, key heads, capacity, head size]."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = keys, values, True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing is left to do."""

    def get_seq_length(self) -> int:
        return 0  # asked for positions and masks only, which our calls bring along

    def get_max_length(self) -> int:
        return int(self.keys.shape[2])


class PromptLayer(_Layer):
    """Stores the prompts' keys and values in the first columns; attention goes over these, as without a cache."""

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **_how: Any) -> tuple[Tensor, Tensor]:
        rows, _heads, length, _size = key_states.shape
        self.keys[:rows, :, :length] = key_states
        self.values[:rows, :, :length] = value_states
        return key_states, value_states

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0


class StepLayer(_Layer):
    """Stores one token's keys and values at `column`, a tensor of one index; attention goes over all columns."""

    def __init__(self, keys: Tensor, values: Tensor, column: Tensor) -> None:
        super().__init__(keys, values)
        self.column = column

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **_how: Any) -> tuple[Tensor, Tensor]:
        self.keys.index_copy_(2, self.column, key_states)
        self.values.index_copy_(2, self.column, value_states)
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:  # noqa: ARG002  # transformers' signature
        return self.get_max_length(), 0


class Memory:
    """The memory of every layer's keys and values, which batches of any shape use one after the other."""

    def __init__(self, layers: int, dtype: torch.dtype, device: torch.device) -> None:
        self._count, self._dtype, self._device = 2 * layers, dtype, device
        self._blocks: list[Tensor] = []

    def holds(self, shape: Sequence[int]) -> bool:
        """Whether a batch of this shape [rows, key heads, capacity, head size] fits without growing."""
        return bool(self._blocks) and self._blocks[0].numel() >= torch.Size(shape).numel()

    def grow(self, shape: Sequence[int]) -> None:
        """Makes room for a batch of this shape in other places: what used the old ones must be dropped before."""
        self._blocks = []  # freed before the new ones are allocated
        size = torch.Size(shape).numel()
        self._blocks = [torch.zeros(size, dtype=self._dtype, device=self._device) for _ in range(self._count)]

    def layers(self, shape: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Each layer's keys and values, both of this shape."""
        size = torch.Size(shape).numel()
        views = [one[:size].view(*shape) for one in self._blocks]
        return list(zip(views[0::2], views[1::2], strict=True))


def caches(layers: Sequence[tuple[Tensor, Tensor]], column: Tensor) -> tuple[Cache, Cache]:
    """For reading prompts, and for steps after them, over the same keys and values."""
    prompt = Cache(layers=[PromptLayer(keys, values) for keys, values in layers])
    return prompt, Cache(layers=[StepLayer(keys, values, column) for keys, values in layers])


def _grouped_attention(
    module: Any,  # noqa: ARG001  # transformers' signature
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """One token's attention. `query`: [rows, heads, 1, size]; `key`, `value`: [rows, key heads, capacity, size].

    The query heads that share a key head see the same columns, so they are to it what several tokens are: nothing is
    copied for each of them (transformers' own repeats keys and values as soon as there is a mask).
    """
    rows, heads, _one, size = query.shape
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], size)
    found = scaled_dot_product_attention(grouped, key, value, attn_mask=attention_mask, scale=scaling)
    return found.reshape(rows, 1, heads, size), None


def one_token_attention(config: Any) -> AbstractContextManager[None]:
    """Within, the model of this configuration reads one token a row, with a mask of four dimensions."""
    return attention_by(config, GROUPED, _grouped_attention)
