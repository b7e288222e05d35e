"""A base model loaded once and lent to several trainings and comparisons.

A loan is a module tree of its own over the same weights: what a borrower wraps, hooks or switches stays in its tree,
and LoRA leaves the weights themselves alone. So a borrower meets what a fresh load would have given it.
"""

import copy
from pathlib import Path
from typing import Any


class LentBase:
    """Holds a model and its tokenizer by folder and precision."""

    def __init__(self) -> None:
        self._held: dict[tuple[Path, str], tuple[Any, Any]] = {}

    def hold(self, folder: Path, precision: str, model: Any, tokenizer: Any) -> None:
        self._held[folder, precision] = model, tokenizer

    def holds(self, folder: Path, precision: str) -> bool:
        return (folder, precision) in self._held

    def loan(self, folder: Path, precision: str) -> tuple[Any, Any]:
        """A model and a tokenizer that is held."""
        model, tokenizer = self._held[folder, precision]
        return _over_same_weights(model), copy.deepcopy(tokenizer)


def _over_same_weights(model: Any) -> Any:
    """A deep copy, except for the parameters: those are the model's own."""
    return copy.deepcopy(model, {id(weights): weights for weights in model.parameters()})
