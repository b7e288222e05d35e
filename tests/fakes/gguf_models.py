"""The models of `family_models` as llama.cpp has them: patterns of layers that it takes for granted, and SentencePiece
tokenizers where the family's real models have one.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.family_models import KINDS, Kind, embedded_tokenizer, make_family_model
from toolkit.core.files import data_folder

FULL, SLIDING = "full_attention", "sliding_attention"


def _every_fourth(**more: Any) -> dict[str, Any]:
    return {"num_hidden_layers": 4, "layer_types": [SLIDING, SLIDING, SLIDING, FULL], **more}


# What llama.cpp ignores or does not load is left out: windows, tied weights of OLMo and StableLM, and the norms of
# StableLM 2 12B.
CHANGES: dict[str, dict[str, Any]] = {
    "mistral": {"sliding_window": None},
    "gemma3_text": {"num_hidden_layers": 6, "layer_types": [SLIDING] * 5 + [FULL]},
    "phi3": {"sliding_window": None},
    "cohere2": _every_fourth(rotary_pct=1.0),
    "olmo2": {"tie_word_embeddings": False},
    "olmo3": _every_fourth(tie_word_embeddings=False),
    "smollm3": {"num_hidden_layers": 4, "no_rope_layers": [1, 1, 1, 0]},
    "starcoder2": {"sliding_window": None},
    "stablelm": {"qk_layernorm": False, "tie_word_embeddings": False},
    "exaone4": {"sliding_window": None, "layer_types": [FULL] * 3},
}
PIECES = {"llama 2", "mistral", "gemma", "gemma2", "gemma3_text", "phi3", "ernie4_5"}
ABSENT = {"qwen2 with a window", "ministral"}  # llama.cpp has no such thing
GGUF_KINDS = [
    replace(kind, config={**kind.config, **CHANGES.get(kind.name, {})}) for kind in KINDS if kind.name not in ABSENT
]


def make_gguf_model(folder: Path, kind: Kind) -> Path:
    """A model of that kind, with the sort of tokenizer that its family has."""
    folder.mkdir()
    return make_family_model(folder, kind, make_tokenizer(folder, kind))


def make_tokenizer(folder: Path, kind: Kind) -> Any:
    """The tokenizer alone; of some kinds the folder gets `tokenizer.model`."""
    return _pieces(folder, kind) if kind.name in PIECES else embedded_tokenizer(kind)


def _pieces(folder: Path, kind: Kind) -> Any:
    """A SentencePiece tokenizer with bytes to fall back on; `tokenizer.model` stays in the folder."""
    import sentencepiece
    from transformers import AutoTokenizer

    gemma = kind.name.startswith("gemma")
    marks = {"bos": kind.bos or "<s>", "eos": kind.eos, "pad": "<pad>", "unk": "<unk>"}
    pieces: dict[str, Any] = {f"{name}_piece": mark for name, mark in marks.items()}
    sentencepiece.SentencePieceTrainer.train(
        input=str(data_folder() / "tiny-qwen2" / "held-out.txt"), model_prefix=str(folder / "tokenizer"),
        vocab_size=600, model_type="bpe", byte_fallback=True, split_digits=True, minloglevel=2,
        pad_id=0, eos_id=1, bos_id=2, unk_id=3, **pieces,
        control_symbols=[*kind.special, *({"<|im_start|>", "<|im_end|>"} - {kind.eos} if not kind.special else ())],
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=not gemma,
    )  # fmt: skip
    (folder / "tokenizer.vocab").unlink()
    settings = {f"{name}_token": mark for name, mark in marks.items()}
    settings["tokenizer_class"] = "GemmaTokenizer" if gemma else "LlamaTokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = kind.template
    return tokenizer
