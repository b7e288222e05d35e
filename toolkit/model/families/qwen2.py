"""Qwen2 and Qwen2.5: the names that libraries give the family, its tensors, its layers and their sizes. Pure."""

import re
from collections.abc import Mapping
from typing import Any

TITLE = "Qwen2 and Qwen2.5"
ARCHITECTURE = "qwen2"  # config.json's model_type; Qwen2.5 keeps Qwen2's
MODEL_TYPE, TEMPLATE = "qwen2", "qwen2_5"  # ms-swift 4 cannot infer them from the architecture
GGUF_TOKENIZER = "qwen2"  # llama.cpp's name for TOKENIZER_SPLIT, which it has built in
# How the tokenizer splits text before it merges bytes.
TOKENIZER_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Fields of config.json that give the sizes.
SIZES = (
    "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "vocab_size",
)  # fmt: skip
LAYER_TENSOR = re.compile(r"model\.layers\.(\d+)\.(.+)")
EMBEDDING = "model.embed_tokens.weight"
BITS_IN_4BIT = 4 + 8 / 64 + 32 / (64 * 256)  # NF4: 64 weights share an 8-bit scale, 256 scales a float32
ELEMENT_BYTES: Mapping[str, int] = {"bfloat16": 2, "float32": 4}


def linear_layers(config: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Input and output widths of the linear layers in a decoder layer: q, k, v, o; gate, up, down."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    keys = hidden // int(config["num_attention_heads"]) * int(config["num_key_value_heads"])
    attention = [(hidden, hidden), (hidden, keys), (hidden, keys), (hidden, hidden)]
    return [*attention, (hidden, inner), (hidden, inner), (inner, hidden)]


def lora_parameters(config: Mapping[str, Any], rank: int) -> int:
    """Parameters of a rank-`rank` adapter on all linear layers of the decoder (two factors a layer)."""
    return int(config["num_hidden_layers"]) * rank * sum(a + b for a, b in linear_layers(config))


def weight_bytes_in_4bit(config: Mapping[str, Any], precision: str) -> int:
    """Bytes of the model with its linear layers in 4 bits; embeddings, head, biases and norms in `precision`."""
    hidden, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
    tables = 1 if config.get("tie_word_embeddings") else 2
    packed = layers * sum(a * b for a, b in linear_layers(config))
    biases = sum(outputs for _, outputs in linear_layers(config)[:3])
    unpacked = tables * int(config["vocab_size"]) * hidden + layers * (biases + 2 * hidden) + hidden
    return int(packed * BITS_IN_4BIT / 8) + unpacked * ELEMENT_BYTES[precision]


def weight_bytes_loaded(config: Mapping[str, Any], stored_bytes: int, precision: str) -> int:
    """Bytes in memory of weights that take `stored_bytes` on disk, loaded in `precision`."""
    stored = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    return stored_bytes * ELEMENT_BYTES[precision] // (4 if stored == "float32" else 2)
