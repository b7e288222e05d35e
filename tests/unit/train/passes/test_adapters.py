"""A linear layer and its adapter as one function: what peft's layer computes, forwards and backwards."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM

from toolkit.train.passes import adapters
from toolkit.train.passes.adapters import fused_adapters, listed_parameters

IDS = torch.arange(12).reshape(2, 6)


@pytest.fixture(autouse=True)
def _on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "FUSED_DEVICES", {"cpu"})


@pytest.fixture(name="counted")
def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    fused = adapters.AdaptedLinear.apply
    monkeypatch.setattr(adapters.AdaptedLinear, "apply", lambda *given: counted.append(1) or fused(*given))
    return counted


def adapted(dtype: torch.dtype = torch.float32, **how: Any) -> PeftModel:
    """Two layers, each with seven adapted ones, whose second factors are not zero."""
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=32, hidden_size=16, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2,
    )).to(dtype)  # fmt: skip
    settings = {"r": 3, "lora_alpha": 12, "target_modules": "all-linear", **how}
    tuned = get_peft_model(model, LoraConfig(**settings), autocast_adapter_dtype=True)
    for name, one in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(one, std=0.1)
    return tuned.train()


def gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(input_ids=IDS, labels=IDS).loss.backward()
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_loss_and_gradients_are_those_of_peft(counted, checkpointing):
    model = adapted()
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    expected, expected_loss = gradients(model), model(input_ids=IDS, labels=IDS).loss
    assert not counted

    with fused_adapters(model):
        found, loss = gradients(model), model(input_ids=IDS, labels=IDS).loss

    assert len(counted) == 14 * (3 if checkpointing else 2)
    assert len(found) == 28
    torch.testing.assert_close(loss, expected_loss)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_beside_bfloat16_weights_the_adapters_gradients_stay_float32_and_as_exact(counted):
    """Against float32: no farther off than peft's own path is."""
    exact = gradients(adapted())
    model = adapted(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain = gradients(model)
        with fused_adapters(model):
            found = gradients(model)

    assert counted
    assert {one.dtype for one in found.values()} == {torch.float32}

    def error(some: dict[str, torch.Tensor]) -> float:
        return sum(float((some[name] - one).norm() / one.norm()) for name, one in exact.items())

    assert error(found) < 1.2 * error(plain)


def test_a_layer_that_answers_or_is_switched_off_is_peft_s_own(counted):
    model = adapted()
    with torch.no_grad(), model.disable_adapter():
        without = model(input_ids=IDS).logits
    plain = model.eval()(input_ids=IDS).logits
    with fused_adapters(model):
        assert torch.equal(model(input_ids=IDS).logits, plain)
        model.train()
        with model.disable_adapter():
            assert torch.equal(model(input_ids=IDS).logits, without)
        assert not counted
        model(input_ids=IDS)
        assert counted
    counted.clear()
    model(input_ids=IDS)

    assert not counted
    assert not torch.allclose(plain, without, atol=1e-3)


@pytest.mark.parametrize("how", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}])
def test_layers_that_compute_something_else_stay_as_they_are(counted, how):
    model = adapted(**({"target_modules": ["q_proj"]} | how))
    with fused_adapters(model):
        model(input_ids=IDS)

    assert not counted


def test_a_strength_that_changes_is_read_anew():
    from peft.helpers import rescale_adapter_scale

    model = adapted()
    with rescale_adapter_scale(model, 0.25):
        expected = model(input_ids=IDS).logits
    with fused_adapters(model), rescale_adapter_scale(model, 0.25):
        torch.testing.assert_close(model(input_ids=IDS).logits, expected)


def test_parameters_are_listed_once_and_cleared_as_ever():
    tuned = adapted()
    every, own = list(tuned.parameters()), list(tuned.parameters(recurse=False))
    with listed_parameters(tuned):
        tuned(input_ids=IDS).logits.sum().backward()
        listed = list(tuned.parameters())
        had = [one.grad is not None for one in listed if one.requires_grad]
        tuned.zero_grad()

        assert [id(one) for one in listed] == [id(one) for one in every]
        assert list(tuned.parameters(recurse=False)) == own
        assert all(had)
        assert all(one.grad is None for one in every)
    torch.nn.Module.add_module(tuned, "more", torch.nn.Linear(1, 1))

    assert len(list(tuned.parameters())) == len(every) + 2
