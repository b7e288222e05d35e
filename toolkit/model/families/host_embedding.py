"""An embedding that stays in the host's memory: its rows come to the card as they are looked up.

Qwen2.5-7B's table has 152 064 rows of 3584, 1.1 GB in 16 bits, of which a pass reads some hundreds. It is for training
over a base in 4 bits, whose table is neither trained, merged nor saved.
"""

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor


class HostEmbedding(torch.nn.Module):
    """Looks up in `table`, which it moves to the CPU, and hands the rows to the device where that was."""

    _table: Any

    def __init__(self, table: Any) -> None:
        super().__init__()
        weight = table.weight
        # A model's device and type are those of its first parameter. A module's `to` must not find the table itself.
        self.place = torch.nn.Parameter(torch.empty(0, dtype=weight.dtype, device=weight.device), requires_grad=False)
        object.__setattr__(self, "_table", table.to("cpu").requires_grad_(False))  # whoever freezes a model misses it

    @property
    def weight(self) -> "Tensor":
        """Shape [vocabulary, width], on the CPU."""
        weight: Tensor = self._table.weight
        return weight

    def forward(self, ids: "Tensor") -> "Tensor":
        """Shape [*ids.shape, width]; waits for the card, if the ids are there."""
        found: Tensor = self._table.forward(ids.to("cpu"))
        return found.to(self.place.device)

    def __deepcopy__(self, memo: Any) -> "HostEmbedding":
        """A clone over the same weights shares them: nothing here changes."""
        return self


def is_on_host(causal: Any) -> bool:
    return isinstance(causal.get_input_embeddings(), HostEmbedding)


def keep_embedding_on_host(causal: Any) -> None:
    """Moves this model's embedding off the card. Raises ValueError where the head needs the same weights."""
    table, head = causal.get_input_embeddings(), causal.get_output_embeddings()
    if head is not None and table.weight is head.weight:
        raise ValueError("embedding and head share their weights")
    if not isinstance(table, HostEmbedding):
        causal.set_input_embeddings(HostEmbedding(table))
