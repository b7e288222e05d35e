"""The parts of a loaded causal language model, whatever its family calls them: embedding, decoder, logits.

`causal`: a causal language model of transformers, without peft's wrapper (`get_base_model()`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def decoder(causal: Any) -> Any:
    """What turns embedded tokens into last hidden states: the model without its head."""
    return causal.base_model


def embedded(causal: Any, ids: "Tensor") -> "Tensor":
    """The embeddings of token ids, scaled where the family scales them; shape [*ids.shape, width].

    Hooks are not called: gradient checkpointing hooks a gradient onto an embedding, and every layer below the lowest
    adapter would then run a backward pass for nothing.
    """
    states: Tensor = causal.get_input_embeddings().forward(ids)
    return states


def logits(causal: Any, states: "Tensor") -> "Tensor":
    """The logits over last hidden states, shape [..., vocabulary]: as the model's own forward pass computes them.

    Cohere's are scaled (logit_scale), Granite's divided (logits_scaling), Gemma 2's capped (final_logit_softcapping,
    arXiv:2408.00118).
    """
    found: Tensor = causal.get_output_embeddings()(states)
    config = causal.config
    if scale := getattr(config, "logit_scale", None):
        found = found * scale
    if divisor := getattr(config, "logits_scaling", None):
        found = found / divisor
    if cap := getattr(config, "final_logit_softcapping", None):
        found = (found / cap).tanh() * cap
    return found
