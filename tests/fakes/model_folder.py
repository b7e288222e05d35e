"""Folders that look like base models from the outside: headers and sizes are right, the numbers mean nothing."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
    "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 300,
}  # fmt: skip


def make_model_folder(folder: Path, **config: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    write_shard(folder / "model.safetensors")
    return folder


def write_shard(path: Path, *, tensor_bytes: int = 64, tensors: Sequence[str] = ("weight",)) -> None:
    """Tensors of zeros (format: 8 bytes length, JSON header, tensors)."""
    entries = {
        name: {
            "dtype": "F32",
            "shape": [tensor_bytes // 4],
            "data_offsets": [at * tensor_bytes, (at + 1) * tensor_bytes],
        }
        for at, name in enumerate(tensors)
    }
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(tensor_bytes * len(tensors)))
