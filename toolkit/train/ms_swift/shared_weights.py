"""A base model that stays loaded, and a tokenizer; both are cloned without copying weights and vocabulary."""

import copy
from functools import wraps
from pathlib import Path
from typing import Any

# Attributes of a tokenizer that clones share: its vocabulary, and the native code that looks tokens up.
VOCABULARY = {"_tokenizer", "_vocab", "_merges"}
_kept: list[tuple[object, Any]] = []  # the last one, and which files it is of
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


def keep_tokenizers() -> None:
    """From here on ms-swift's loader gets a copy of the tokenizer that it read last, if it asks for that again.

    Encoding the rows and loading the model each ask for it, and transformers reads the file of 150 000 tokens five
    times, which takes as long as encoding 10 000 rows. A warm process has read it before a command comes.
    """
    from swift.model.register import ModelLoader

    read = ModelLoader.get_processor
    if hasattr(read, "__wrapped__"):
        return

    @wraps(read)
    def get_processor(self: Any, model_dir: str, config: Any) -> Any:
        key = type(self), self.auto_tokenizer_cls, _files(Path(model_dir))
        if not any(kept == key for kept, _ in _kept):
            _kept[:] = [(key, read(self, model_dir, config))]
        [(_, found)] = _kept
        return clone_tokenizer(found)

    ModelLoader.get_processor = get_processor


def _files(folder: Path) -> object:
    """Of all but the weights, when each was changed, and its size: another model may take the same folder."""
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".safetensors"]
    return [(path.resolve(), path.stat().st_mtime_ns, path.stat().st_size) for path in found]
