"""A base model in 4 bits: bitsandbytes' NF4 with double quantisation (Dettmers et al. 2023), as QLoRA trains over it.

The linear layers of the decoder are held so and computed in the run's precision; embeddings, head and norms stay.
"""

import importlib.util
from collections.abc import Mapping
from typing import Any

from toolkit.core.errors import ConfigError

# Told to ms-swift for training and to transformers for answering: base and tuned model stand on the same weights.
QUANTISING: Mapping[str, Any] = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
CHANGED = (
    "Base and tuned model are then both held in 4 bits: the base's own answers differ (66 of 100 stayed the same in a "
    "0.5B model), and steps are slower."
)  # docs/export.md, nf4


def require_bitsandbytes() -> None:
    """Raises ConfigError where it is not installed."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            "bitsandbytes, which holds a base model in 4 bits, is not installed.",
            next='Install it: "make setup-four-bits", or pip install bitsandbytes (the image does not hold it).',
        )


def pin_cpu_weight_layout(model: Any) -> None:
    """On some processors bitsandbytes lays weights out anew when they first answer, and cannot train over that."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _four_bits(precision: str) -> dict[str, Any]:
    """As training quantises it: ms-swift takes the same class and `QUANTISING`."""
    import torch
    from transformers import BitsAndBytesConfig

    compute = getattr(torch, precision)
    return {"quantization_config": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=compute, **QUANTISING)}


def in_four_bits(precision: str | None) -> dict[str, Any]:
    """What ms-swift is told to load a model so, computing in that precision; nothing where it is None."""
    if precision is None:
        return {}
    return {"quant_method": "bnb", "quant_bits": 4, "bnb_4bit_compute_dtype": precision, **QUANTISING}
