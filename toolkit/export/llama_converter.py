"""llama.cpp's own converter: a model's settings, tokenizer and weights as GGUF, by the rules of each architecture.

Its maintainers publish no package of it. The source of llama-cpp-python has it, from which `make setup-formats` unpacks
it into the environment: always that of the llama.cpp which answers the gate.
"""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError, ExportError, first_line
from toolkit.model.chat_template import SENTENCEPIECE_SPACE
from toolkit.model.families.family import families

FOLDER = Path(sys.prefix) / "share" / "llama.cpp"
INSTALL = 'Run "make setup-formats" (a C++ compiler, three minutes), or export --to merged.'


def is_installed() -> bool:
    """Whether the converter is in this environment."""
    return (FOLDER / "conversion").is_dir()


def require_convertible(folder: Path, quantisation: str) -> None:
    """Raises ConfigError without the converter, and ExportError for an architecture or a tokenizer that it lacks.

    The tokenizer is converted to find out, which takes a second or two.
    """
    trial = converter(folder, quantisation, dict)
    with explained(folder):
        trial.set_vocab()


def converter(
    folder: Path, quantisation: str, tensors: Callable[[], Mapping[str, Any]], *, name: str | None = None
) -> Any:
    """llama.cpp's converter for the model whose config.json and tokenizer are in `folder`.

    `quantisation`: f16 or q8_0; `tensors`: torch tensors by transformers' names, each of which is converted when it is
    written. Raises ConfigError where the converter is not installed, and ExportError for an architecture that it lacks.
    """
    package = conversion()
    architecture = next(iter(read_json(folder / "config.json").get("architectures") or ["a model without a name"]))
    try:
        kind = package.get_model_class(architecture)
    except NotImplementedError:
        raise ExportError(
            f"llama.cpp knows no {architecture}, so there is no GGUF of it.", next="Export --to merged instead."
        ) from None

    def index_tensors(self: Any, **_: Any) -> dict[str, Callable[[], Any]]:
        """From memory, where the converter would read files."""
        pairs = ((key, _lazily(package, tensor)) for key, tensor in tensors().items())
        return dict(pair for pair in map(self.filter_tensors, pairs) if pair is not None)

    def get_vocab_base_pre(self: Any, tokenizer: Any) -> str:
        """Known by a hash of what it makes of one text, else by the expression that splits texts."""
        try:
            return str(kind.get_vocab_base_pre(self, tokenizer))
        except NotImplementedError:
            return _split_of(folder)

    def set_vocab(self: Any) -> None:
        kind.set_vocab(self)
        if _spaces_at_the_start_alone(folder):
            self.gguf_writer.add_add_space_prefix(False)

    ours = type(kind.__name__, (kind,), {
        "model_arch": kind.model_arch, "index_tensors": index_tensors, "set_vocab": set_vocab,
        "get_vocab_base_pre": get_vocab_base_pre,
    })  # fmt: skip
    with explained(folder):
        return ours(folder, package.base.gguf.LlamaFileType[f"MOSTLY_{quantisation.upper()}"], None, model_name=name)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns what the converter raises, which may be anything, into an ExportError."""
    try:
        yield
    except (ExportError, MemoryError):
        raise
    except Exception as error:
        raise ExportError(
            f"llama.cpp's converter does not take the model in {folder}: {first_line(error) or type(error).__name__}.",
            next="Export --to merged instead; --debug shows where it failed.",
        ) from error


@cache
def conversion() -> Any:
    """The package, with the gguf library beside it. Both are found by their places, since neither is installed."""
    if not is_installed():
        raise ConfigError("llama.cpp's converter, which writes GGUF files, is not installed.", next=INSTALL)
    sys.path[:0] = [str(FOLDER), str(FOLDER / "gguf-py")]
    try:
        package = importlib.import_module("conversion")
    finally:
        del sys.path[:2]
    for name in ("hf-to-gguf", "gguf", "gguf.gguf_writer", "gguf.vocab", "gguf.lazy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return package


def _lazily(package: Any, tensor: Any) -> Callable[[], Any]:
    """What the converter calls for a tensor: type and shape at once, and the numbers when it writes them."""
    lazy = package.LazyTorchTensor
    meta = lazy.meta_with_dtype_and_shape(tensor.dtype, tuple(tensor.shape))
    return lambda: lazy(meta=meta, args=(tensor,), func=lambda one: one.detach().cpu())


def _spaces_at_the_start_alone(folder: Path) -> bool:
    """Whether the tokenizer puts a space before a text, but none after a special token, where llama.cpp would put one.

    A conversation that begins with a special token then has none.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    mark = next((one.content for one in tokenizer.added_tokens_decoder.values() if one.special), None)
    alone, after = (
        tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in ("a", f"{mark}a")
    )
    return alone[0].startswith(SENTENCEPIECE_SPACE) and not after[1].startswith(SENTENCEPIECE_SPACE)


def _split_of(folder: Path) -> str:
    """llama.cpp's name for how the tokenizer splits texts. Raises ExportError for a way that it does not know."""
    steps = read_json(folder / "tokenizer.json").get("pre_tokenizer") or {}
    splits = [
        step.get("pattern", {}).get("Regex")
        for step in steps.get("pretokenizers") or [steps]
        if step.get("type") == "Split"
    ]
    known = {one.gguf.split: one.gguf.tokenizer for one in families().values() if one.gguf}
    if len(splits) == 1 and splits[0] in known:
        return known[splits[0]]
    raise ExportError(
        f"llama.cpp does not know the tokenizer in {folder}: it would split texts differently.",
        next="Export --to merged instead.",
    )
