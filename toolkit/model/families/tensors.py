"""The tensors that a model's files must have: every layer what any layer has, and an embedding. Pure."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.core.errors import ModelError, first_line
from toolkit.model.families.family import EXPERTS, refused
from toolkit.model.families.sizes import SIZES

LAYER_TENSOR = re.compile(r"model\.layers\.(\d+)\.(.+)")
EMBEDDING = "model.embed_tokens.weight"
MAX_LAYERS = 2000  # the largest models have 126
MLP_FACTOR = 4  # of the hidden size, where a configuration leaves the MLP's width open, as GPT-2's does


def require_all_layers(folder: Path, tensors: set[str], layers: object) -> None:
    """Raises ModelError for a gap: transformers silently fills gaps with random numbers."""
    named = {(int(match[1]), match[2]) for name in tensors if (match := LAYER_TENSOR.fullmatch(name))}
    parts = {part for _, part in named}
    count = layers if isinstance(layers, int) else 0
    if count > MAX_LAYERS:
        raise ModelError(f"{folder / 'config.json'} names {count} layers.", next="Download it again.")
    # Counted, not listed: a configuration may name a billion layers.
    gaps = (f"model.layers.{at}.{part}" for at in range(count) for part in sorted(parts) if (at, part) not in named)
    missing = count * len(parts) - sum(at < count for at, _ in named)
    has_embedding = not parts or EMBEDDING in tensors
    if missing > 0 or not has_embedding:
        first = next(gaps) if has_embedding else EMBEDDING
        others = missing - has_embedding
        more = f" and {others} more {'tensor' if others == 1 else 'tensors'}" if others > 0 else ""
        raise ModelError(f"{folder} is incomplete: {first}{more} missing.", next="Download it again.")


def standard_sizes(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes, and the experts, under the names that most configurations use, of one that families.yaml lacks.

    Raises ModelError for one that transformers does not have, or has as an encoder.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelError(
            f"{folder} is a {kind} model (model_type in config.json), which transformers does not have as a causal "
            "language model.",
            next="Use a model of another architecture: docs/models.md lists them.",
        )
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder"):
        raise refused(folder, "it is an encoder, and the toolkit trains decoders")
    try:
        read: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{folder / 'config.json'} cannot be read: {first_line(error)}.", next="Download it again."
        ) from None
    found = {name: getattr(read, name, None) for name in (*SIZES, *EXPERTS, "max_position_embeddings")}
    found["intermediate_size"] = found["intermediate_size"] or MLP_FACTOR * (found["hidden_size"] or 0)
    return {name: size for name, size in found.items() if size}
