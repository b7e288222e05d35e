"""The sizes of a dense decoder by its config.json: layers, an adapter's parameters, bytes of weights. Pure."""

from collections.abc import Mapping
from typing import Any

from toolkit.model.families.family import family_of

# Fields of config.json that give the sizes.
SIZES = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size")
BITS_IN_4BIT = 4 + 8 / 64 + 32 / (64 * 256)  # NF4: 64 weights share an 8-bit scale, 256 scales a float32
ELEMENT_BYTES: Mapping[str, int] = {"bfloat16": 2, "float16": 2, "float32": 4}


def head_size(config: Mapping[str, Any]) -> int:
    """The width of one head."""
    return int(config.get("head_dim") or int(config["hidden_size"]) // int(config["num_attention_heads"]))


def attention_widths(config: Mapping[str, Any]) -> tuple[int, int]:
    """The width of all queries, and that of all keys, which is that of all values."""
    heads, head = int(config["num_attention_heads"]), head_size(config)
    return heads * head, int(config.get("num_key_value_heads") or heads) * head


def linear_layers(config: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Input and output widths of the linear layers in a decoder layer: those of attention, then those of the MLP."""
    family, hidden, inner = family_of(config), int(config["hidden_size"]), int(config["intermediate_size"])
    queries, keys = attention_widths(config)
    attention = [(hidden, queries), (hidden, keys), (hidden, keys)]
    if family.attention == "fused":
        attention = [(hidden, queries + 2 * keys)]
    before = {"gated": [(hidden, inner), (hidden, inner)], "fused": [(hidden, 2 * inner)], "plain": [(hidden, inner)]}
    return [*attention, (queries, hidden), *before[family.mlp], (inner, hidden)]


def layer_parameters(config: Mapping[str, Any]) -> int:
    """Of the linear layers in a decoder layer."""
    return sum(a * b for a, b in linear_layers(config))


def lora_parameters(config: Mapping[str, Any], rank: int) -> int:
    """Parameters of a rank-`rank` adapter on all linear layers of the decoder (two factors a layer)."""
    return int(config["num_hidden_layers"]) * rank * sum(a + b for a, b in linear_layers(config))


def embedding_bytes(config: Mapping[str, Any], precision: str) -> int:
    """Of the table that tokens are looked up in."""
    return int(config["vocab_size"]) * int(config["hidden_size"]) * ELEMENT_BYTES[precision]


def weight_bytes_in_4bit(config: Mapping[str, Any], precision: str) -> int:
    """Bytes of the model with its linear layers in 4 bits; embeddings, head, biases and norms in `precision`.

    Where a family has no biases this counts some hundred kilobytes too many.
    """
    hidden, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
    tables = 1 if config.get("tie_word_embeddings") else 2
    packed = layers * sum(a * b for a, b in linear_layers(config))
    queries, keys = attention_widths(config)
    unpacked = tables * int(config["vocab_size"]) * hidden + layers * (queries + 2 * keys + 2 * hidden) + hidden
    return int(packed * BITS_IN_4BIT / 8) + unpacked * ELEMENT_BYTES[precision]


def weight_bytes_loaded(config: Mapping[str, Any], stored_bytes: int, precision: str) -> int:
    """Bytes in memory of weights that take `stored_bytes` on disk, loaded in `precision`."""
    stored = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    return stored_bytes * ELEMENT_BYTES[precision] // (4 if stored == "float32" else 2)
