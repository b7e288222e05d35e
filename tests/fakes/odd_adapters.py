"""Adapters that peft would apply in part, or not at all, and those with an embedding or a head of their own."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from tests.fakes.made_run import make_run

Tensors = dict[str, Any]


def _rename(tensors: Tensors, config: dict[str, Any]) -> Tensors:  # the table's signature
    return {name.replace("q_proj", "qq_proj"): value for name, value in tensors.items()}


def _rename_one(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    name = min(tensors)
    tensors[f"{name}s"] = tensors.pop(name)
    return tensors


def _further_layers(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return tensors | {name.replace("layers.0.", "layers.9."): value.clone() for name, value in tensors.items()}


def _wrong_shape(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return {name: value[:, :-1].contiguous() if "lora_A" in name else value for name, value in tensors.items()}


def _missing(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return {name: value for name, value in tensors.items() if "layers.1." not in name}


def _own_embedding(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    import torch

    return tensors | {"base_model.model.model.embed_tokens.weight": torch.zeros(300, 64)}


def _setting(**settings: Any) -> Callable[[Tensors, dict[str, Any]], Tensors]:
    def change(tensors: Tensors, config: dict[str, Any]) -> Tensors:
        config.update(settings)
        return tensors

    return change


ODD = {
    "every key renamed": _rename,
    "one key renamed": _rename_one,
    "further layers": _further_layers,
    "wrong shapes": _wrong_shape,
    "a layer missing": _missing,
    "an embedding of its own": _own_embedding,
    "a rank_pattern without a layer": _setting(rank_pattern={"nowhere": 2}),
    "an alpha_pattern without a layer": _setting(alpha_pattern={"nowhere": 2}),
    "DoRA": _setting(use_dora=True),
    "a bias": _setting(bias="all"),
    "IA3": _setting(peft_type="IA3"),
    "another rank": _setting(r=5),
    "a misspelt setting": _setting(lora_blpha=4),
    "no alpha": _setting(lora_alpha=None),
    "new tokens": _setting(trainable_token_indices=[1, 2]),
}
MODULES = ("model.embed_tokens", "lm_head")


def change_adapter(run: Path, change: Callable[[Tensors, dict[str, Any]], Tensors]) -> None:
    """Rewrites the run's adapter, and its recorded sha256, so that only its content is odd."""
    adapter = run / "checkpoint-1"
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = change(load_file(adapter / "adapter_model.safetensors"), config)
    save_file(tensors, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    (adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["adapter"]["sha256"] = hashlib.sha256((adapter / "adapter_model.safetensors").read_bytes()).hexdigest()
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")


def make_run_with_own(module: str, output: Path, base: Path) -> Path:
    """A run whose adapter carries an embedding or a head, as peft's modules_to_save leaves them."""

    def add(tensors: Tensors, config: dict[str, Any]) -> Tensors:
        import torch

        sizes = json.loads((base / "config.json").read_text(encoding="utf-8"))
        torch.manual_seed(5)
        config["modules_to_save"] = [module.rpartition(".")[2]]
        own = torch.randn(sizes["vocab_size"], sizes["hidden_size"]) * 0.3
        return tensors | {f"base_model.model.{module}.weight": own}

    run = make_run(output, base)
    change_adapter(run, add)
    return run
