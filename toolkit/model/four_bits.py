"""A base model in 4 bits: bitsandbytes' NF4 with double quantisation, as in QLoRA (arXiv 2305.14314).

The decoder's linear layers are stored in 4 bits and computed in the run's precision; embeddings, head and norms stay.
"""

import importlib.util
from collections.abc import Mapping
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.startup import want_four_bits

# Passed to ms-swift for training and to transformers for answering: base and tuned model share the same weights.
QUANTISING: Mapping[str, Any] = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
CHANGED = (
    "Base and tuned model are then both stored in 4 bits: the base's own answers differ (66 of 100 stayed the same in "
    "a 0.5B model), and steps are slower."
)  # docs/export.md, nf4


def require_bitsandbytes() -> None:
    """Has this process find it. Raises ConfigError if it is not installed."""
    want_four_bits()
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            "bitsandbytes, which 4-bit base models need, is not installed.",
            next='Install it: "make setup" again, or pip install bitsandbytes.',
        )


def pin_cpu_weight_layout(model: Any) -> None:
    """Keeps bitsandbytes from converting weights at the first answer on some CPUs: it cannot train on those."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _four_bits(precision: str) -> dict[str, Any]:
    """Arguments for transformers; training quantises in the same way, from the same `QUANTISING`."""
    import torch
    from transformers import BitsAndBytesConfig

    compute = getattr(torch, precision)
    return {"quantization_config": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=compute, **QUANTISING)}


def in_four_bits(precision: str | None) -> dict[str, Any]:
    """Arguments for ms-swift: a base in 4 bits that computes in `precision`; none if that is None."""
    if precision is None:
        return {}
    return {"quant_method": "bnb", "quant_bits": 4, "bnb_4bit_compute_dtype": precision, **QUANTISING}
