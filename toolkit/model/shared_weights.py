"""A base model that stays loaded and is cloned without copying its weights."""

import copy
from pathlib import Path
from typing import Any

WORDS = {"_tokenizer", "_vocab", "_merges"}  # of a tokenizer: what it knows, and the native code that looks it up


class SharedWeights:
    """Holds a model and its tokenizer by folder, precision, and whether its weights are in 4 bits."""

    def __init__(self) -> None:
        self._held: dict[tuple[Path, str, bool], tuple[Any, Any]] = {}

    def hold(self, key: tuple[Path, str, bool], model: Any, tokenizer: Any) -> None:
        self._held[key] = model, tokenizer

    def holds(self, key: tuple[Path, str, bool]) -> bool:
        return key in self._held

    def loan(self, key: tuple[Path, str, bool]) -> tuple[Any, Any]:
        """A model and a tokenizer that is held."""
        model, tokenizer = self._held[key]
        return _over_same_weights(model), _over_same_words(tokenizer)


def _over_same_weights(model: Any) -> Any:
    """A deep copy, except for the parameters, and the scales of those in 4 bits: these are the model's own."""
    own = [*model.parameters()]
    own += [weights.quant_state for weights in own if getattr(weights, "quant_state", None) is not None]
    return copy.deepcopy(model, {id(one): one for one in own})


def _over_same_words(tokenizer: Any) -> Any:
    """A deep copy, except for the 150 000 words themselves: to copy them takes longer than to train a step on them."""
    return copy.deepcopy(tokenizer, {id(one): one for name, one in vars(tokenizer).items() if name in WORDS})
