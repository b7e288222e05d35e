"""The kernels of a long pass on the card: values and gradients against their definitions in float64."""

import pytest
import torch

from tests.fakes import parts as definitions
from toolkit.data.encoding import IGNORED
from toolkit.train.passes import fused_parts
from toolkit.train.passes.fused_parts import COMPARED, NONE

pytestmark = pytest.mark.gpu
CARD = torch.device("cuda")
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.006}


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    assert torch.isfinite(found).all()
    return float((found.detach().double() - exact.detach()).norm() / exact.detach().norm())


@pytest.fixture(name="dtype", params=[torch.float32, torch.bfloat16])
def _dtype(request: pytest.FixtureRequest) -> torch.dtype:
    torch.manual_seed(0)
    found: torch.dtype = request.param
    return found


def some(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, device=CARD).to(dtype).requires_grad_()


@pytest.mark.parametrize("shape", [(3, 700), (2, 5, 18944)])
def test_the_gated_product(dtype, shape):
    gate, up, above = (some(dtype, *shape) for _ in range(3))
    exact = [one.detach().double().requires_grad_() for one in (gate, up)]

    output, expected = fused_parts.gated_product(gate, up), definitions.gated_product(*exact)
    found = torch.autograd.grad(output, (gate, up), above)

    assert output.dtype == dtype
    assert error(output, expected) < TOLERANCE[dtype]
    for one, other in zip(found, torch.autograd.grad(expected, exact, above.double()), strict=True):
        assert error(one, other) < TOLERANCE[dtype]


@pytest.mark.parametrize(("heads", "size", "shared"), [(28, 128, 1), (4, 128, 3), (3, 48, 3)])
def test_the_rotation(dtype, heads, size, shared):
    """Three lines of 9 tokens, whose positions are the same or not; heads cut from a product, as attention does."""
    x, above = some(dtype, 3, 9, heads, size), some(dtype, 3, heads, 9, size)
    angles = torch.rand(shared, 9, size // 2, device=CARD).mul(6).repeat(1, 1, 2)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    exact = x.detach().double().requires_grad_()
    half = size // 2
    c, s = (one[:, None, :, :half].double() for one in (cos, sin))
    first, second = exact.transpose(1, 2)[..., :half], exact.transpose(1, 2)[..., half:]
    expected = torch.cat([first * c - second * s, second * c + first * s], -1)

    output = fused_parts.rotated(x.transpose(1, 2), cos, sin)
    found, of_exact = torch.autograd.grad(output, x, above), torch.autograd.grad(expected, exact, above.double())

    assert error(output, expected) < TOLERANCE[dtype]
    assert error(found[0], of_exact[0]) < TOLERANCE[dtype]


@pytest.mark.parametrize("vocabulary", [300, 32769, 152064])
def test_the_cross_entropy(dtype, vocabulary):
    logits = torch.randn(64, vocabulary, device=CARD).mul(4).to(dtype).requires_grad_()
    targets = torch.randint(vocabulary, (64,), device=CARD)
    targets[::7] = IGNORED
    targets[1] = vocabulary - 1
    exact = logits.detach().double().requires_grad_()
    expected = torch.nn.functional.cross_entropy(exact, targets, reduction="sum", ignore_index=IGNORED)

    total = fused_parts.of_logits(logits * 1, targets)
    [found] = torch.autograd.grad(total * 0.5, logits)
    [of_exact] = torch.autograd.grad(expected * 0.5, exact)

    assert total.dtype == torch.float32
    assert error(total, expected) < 1e-5
    assert error(found, of_exact) < TOLERANCE[dtype]
    assert not found[::7].any()


def test_a_model_of_this_card_has_every_part_and_trains_as_without(micro_model):
    """Loss and gradients of a pass in bfloat16: no farther from those in float32 than torch's own operations are."""
    from transformers import AutoModelForCausalLM

    every = frozenset(COMPARED)
    ids = torch.arange(3, 251, device=CARD).reshape(2, 124)

    def trained(dtype: torch.dtype, parts: frozenset[str]) -> dict[str, torch.Tensor]:
        model = AutoModelForCausalLM.from_pretrained(micro_model, dtype=dtype, device_map="cuda").train()
        assert fused_parts.fused_parts(model) == every
        with fused_parts.fused_layers(model, parts):
            states = model.model(input_ids=ids).last_hidden_state.flatten(0, 1)
            loss = fused_parts.cross_entropy(model, states, ids.flatten().roll(-1), parts, 64)
            loss.backward()
        found = {name: one.grad.double() for name, one in model.named_parameters() if one.grad is not None}
        return found | {"loss": loss.detach().double()}

    exact, plain, fused = trained(torch.float32, NONE), trained(torch.bfloat16, NONE), trained(torch.bfloat16, every)
    same = trained(torch.float32, every)

    assert len(exact) == len(plain) == len(fused) > 20
    assert all(error(same[name], one) < 1e-4 for name, one in exact.items())
    by_torch, by_kernels = (sum(error(some[name], one) for name, one in exact.items()) for some in (plain, fused))
    assert by_kernels < 1.2 * by_torch
