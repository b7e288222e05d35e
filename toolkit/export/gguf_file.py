"""One GGUF file by llama.cpp's own converter; what llama.cpp would compute differently is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.errors import ExportError
from toolkit.export.llama_converter import converter, explained
from toolkit.model.families.family import family_of
from toolkit.model.families.tensors import EMBEDDING

BLOCK = {"f16": 1, "q8_0": 32}  # the length of a row must be a multiple
LARGEST_F16 = 65_504.0
TIED = "lm_head.weight"  # not written where it is the embedding: llama.cpp then uses that one
ROPE = {"default", "linear", "yarn"}  # ways to positions beyond those of the training, of every family


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The file's `general.*` keys."""

    name: str
    finetune: str
    base_name: str
    base_repository: str | None = None


def require_writable(config: Mapping[str, Any], quantisation: str) -> None:
    """Raises ExportError for a configuration that GGUF cannot store, or that llama.cpp would compute differently.

    The gate sees what differs in short conversations; this is for what differs in long ones.
    """
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if "full_attention" not in rope and kind not in ROPE.union(family_of(config).gguf_rope):
        raise ExportError(f"GGUF has no equivalent of this rope scaling: {rope}.", next="Export --to merged instead.")
    if (every := family_of(config).gguf_windows) and _windows(config) not in (None, _pattern(config, every)):
        raise ExportError(
            f"llama.cpp gives windows to all layers but each {every}th of such a model; this one has another pattern.",
            next="Export --to merged instead.",
        )
    block = BLOCK[quantisation]
    for size in ("hidden_size", "intermediate_size"):
        if config[size] % block:
            raise ExportError(
                f"{quantisation} needs rows in multiples of {block}, and {size} is {config[size]}.",
                next="Use --quantization f16.",
            )


def ignored_window(config: Mapping[str, Any]) -> int | None:
    """The tokens beyond which llama.cpp answers differently, since it ignores the window of such a model."""
    window = config.get("sliding_window")
    if family_of(config).gguf_windows or not window or window >= config.get("max_position_embeddings", window + 1):
        return None
    return int(window) if config.get("use_sliding_window", True) and True in (_windows(config) or [True]) else None


def _windows(config: Mapping[str, Any]) -> list[bool] | None:
    """By layer, whether it sees only a window; None where the configuration leaves that to the architecture."""
    kinds = config.get("layer_types")
    return [kind == "sliding_attention" for kind in kinds] if kinds and config.get("sliding_window") else None


def _pattern(config: Mapping[str, Any], every: int) -> list[bool]:
    return [(layer + 1) % every != 0 for layer in range(config["num_hidden_layers"])]


def write_gguf(
    path: Path, folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Any], origin: Origin, quantisation: str,
    *, begins: bool = False, end: int | None = None,
) -> None:  # fmt: skip
    """`folder`: where config.json and the tokenizer are; `tensors`: torch tensors by transformers' names.

    `begins`: whether conversations begin with the tokenizer's bos; `end`: the token that ends an answer, if it is not
    the tokenizer's own.
    Matrices are stored in `quantisation`, vectors in float32; a tensor is converted when it is written.
    Raises ExportError for numbers that the format cannot represent.
    """
    stored = {
        name: tensor
        for name, tensor in tensors.items()
        if not (name == TIED and config.get("tie_word_embeddings") and tensor.equal(tensors[EMBEDDING]))
    }
    _require_storable(stored, quantisation)
    writing = converter(folder, quantisation, lambda: stored, name=origin.name)
    with explained(folder):
        writing.fname_out = path
        writing.prepare_tensors()
        writing.prepare_metadata(vocab_only=False)
        _describe(writing.gguf_writer, origin)
        writing.gguf_writer.add_add_bos_token(begins)
        if end is not None:
            writing.gguf_writer.add_eos_token_id(end)
        writing.gguf_writer.write_header_to_file(path=path)
        writing.gguf_writer.write_kv_data_to_file()
        writing.gguf_writer.write_tensors_to_file(progress=False)
        writing.gguf_writer.close()


def _describe(writer: Any, origin: Origin) -> None:
    """What the converter would guess from the names of folders."""
    writer.add_name(origin.name)
    writer.add_finetune(origin.finetune)
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, origin.base_name)
    if origin.base_repository:
        writer.add_base_model_repo_url(0, f"https://huggingface.co/{origin.base_repository}")


def _require_storable(tensors: Mapping[str, Any], quantisation: str) -> None:
    for name, tensor in tensors.items():
        largest = float(tensor.abs().max()) if tensor.numel() else 0.0
        matrix = tensor.dim() > 1
        if not largest < float("inf") or (matrix and quantisation == "f16" and largest > LARGEST_F16):
            raise ExportError(
                f"{name} contains numbers that {quantisation} cannot represent.", next="Export --to merged instead."
            )
