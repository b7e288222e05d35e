"""Writes a Qwen2 model as one GGUF file, tensor by tensor, through the gguf library.

The names of tensors and keys are the library's own (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
llama.cpp's converter is not used: its maintainers publish no package, and it recognises a tokenizer only by a hash.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ExportError
from toolkit.model.families.family import GgufTokenizer, family_of
from toolkit.model.families.tensors import EMBEDDING

BLOCK = {"f16": 1, "q8_0": 32}  # the length of a row must be a multiple
TIED = "lm_head.weight"  # not written where it is the embedding: llama.cpp then uses that one


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The file's `general.*` keys."""

    name: str
    finetune: str
    base_name: str
    base_repository: str | None = None


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """`tokens[id]` as tokenizer.json spells it; `kinds`: normal, control, user-defined or unused."""

    tokens: list[str]
    kinds: list[str]
    merges: list[str]
    specials: Mapping[str, int]  # bos, eos, pad
    chat_template: str | None


def require_writable(folder: Path, config: Mapping[str, Any], quantisation: str) -> None:
    """Raises ExportError for a model that GGUF cannot store, or that llama.cpp would compute differently."""
    _tokenizer_of(config)
    if config.get("use_sliding_window"):
        raise ExportError("llama.cpp does not support a sliding window for Qwen2.", next="Export --to merged instead.")
    rope = _rope(config)
    if rope.get("rope_type", rope.get("type", "default")) not in {"default", "yarn"}:
        raise ExportError(f"GGUF has no equivalent of this rope scaling: {rope}.", next="Export --to merged instead.")
    block = BLOCK[quantisation]
    for size in ("hidden_size", "intermediate_size"):
        if config[size] % block:
            raise ExportError(
                f"{quantisation} needs rows in multiples of {block}, and {size} is {config[size]}.",
                next="Use --quantization f16.",
            )
    read_vocabulary(folder, config)


def read_vocabulary(folder: Path, config: Mapping[str, Any]) -> Vocabulary:
    """From the tokenizer's files. Raises ExportError for a tokenizer that llama.cpp would apply differently."""
    tokenizer, settings = _json(folder / "tokenizer.json"), _json(folder / "tokenizer_config.json")
    model = tokenizer["model"]
    if model.get("type") != "BPE" or _splits(tokenizer.get("pre_tokenizer")) != [_tokenizer_of(config).split]:
        raise ExportError(
            f"The tokenizer in {folder} does not split texts as Qwen2's does, which is what llama.cpp would apply.",
            next="Export --to merged instead.",
        )
    added = {token["id"]: token for token in tokenizer.get("added_tokens", [])}
    text_of = {number: text for text, number in model["vocab"].items()} | {
        number: token["content"] for number, token in added.items()
    }
    tokens, kinds = [], []
    for number in range(max(config["vocab_size"], max(text_of) + 1)):
        tokens.append(text_of.get(number, f"[PAD{number}]"))
        if number in added:
            kinds.append("control" if added[number].get("special") else "user-defined")
        else:
            kinds.append("normal" if number in text_of else "unused")
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    numbers = {text: number for number, text in text_of.items()}
    return Vocabulary(
        tokens=tokens, kinds=kinds, merges=merges, specials=_specials(settings, config, numbers),
        chat_template=_chat_template(folder, settings),
    )  # fmt: skip


