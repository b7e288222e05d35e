"""float16 that holds what bfloat16 would: a planted model whose activations pass 65 504, and who else is left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Starcoder2Config, Starcoder2ForCausalLM

from tests.fakes.massive_model import TOKEN, make_massive_model
from toolkit.model.families.float16 import steady
from toolkit.model.families.network import decoder, embedded, logits
from toolkit.train.ms_swift.shared_weights import _clone_model

IDS = torch.tensor([[TOKEN, 20, 31, 42, 53], [20, TOKEN, 60, 61, 62]])
HALF_FLOAT_MAX = 65_504


@pytest.fixture(scope="module", name="load")
def _load(tmp_path_factory) -> Callable[..., Any]:
    folder: Path = make_massive_model(tmp_path_factory.mktemp("models") / "massive", bias=150)

    def load(dtype: str, *, safe: bool = True) -> Any:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
        if safe:
            steady(model)
        return model

    return load


def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits.float()


def test_activations_beyond_float16_give_the_logits_of_float32(load):
    exact, plain, ours = load("float32"), load("float16", safe=False), load("float16")
    largest: list[float] = []
    exact.model.layers[0].mlp.down_proj.register_forward_hook(
        lambda _, given, found: largest.extend((float(given[0].abs().max()), float(found.abs().max())))
    )

    expected = logits_of(exact)

    assert min(largest) > HALF_FLOAT_MAX
    assert not torch.isfinite(logits_of(plain)).any()
    assert torch.allclose(logits_of(ours), expected, atol=0.02)
    assert expected.std() > 1


def test_its_parts_compute_as_the_whole_does(load):
    """As training calls them: embeddings, decoder and head by themselves."""
    ours = load("float16")
    with torch.no_grad():
        states = decoder(ours)(inputs_embeds=embedded(ours, IDS), use_cache=False).last_hidden_state
        found = logits(ours, states)

    assert (states.dtype, found.dtype) == (torch.float32, torch.float16)
    assert torch.equal(found.float(), logits_of(ours))
    assert torch.equal(logits(ours, states.half()).float(), logits_of(ours))  # as keep states are


def test_gradients_come_through_every_layer(load):
    expected, found = (_gradient(load(dtype)) for dtype in ("float32", "float16"))

    assert torch.nn.functional.cosine_similarity(expected, found, dim=-1).min() > 0.99


def _gradient(model: Any) -> torch.Tensor:
    """Of the first sequence's logits by its embedded tokens."""
    states = embedded(model, IDS).detach().requires_grad_()
    found = decoder(model)(inputs_embeds=states, use_cache=False).last_hidden_state
    return torch.autograd.grad(logits(model, found)[0].float().sum(), states)[0][0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_after_a_merge_into_another_type_it_computes_in_that(load, dtype):
    merged = load("float16").to(dtype)

    assert torch.equal(logits_of(merged), logits_of(load("float16", safe=False).to(dtype)))


def test_a_model_in_another_type_is_left_alone(load):
    model = load("float32")

    assert not any("forward" in vars(one) or one._forward_pre_hooks for one in model.modules())


def test_a_clone_computes_by_itself(load):
    ours = load("float16")
    clone = _clone_model(ours)
    expected = logits_of(ours)
    clone.model.layers[0].mlp.act_fn.forward = lambda states: states * 0  # the original's must not change with it

    assert torch.equal(logits_of(ours), expected)
    assert not torch.equal(logits_of(clone), expected)


def test_an_output_with_a_bias_is_not_multiplied():
    config = Starcoder2Config(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, use_bias=True,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Starcoder2ForCausalLM(config).half().eval()
    for weights in model.parameters():
        weights.data.normal_(std=0.2)
    with torch.no_grad():
        expected = model.float()(input_ids=torch.arange(9)[None]).logits
        model.half()
        steady(model)
        found = model(input_ids=torch.arange(9)[None]).logits.float()

    assert torch.allclose(found, expected, atol=0.02 * float(expected.std()))
