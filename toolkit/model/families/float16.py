"""A decoder with float16 weights that does not overflow: for cards that do not compute in bfloat16.

float16 ends at 65 504. Qwen2 in it gives NaN (QwenLM/Qwen3 issue 670), and Gemma 3's states pass a hundred thousand. So
what may be large is float32, and what takes the time and the memory, matrices and attention, stays float16:

- the residual stream, which begins with embeddings in float32 and to which each layer only adds; its norms too;
- the outputs of an MLP. Its activation is divided by LOWERED, so that its product with the other half and the last
  projection have as much more room, and its output is multiplied in float32: a power of two changes nothing else;
- scores of attention, which torch's kernels sum up in float32. Those of the families that compute them by themselves
  (`eager` in families.yaml) stay float16;
- the head's logits are float16, and read as float32 by whoever computes with them.

All of it happens within the decoder's own forward pass, under autocast, so that an adapter in float32 fits in. The same
model in another type, as after a merge, computes as it would by itself.
"""

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

from toolkit.model.families.network import decoder

if TYPE_CHECKING:
    from torch import Tensor

LOWERED = 64.0  # an exponent's six steps: activations under 1e-6 of the usual ones are lost instead
ATTENTION, MLP = "self_attn", "mlp"  # transformers' names, in every family of the table
HALF = torch.float16


def steady(causal: Any) -> None:
    """Makes this causal language model, freshly loaded, compute as above; one in another type stays as it is.

    An architecture with other names keeps float16 in its layers, and only the stream between them is float32.
    """
    if causal.dtype != HALF:
        return
    _replace(causal.get_input_embeddings(), _embedded)
    causal.get_output_embeddings().register_forward_pre_hook(_narrow_for_head)
    body = decoder(causal)
    _replace(body, _under_autocast)
    for name, module in body.named_modules():
        kind = name.rpartition(".")[2]
        if kind == "rotary_emb":
            _replace(module, _rotation)
        elif type(module) is torch.nn.LayerNorm:  # those of transformers compute in float32 themselves
            _replace(module, _layer_norm)
        elif kind == ATTENTION:
            module.register_forward_pre_hook(_narrow_for_attention, with_kwargs=True)
        elif kind == MLP and (activation := _activation(module)) is not None:
            _replace(activation, _lowered_activation)
            _replace(module, _raised_mlp)


def _replace(module: Any, forward: Any) -> None:
    """As a method, so that a deep copy calls its own."""
    module.forward = MethodType(forward, module)


def _activation(mlp: Any) -> Any:
    """The function between an MLP's projections; None if there is not one, or a bias would be multiplied too."""
    projections = [one for one in mlp.children() if getattr(one, "weight", None) is not None]
    functions = [one for one in mlp.children() if not list(one.parameters()) and not isinstance(one, torch.nn.Dropout)]
    if len(functions) != 1 or not projections or getattr(projections[-1], "bias", None) is not None:
        return None
    return functions[0]


def _active(states: "Tensor") -> bool:
    device = states.device.type
    return torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == HALF


def _embedded(table: Any, ids: "Tensor") -> "Tensor":
    found: Tensor = type(table).forward(table, ids)
    return found.float() if found.dtype == HALF else found


def _under_autocast(body: Any, *inputs: Any, **how: Any) -> Any:
    # The parameters' own type, which a merge may have changed; whether it has float32 adapters does not matter.
    is_half = body.dtype == HALF
    with torch.autocast(body.device.type, dtype=HALF, enabled=is_half):
        return type(body).forward(body, *inputs, **how)


def _rotation(rotary: Any, states: "Tensor", *inputs: Any, **how: Any) -> Any:
    """In the type of keys and queries: float32 would make them float32, too."""
    given = states.new_empty(1, dtype=HALF) if _active(states) else states  # of which only type and device are read
    return type(rotary).forward(rotary, given, *inputs, **how)


def _layer_norm(norm: Any, states: "Tensor") -> "Tensor":
    """In the type of the states: a CPU takes no float32 beside float16 weights."""
    weight, bias = (None if one is None else one.to(states.dtype) for one in (norm.weight, norm.bias))
    return torch.nn.functional.layer_norm(states, norm.normalized_shape, weight, bias, norm.eps)


def _narrow_for_attention(_: Any, inputs: tuple[Any, ...], how: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    """Once, and not again for each projection, of which the backward pass would keep a copy each."""
    if "hidden_states" in how:
        return inputs, {**how, "hidden_states": _narrow(how["hidden_states"])}
    return (_narrow(inputs[0]), *inputs[1:]), how


def _narrow(states: "Tensor") -> "Tensor":
    return states.to(HALF) if _active(states) else states


def _lowered_activation(activation: Any, states: "Tensor") -> "Tensor":
    found: Tensor = type(activation).forward(activation, states)
    return found / LOWERED if _active(states) else found


def _raised_mlp(mlp: Any, states: "Tensor") -> "Tensor":
    found: Tensor = type(mlp).forward(mlp, _narrow(states))
    return found.float() * LOWERED if _active(states) else found


def _narrow_for_head(head: Any, inputs: tuple["Tensor", ...]) -> "tuple[Tensor, ...]":
    weight = getattr(head, "weight", None)
    if weight is None or weight.dtype != HALF:
        return inputs
    return (inputs[0].to(HALF), *inputs[1:])
