"""Parts of a pass by one kernel each: when they are used, and that layers and loss are then what they were."""

from collections import Counter
from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from tests.fakes import parts as definitions
from tests.fakes.parts import by_definition
from toolkit.data.encoding import IGNORED
from toolkit.train.passes import fused_parts as fused
from toolkit.train.passes.fused_parts import CROSS_ENTROPY, GATED_PRODUCT, NONE, ROTATION, Parts

EVERY = frozenset({GATED_PRODUCT, ROTATION, CROSS_ENTROPY})
IDS = torch.arange(24).reshape(2, 12)
TARGETS = torch.where(IDS.flatten() % 5 == 0, IGNORED, IDS.flatten().roll(1))


@pytest.fixture(name="counted")
def _counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    return by_definition(monkeypatch)


def causal(**how: Any) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    return Qwen2ForCausalLM(Qwen2Config(**{
        "vocab_size": 32, "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, **how,
    })).train()  # fmt: skip


def trained(model: Any, parts: Parts) -> dict[str, torch.Tensor]:
    """The loss and its gradients; two positions' logits at once."""
    model.zero_grad()
    with fused.fused_layers(model, parts):
        states = model.model(input_ids=IDS).last_hidden_state.flatten(0, 1)
        loss = fused.cross_entropy(model, states, TARGETS, parts, 2)
        loss.backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    return found | {"loss": loss.detach()}


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("parts", [EVERY, *(frozenset({one}) for one in EVERY)])
def test_loss_and_gradients_are_those_of_the_models_own_layers(counted, parts, checkpointing):
    model = causal()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    expected = trained(model, NONE)
    assert not counted

    found = trained(model, parts)

    passes = 2 if checkpointing else 1
    wanted = {GATED_PRODUCT: ("gated_product", 2 * passes), ROTATION: ("rotated", 4 * passes),
              CROSS_ENTROPY: ("of_logits", 3)}  # fmt: skip
    assert counted == dict(wanted[one] for one in parts)
    assert found.keys() == expected.keys()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_afterwards_layers_are_the_models_own(counted):
    model = causal()
    with pytest.raises(ZeroDivisionError), fused.fused_layers(model, EVERY):
        raise ZeroDivisionError
    model(input_ids=IDS)

    assert not counted


def test_a_device_that_computes_all_three_has_them(counted):
    assert fused.fused_parts(causal().bfloat16()) == EVERY
    assert counted


def test_another_device_has_none(monkeypatch):
    by_definition(monkeypatch)
    monkeypatch.setattr(fused, "FUSED_DEVICES", {"cuda"})

    assert fused.fused_parts(causal()) == NONE


def test_a_machine_whose_kernels_fail_has_none(monkeypatch):
    """As without Triton, or without the compiler that Triton calls."""
    monkeypatch.setattr(fused, "FUSED_DEVICES", {"cpu"})

    assert fused.fused_parts(causal()) == NONE


@pytest.mark.parametrize(("part", "name", "wrong"), [
    (GATED_PRODUCT, "gated_product", lambda gate, up: torch.nn.functional.gelu(gate) * up),
    (ROTATION, "rotated", lambda x, cos, sin: definitions.rotated(x, cos, -sin)),
    (CROSS_ENTROPY, "of_logits", lambda found, targets: definitions.of_logits(found, targets.clamp(min=0))),
])  # fmt: skip
def test_a_kernel_that_computes_something_else_is_not_used(counted, monkeypatch, part, name, wrong):
    monkeypatch.setattr(fused, name, wrong)

    assert fused.fused_parts(causal().bfloat16()) == EVERY - {part}


def test_a_kernel_whose_gradients_are_wrong_is_not_used(counted, monkeypatch):
    monkeypatch.setattr(
        fused, "gated_product", lambda gate, up: definitions.gated_product(gate.detach(), up) + 0 * gate
    )

    assert GATED_PRODUCT not in fused.fused_parts(causal())


def test_another_activation_is_the_models_own(counted):
    assert fused.fused_parts(causal(hidden_act="gelu")) == EVERY - {GATED_PRODUCT}


def test_a_model_on_another_device_rotates_as_before_meanwhile(counted, monkeypatch):
    model = causal()
    expected = model(input_ids=IDS).logits
    with fused.fused_layers(model, frozenset({ROTATION})):
        monkeypatch.setattr(fused, "FUSED_DEVICES", {"cuda"})
        found = model(input_ids=IDS).logits

    assert not counted
    assert torch.equal(found, expected)
