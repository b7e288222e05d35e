"""Whether an adapter fits a base model: everything in its folder is applied, or the adapter is refused.

peft drops tensors that have no place, and lets tensors of the base model's own names replace the base's weights, on
both sides of a comparison. Neither may pass.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ModelError

PREFIX = "base_model.model."
MAX_HEADER_BYTES = 100_000_000  # https://github.com/huggingface/safetensors#format
# Extensions of LoRA that not every command can apply: `serve` mixes sides in a batch, where peft has none of them.
EXTENSIONS = (
    "use_dora", "lora_bias", "trainable_token_indices", "target_parameters", "layer_replication", "use_qalora",
    "alora_invocation_tokens", "arrow_config", "use_bdlora",
)  # fmt: skip
REQUIRED = ("peft_type", "r", "lora_alpha", "target_modules")


def require_plain_lora(adapter: Path) -> None:
    """Raises ModelError for a configuration that peft or a command of the toolkit would apply only in part."""
    config = _config(adapter)
    if (kind := config.get("peft_type")) != "LORA":
        raise _refused(adapter, f"its peft_type is {kind!r}, and the toolkit applies LORA")
    if missing := [name for name in REQUIRED if config.get(name) is None]:
        raise _refused(adapter, f"its configuration does not give {', '.join(missing)}")
    if unknown := sorted(name for name, value in config.items() if value and name not in _known()):
        raise _refused(adapter, f"its configuration has settings unknown to this peft: {', '.join(unknown)}")
    if used := [name for name in EXTENSIONS if config.get(name)]:
        raise _refused(adapter, f"it uses {', '.join(used)}, which not every command can apply")
    if (bias := config.get("bias", "none")) != "none":
        raise _refused(adapter, f"it changes the base model's biases (bias: {bias!r}), so that no before is left")
    saved = config.get("modules_to_save") or []
    foreign = [name for name in _shapes(adapter) if not _belongs(name, saved)]
    if foreign:
        raise _refused(
            adapter,
            f"{_first_of(foreign)} would replace weights of the base model, before and after alike",
            next="Save it with save_embedding_layers=False, or train it with modules_to_save.",
        )


def require_applied(model: Any, name: str, adapter: Path) -> None:
    """Raises ModelError unless the loaded adapter `name` has exactly the tensors of its file.

    `model`: a peft model. A pattern of ranks or scales that fits no layer is refused too.
    """
    from peft import get_peft_model_state_dict

    applied = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    loaded = {key: list(tensor.shape) for key, tensor in applied.items()}
    stored = _shapes(adapter)
    if unused := sorted(stored.keys() - loaded.keys()):
        raise _refused(adapter, f"the base model has no place for {_first_of(unused)}")
    if missing := sorted(loaded.keys() - stored.keys()):
        raise _refused(adapter, f"the file of weights lacks {_first_of(missing)}")
    if wrong := sorted(key for key in loaded if loaded[key] != stored[key]):
        raise _refused(adapter, f"the shape of {_first_of(wrong)} is not the base model's")
    config = model.peft_config[name]
    adapted = {key.removeprefix(PREFIX).rpartition(".lora_")[0] for key in loaded if ".lora_" in key}
    for field in ("rank_pattern", "alpha_pattern"):
        for pattern in getattr(config, field, None) or {}:
            if not any(re.match(rf"(.*\.)?({pattern})$", layer) for layer in adapted):
                raise _refused(adapter, f"{field} names {pattern!r}, which fits no layer that it adapts")


def _config(adapter: Path) -> Mapping[str, Any]:
    from peft.utils import CONFIG_NAME

    try:
        config = read_json(adapter / CONFIG_NAME)
    except (OSError, ValueError) as error:
        raise _refused(adapter, f"its configuration cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise _refused(adapter, "its configuration is not a JSON object")
    return config


def _known() -> set[str]:
    from peft import LoraConfig

    return {field.name for field in fields(LoraConfig)}


def _shapes(adapter: Path) -> dict[str, list[int]]:
    """The shape of each tensor in the file."""
    from peft.utils import SAFETENSORS_WEIGHTS_NAME

    try:
        with (adapter / SAFETENSORS_WEIGHTS_NAME).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, MAX_HEADER_BYTES)))
        return {name: list(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(adapter, f"the header of its weights cannot be read: {error}") from None


def _belongs(tensor: str, saved: list[str]) -> bool:
    """Whether it is a factor of LoRA, or part of a module that the configuration says is saved."""
    path = f".{tensor.removeprefix(PREFIX)}"
    return ".lora_" in path or any(f".{module}." in path for module in saved)


def _first_of(names: list[str]) -> str:
    more = len(names) - 1
    return names[0] if more == 0 else f"{names[0]} and {more} more {'tensor' if more == 1 else 'tensors'}"


def _refused(adapter: Path, why: str, *, next: str = "") -> ModelError:  # noqa: A002  # as in ToolkitError
    return ModelError(
        f"The adapter in {adapter} is refused: {why}.",
        next=next or "Use it with the base model and the version of peft that it was trained with.",
    )