def write_gguf(
    path: Path, folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Any], origin: Origin, quantisation: str,
    *, end: int | None = None,
) -> None:  # fmt: skip
    """`folder`: where the tokenizer is; `tensors`: torch tensors by transformers' names, converted one at a time.

    `end`: the token that ends an answer, if it is not the tokenizer's own.
    Matrices are stored in `quantisation`, vectors in float32, as by llama.cpp's own converter.
    Raises ExportError for numbers that the format cannot represent.
    """
    import gguf

    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.QWEN2])
    try:
        _describe(writer, config, origin, quantisation)
        _add_vocabulary(writer, read_vocabulary(folder, config), _tokenizer_of(config).tokenizer, end)
        named = list(_named(tensors, config))
        for name, tensor in named:
            kind, shape = _kind(gguf, tensor, quantisation), tuple(tensor.shape)
            block, size = gguf.GGML_QUANT_SIZES[kind]
            writer.add_tensor_info(name, shape, _float32(), tensor.numel() // block * size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, tensor in named:
            writer.write_tensor_data(_converted(gguf, name, tensor, quantisation))
    finally:
        writer.close()


def _tokenizer_of(config: Mapping[str, Any]) -> GgufTokenizer:
    """Raises ExportError for a family whose files this module does not write."""
    family = family_of(config)
    if family.gguf is None:
        raise ExportError(
            f"The toolkit writes no GGUF of {family.title}.",
            next="Export --to merged, and convert that folder with llama.cpp's own converter.",
        )
    return family.gguf


def _describe(writer: Any, config: Mapping[str, Any], origin: Origin, quantisation: str) -> None:
    import gguf

    writer.add_name(origin.name)
    writer.add_finetune(origin.finetune)
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, origin.base_name)
    if origin.base_repository:
        writer.add_base_model_repo_url(0, f"https://huggingface.co/{origin.base_repository}")
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantisation.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if config.get("head_dim"):
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    rope = _rope(config)
    writer.add_rope_freq_base(float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))))
    if rope.get("rope_type", rope.get("type")) == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(float(rope["factor"]))
        writer.add_rope_scaling_orig_ctx_len(int(rope["original_max_position_embeddings"]))


def _add_vocabulary(writer: Any, vocabulary: Vocabulary, split: str, end: int | None) -> None:
    import gguf

    kinds = {
        "normal": gguf.TokenType.NORMAL, "control": gguf.TokenType.CONTROL,
        "user-defined": gguf.TokenType.USER_DEFINED, "unused": gguf.TokenType.UNUSED,
    }  # fmt: skip
    writer.add_tokenizer_model("gpt2")  # byte-level BPE
    writer.add_tokenizer_pre(split)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types([kinds[kind] for kind in vocabulary.kinds])
    writer.add_token_merges(vocabulary.merges)
    for name, number in {**vocabulary.specials, **({} if end is None else {"eos": end})}.items():
        getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(False)
    if vocabulary.chat_template is not None:
        writer.add_chat_template(vocabulary.chat_template)


def _named(tensors: Mapping[str, Any], config: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Each tensor with its name in GGUF. Raises ExportError for a tensor that has none."""
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in tensors.items():
        if name == TIED and config.get("tie_word_embeddings") and tensor.equal(tensors[EMBEDDING]):
            continue
        gguf_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if gguf_name is None:
            raise ExportError(f"GGUF has no name for the tensor {name}.", next="Export --to merged instead.")
        yield gguf_name, tensor


def _kind(gguf: Any, tensor: Any, quantisation: str) -> Any:
    return gguf.GGMLQuantizationType.F32 if tensor.dim() < 2 else gguf.GGMLQuantizationType[quantisation.upper()]  # noqa: PLR2004  # vectors


def _converted(gguf: Any, name: str, tensor: Any, quantisation: str) -> Any:
    import numpy as np

    numbers = tensor.detach().cpu().float().numpy()
    with np.errstate(over="ignore"):
        stored = gguf.quantize(numbers, _kind(gguf, tensor, quantisation))
    if not np.isfinite(numbers).all() or (stored.dtype == np.float16 and not np.isfinite(stored).all()):
        raise ExportError(
            f"{name} contains numbers that {quantisation} cannot represent.", next="Export --to merged instead."
        )
    return stored


def _float32() -> Any:
    import numpy as np

    return np.dtype(np.float32)


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("rope_parameters") or config.get("rope_scaling") or {}


def _splits(pre_tokenizer: Mapping[str, Any] | None) -> list[str]:
    steps = (pre_tokenizer or {}).get("pretokenizers") or [pre_tokenizer or {}]
    return [step.get("pattern", {}).get("Regex", "") for step in steps if step.get("type") == "Split"]


def _specials(settings: Mapping[str, Any], config: Mapping[str, Any], numbers: Mapping[str, int]) -> dict[str, int]:
    """The tokenizer's own ids, or config.json's where it has none."""
    found = {}
    for name in ("bos", "eos", "pad"):
        text = settings.get(f"{name}_token")
        text = text.get("content") if isinstance(text, dict) else text
        number = numbers.get(text) if text else config.get(f"{name}_token_id")
        if isinstance(number, int):
            found[name] = number
    return found


def _chat_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    template = settings.get("chat_template")
    return template if isinstance(template, str) else None


def _json(path: Path) -> dict[str, Any]:
    return dict(read_json(path))
