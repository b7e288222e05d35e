"""What is true of the Qwen2 and Qwen2.5 family alone: sizes, ms-swift's names."""

from collections.abc import Mapping
from typing import Any

ARCHITECTURE = "qwen2"  # config.json's model_type; Qwen2.5 keeps Qwen2's
MODEL_TYPE, TEMPLATE = "qwen2", "qwen2_5"  # ms-swift 4 cannot tell them from the architecture alone
BITS_IN_4BIT = 4 + 8 / 64 + 32 / (64 * 256)  # NF4: 64 weights share an 8-bit scale, 256 of those a float32
ELEMENT_BYTES: Mapping[str, int] = {"bfloat16": 2, "float32": 4}


def linear_layers(config: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Inputs and outputs of a decoder layer's linear layers: q, k, v, o; gate, up, down."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    keys = hidden // int(config["num_attention_heads"]) * int(config["num_key_value_heads"])
    attention = [(hidden, hidden), (hidden, keys), (hidden, keys), (hidden, hidden)]
    return [*attention, (hidden, inner), (hidden, inner), (inner, hidden)]


def lora_parameters(config: Mapping[str, Any], rank: int) -> int:
    """Parameters of a rank-`rank` adapter on all linear layers of the decoder (two factors a layer)."""
    return int(config["num_hidden_layers"]) * rank * sum(a + b for a, b in linear_layers(config))


def weight_bytes_in_4bit(config: Mapping[str, Any], precision: str) -> int:
    """Linear layers in 4 bits; embeddings, head, biases and norms in `precision`."""
    hidden, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
    tables = 1 if config.get("tie_word_embeddings") else 2
    packed = layers * sum(a * b for a, b in linear_layers(config))
    biases = sum(outputs for _, outputs in linear_layers(config)[:3])
    whole = tables * int(config["vocab_size"]) * hidden + layers * (biases + 2 * hidden) + hidden
    return int(packed * BITS_IN_4BIT / 8) + whole * ELEMENT_BYTES[precision]


def weight_bytes_loaded(config: Mapping[str, Any], stored_bytes: int, precision: str) -> int:
    """Of files that hold `stored_bytes`, once they are loaded in `precision`."""
    stored = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    return stored_bytes * ELEMENT_BYTES[precision] // (4 if stored == "float32" else 2)
