"""The files of a Qwen2 model that an export to GGUF reads, without weights."""

import json
from pathlib import Path

from toolkit.model.families.family import families

TOKENIZER_SPLIT = families()["qwen2"].gguf.split

CONFIG = {
    "model_type": "qwen2", "hidden_size": 256, "intermediate_size": 512, "vocab_size": 6, "num_hidden_layers": 1,
    "dtype": "bfloat16", "eos_token_id": 4,
}  # fmt: skip
TOKENIZER = {
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]},
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Split", "pattern": {"Regex": TOKENIZER_SPLIT}}, {"type": "ByteLevel"}],
    },
    "added_tokens": [
        {"id": 3, "content": "<|endoftext|>", "special": True},
        {"id": 4, "content": "<tool>", "special": False},
    ],
}


def write_tokenizer(folder: Path) -> Path:
    """Writes tokenizer.json and tokenizer_config.json; returns the folder."""
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "<|endoftext|>", "pad_token": {"content": "<|endoftext|>"}, "chat_template": "old"}),
        encoding="utf-8",
    )
    return folder
