"""What a served deployment is given."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ServeJob:
    """One deployment, fully decided: the base model under one name, and with the adapter on under another.

    `backend`: transformers or vllm. `batch_size`: questions that transformers answers at the same time.
    """

    base: str
    tuned: str | None
    model_folder: Path
    adapter: Path | None
    lora_rank: int
    precision: str
    backend: str
    batch_size: int
    in_4bit: bool = False
