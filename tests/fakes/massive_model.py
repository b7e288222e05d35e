"""A Qwen2 model whose activations pass 65 504, where float16 ends, as those of the real ones do at a few tokens."""

from pathlib import Path
from typing import Any

from tests.fakes.micro_model import make_micro_model

TOKEN = 9  # at which the activations are massive: a byte's token
UNIT = 3  # of the hidden states


def make_massive_model(folder: Path, *, bias: float = 0) -> Path:
    """Over the micro model's tokenizer; head and embedding have weights of their own, which float16 holds exactly.

    `bias`: of a head's queries and keys. At 150 scores are 360 000, and no 16 bits tell keys apart as float32 does.
    """
    make_micro_model(folder)
    massive(folder, bias).save_pretrained(folder)
    return folder


def massive(folder: Path, bias: float) -> Any:
    """At TOKEN the first MLP's product is 79 000, and its output, from there on the stream's too, 157 000 at UNIT."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config.from_pretrained(folder, tie_word_embeddings=False)
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config)
    first, last = model.model.layers[0], model.model.layers[-1]
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.15)
        model.model.embed_tokens.weight[:, UNIT] = 0
        model.model.embed_tokens.weight[TOKEN, UNIT] = 10  # most of that token's state: about 8 after the norm
        for projection in (first.mlp.gate_proj, first.mlp.up_proj):
            projection.weight[0] = 0
            projection.weight[0, UNIT] = 50
        first.mlp.down_proj.weight[:, 0] = 0
        first.mlp.down_proj.weight[UNIT, 0] = 2
        for projection in (last.self_attn.q_proj, last.self_attn.k_proj):  # in one direction, as Qwen2's do
            projection.bias[:16] = bias
        for weights in model.parameters():
            weights.copy_(weights.half())
    return model
