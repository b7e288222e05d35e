"""A base model that stays loaded and is cloned without copying its weights."""

import copy
from pathlib import Path
from typing import Any

# Attributes of a tokenizer that clones share: its vocabulary, and the native code that looks tokens up.
VOCABULARY = {"_tokenizer", "_vocab", "_merges"}
Key = tuple[Path, str, bool]  # model folder, precision, whether the weights are in 4 bits


class SharedWeights:
    """Loaded models with their tokenizers, by folder, precision and 4-bit loading."""

    def __init__(self) -> None:
        self._loaded: dict[Key, tuple[Any, Any]] = {}

    def add(self, key: Key, model: Any, tokenizer: Any) -> None:
        self._loaded[key] = model, tokenizer

    def has(self, key: Key) -> bool:
        return key in self._loaded

    def clone(self, key: Key) -> tuple[Any, Any]:
        """A model over the same weights, and a tokenizer over the same vocabulary. Raises KeyError if not added."""
        model, tokenizer = self._loaded[key]
        return _clone_model(model), clone_tokenizer(tokenizer)


def _clone_model(model: Any) -> Any:
    """A deep copy that shares the parameters, and the scales of those in 4 bits."""
    shared = [*model.parameters()]
    shared += [weights.quant_state for weights in shared if getattr(weights, "quant_state", None) is not None]
    return copy.deepcopy(model, {id(one): one for one in shared})


def clone_tokenizer(tokenizer: Any) -> Any:
    """A deep copy that shares the 150 000 tokens: copying them takes longer than a training step."""
    return copy.deepcopy(tokenizer, {id(one): one for name, one in vars(tokenizer).items() if name in VOCABULARY})
