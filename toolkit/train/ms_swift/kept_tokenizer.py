"""A tokenizer is read from its folder once: encoding the rows and loading the model for training each ask for it.

Transformers reads a file of a tokenizer of 150 000 tokens five times, which takes as long as encoding 10 000 rows.
"""

from functools import wraps
from pathlib import Path
from typing import Any

from toolkit.train.ms_swift.shared_weights import clone_tokenizer

_kept: list[tuple[object, Any]] = []  # the last one, and which files it is of


def keep_tokenizers() -> None:
    """From here on ms-swift's loader gets a copy of the tokenizer that it read last, if it asks for that again."""
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
