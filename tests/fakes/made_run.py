"""Runs with a made-up adapter: as `toolkit finetune` leaves them, in a moment."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.fakes.run_record import run_record
from toolkit.core.files import now
from toolkit.runs.run import point_latest_at, write_record


def make_adapter(folder: Path, base: Path, *, seed: int, strength: float = 1.0) -> Path:
    """A LoRA adapter on every linear layer, random in both factors, so that it moves every answer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"),
    )
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            weights.data *= strength
    model.save_pretrained(folder)
    (folder / "trainer_state.json").write_text("{}", encoding="utf-8")
    return folder


def make_run(output: Path, base: Path, *, number: int = 0, seed: int = 1, strength: float = 1.0) -> Path:
    """A finished run on that base; `latest` points at it."""
    folder = output / f"v{number}-20260101-00000{number}"
    adapter = make_adapter(folder / "checkpoint-1", base, seed=seed, strength=strength)
    weights = (adapter / "adapter_model.safetensors").read_bytes()
    write_record(folder, run_record(
        run_id=folder.name, started_at=now(), finished_at=now(), seed=seed,
        base_model={"name": base.name, "path": str(base), "repository": None, "revision": None, "lock_sha256": None},
        adapter={"path": "checkpoint-1", "sha256": hashlib.sha256(weights).hexdigest(), "bytes": len(weights)},
    ))  # fmt: skip
    point_latest_at(folder)
    return folder


def make_lively(folder: Path, base: Path, *, dtype: str = "float32") -> Path:
    """The base with larger random weights: answers that wander instead of repeating one token."""
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(base, folder)
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    for weights in model.parameters():
        if weights.dim() > 1:
            weights.data.normal_(std=0.15)
    model.get_input_embeddings().weight.data[0] = 0  # one end mark of two: else most answers are empty
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


def probes_of(prompts: Iterable[str]) -> str:
    """A probe file of questions whose answers must not move."""
    listed = (f"  - {{id: p{at}, group: out-of-scope, prompt: '{prompt}'}}\n" for at, prompt in enumerate(prompts))
    return "schema_version: 1\nprobes:\n" + "".join(listed)
