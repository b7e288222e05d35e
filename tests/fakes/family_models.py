"""Small models of every family with random weights, and chat templates in the turn formats that their makers publish.

The tokenizer is the embedded model's, with the family's own special tokens added to it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.files import data_folder

WINDOW = 16  # tokens; shorter than the rows of the tests
SIZES = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "tie_word_embeddings": True,
}  # fmt: skip
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# An empty thought before the last answer, and before the next one where none is wanted.
QWEN3 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}{% if '</think>' not in m.content %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}{% elif m.role == 'assistant' %}{{ m.content.split('</think>')[-1].lstrip('\n') }}{% else %}"
    "{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
DEEPSEEK_R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}"
    "<｜User｜>{{ m.content }}{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
LLAMA2 = (
    "{% if messages[0].role == 'system' %}{% set ns = namespace(s='<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n')"
    " %}{% else %}{% set ns = namespace(s='') %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}"
    "{{ bos_token + '[INST] ' + ns.s + m.content.strip() + ' [/INST]' }}{% set ns.s = '' %}"
    "{% elif m.role == 'assistant' %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{% for m in messages %}{% set text = '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim"
    " + '<|eot_id|>' %}{% if loop.first %}{% set text = bos_token + text %}{% endif %}{{ text }}{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user and assistant') }}{% endif %}"
    "{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}{% else %}{{ ' ' + m.content + eos_token }}"
    "{% endif %}{% endfor %}"
)
GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ bos_token }}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
GEMMA3 = (  # a system prompt stands in the first question
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set before = messages[0].content + '\n\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set before = '' %}{% set turns = messages %}{% endif %}"
    "{% for m in turns %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ before if loop.first }}{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI3 = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
GLM4 = (  # an answer ends where the next turn begins
    "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
COHERE = (
    "{{ bos_token }}{% for m in messages %}<|START_OF_TURN_TOKEN|>"
    "{{ {'system': '<|SYSTEM_TOKEN|>', 'user': '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>'}[m.role] }}"
    "{{ m.content }}<|END_OF_TURN_TOKEN|>{% endfor %}"
    "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A model to make: its model_type, what its configuration has beside SIZES, its template, its special tokens."""

    name: str
    model_type: str
    config: dict[str, Any]
    template: str = CHATML
    special: tuple[str, ...] = ()
    bos: str | None = None
    eos: str = "<|im_end|>"


def _kind(name: str, model_type: str | None = None, **more: Any) -> Kind:
    texts = {key: more.pop(key) for key in ("template", "special", "bos", "eos") if key in more}
    return Kind(name=name, model_type=model_type or name, config=more, **texts)


_GEMMA: dict[str, Any] = {
    "bos": "<bos>",
    "eos": "<eos>",
    "special": ("<start_of_turn>", "<end_of_turn>"),
    "head_dim": 24,
}
_COHERE: dict[str, Any] = {
    "bos": "<BOS_TOKEN>", "eos": "<|END_OF_TURN_TOKEN|>", "template": COHERE,
    "special": ("<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>"),
}  # fmt: skip
_GLM: dict[str, Any] = {
    "template": GLM4, "eos": "<|endoftext|>",
    "special": ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|system|>"),
}  # fmt: skip
_WINDOWS: dict[str, Any] = {
    "sliding_window": WINDOW,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
_LLAMA3 = ("<|start_header_id|>", "<|end_header_id|>")

KINDS = [
    _kind("qwen2"),
    _kind("qwen2 with a window", "qwen2", use_sliding_window=True, max_window_layers=1, sliding_window=WINDOW),
    _kind("deepseek-r1-distill", "qwen2", template=DEEPSEEK_R1, bos="<｜begin▁of▁sentence｜>",
          eos="<｜end▁of▁sentence｜>", special=("<｜User｜>", "<｜Assistant｜>")),
    _kind("qwen3", template=QWEN3, head_dim=24, tie_word_embeddings=False),
    _kind("llama 2", "llama", template=LLAMA2, bos="<s>", eos="</s>", tie_word_embeddings=False),
    _kind("llama 3", "llama", template=LLAMA3, bos="<|begin_of_text|>", eos="<|eot_id|>", special=_LLAMA3),
    _kind("mistral", template=MISTRAL, bos="<s>", eos="</s>", sliding_window=WINDOW, tie_word_embeddings=False),
    _kind("ministral", head_dim=16, **_WINDOWS),
    _kind("gemma", template=GEMMA, **_GEMMA),
    _kind("gemma2", template=GEMMA, **_GEMMA, **_WINDOWS, query_pre_attn_scalar=24,
          attn_logit_softcapping=2.0, final_logit_softcapping=3.0),
    _kind("gemma3_text", template=GEMMA3, **_GEMMA, **_WINDOWS, query_pre_attn_scalar=24),
    _kind("phi3", template=PHI3, eos="<|end|>", special=("<|user|>", "<|assistant|>", "<|system|>"),
          sliding_window=WINDOW, pad_token_id=0, tie_word_embeddings=False),
    _kind("glm", **_GLM, head_dim=16, pad_token_id=0),
    _kind("glm4", **_GLM, head_dim=16, pad_token_id=0),
    _kind("cohere", **_COHERE, logit_scale=0.25),
    _kind("cohere2", **_COHERE, **_WINDOWS, logit_scale=0.25),
    _kind("olmo2"),
    _kind("olmo3", **_WINDOWS),
    _kind("granite", embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2),
    _kind("smollm3", no_rope_layers=[1, 1, 0], pad_token_id=0),
    _kind("starcoder2", sliding_window=WINDOW),
    _kind("stablelm", qk_layernorm=True),
    _kind("exaone4", **_WINDOWS),
    _kind("seed_oss", head_dim=16),
    _kind("hunyuan_v1_dense", head_dim=16, pad_token_id=0),
    _kind("ernie4_5", head_dim=16),
]  # fmt: skip
MAMBA = _kind("mamba", state_size=8, conv_kernel=3, expand=2, time_step_rank=4)
UNKNOWN = [_kind("gpt_neox"), _kind("phi"), _kind("nemotron"), _kind("apertus")]


def make_family_model(folder: Path, kind: Kind, tokenizer: Any = None) -> Path:
    """Its weights are large enough that answers wander. `tokenizer`: by default the embedded model's."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    tokenizer = tokenizer or embedded_tokenizer(kind)
    end = tokenizer.eos_token_id
    config = AutoConfig.for_model(kind.model_type, **{**SIZES, "vocab_size": len(tokenizer), **kind.config})
    config.eos_token_id, config.bos_token_id, config.pad_token_id = end, tokenizer.bos_token_id, 0
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for weights in model.parameters():
        if weights.dim() > 1:
            weights.data.normal_(std=0.15)
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=0, do_sample=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def embedded_tokenizer(kind: Kind) -> Any:
    """The embedded model's, with the family's special tokens and its chat template."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    shipped = AutoTokenizer.from_pretrained(data_folder() / "tiny-qwen2")
    return PreTrainedTokenizerFast(
        tokenizer_object=shipped.backend_tokenizer, pad_token="<|endoftext|>", eos_token=kind.eos, bos_token=kind.bos,
        chat_template=kind.template, additional_special_tokens=list(kind.special),
    )  # fmt: skip


def copy_without(folder: Path, to: Path, name: str) -> Path:
    """The model's folder without one of its files."""
    shutil.copytree(folder, to)
    (to / name).unlink()
    return to
