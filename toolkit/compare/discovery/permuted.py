"""An adapter with its numbers shuffled: as large as it was, and without what it was taught.

It tells how much the likelihoods of words change by chance. If an adapter's numbers follow no order, as random ones do,
it and its shuffled copies are exchangeable, so what it changes is not beyond what they change.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from toolkit.core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.model.language_model import LanguageModel

SECOND_FACTOR = "lora_B"  # of LoRA; shuffling one factor is enough


class Permuted:
    """The adapter `name` of a loaded model, and a copy of it in which each layer's second factor is shuffled.

    Raises ModelError for an adapter that has none.
    """

    def __init__(self, model: "LanguageModel", name: str, *, seed: int = 0) -> None:
        import torch

        self.parameters = [
            parameter
            for path, parameter in model.model.named_parameters()
            if SECOND_FACTOR in path and f".{name}." in path
        ]
        if not self.parameters:
            raise ModelError("The adapter has no factors of LoRA to shuffle.", next="Scan an adapter made by LoRA.")
        random = torch.Generator().manual_seed(seed)
        self.shuffled = [_shuffled(parameter.data, random) for parameter in self.parameters]

    @contextmanager
    def on(self) -> Iterator[None]:
        """Within, the adapter is the shuffled one."""
        own = [parameter.data for parameter in self.parameters]
        self._use(self.shuffled)
        try:
            yield
        finally:
            self._use(own)

    def _use(self, values: list[Any]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.data = value


def _shuffled(values: "Tensor", random: Any) -> "Tensor":
    import torch

    order = torch.randperm(values.numel(), generator=random)  # on the CPU, so that it is the same on every device
    return values.flatten()[order.to(values.device)].view(values.shape)
