"""What a long pass computes on the card: attention by ends, and a layer with its adapter as one function."""

import pytest
import torch

from tests.fakes.attention import attention_of_spans
from toolkit.train.passes.adapters import AdaptedLinear
from toolkit.train.passes.end_to_end import Spans, flash
from toolkit.train.passes.lines import causal_attention

pytestmark = pytest.mark.gpu
CARD = torch.device("cuda")


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    assert torch.isfinite(found).all()
    return float((found.detach().double() - exact.detach()).norm() / exact.detach().norm())


@pytest.mark.parametrize("scaling", [None, 0.05])
def test_attention_by_ends_is_what_its_definition_says(scaling):
    """Three sequences, the second of them after a prefix of 40 keys; 8 query heads over 2 of keys."""
    torch.manual_seed(0)
    queries, keys = [0, 70, 200, 203], [0, 70, 240, 243]
    query = torch.randn(203, 8, 64, device=CARD, dtype=torch.bfloat16, requires_grad=True)
    key, value = (
        torch.randn(243, 2, 64, device=CARD, dtype=torch.bfloat16, requires_grad=True) for _ in range(2)
    )  # fmt: skip
    spans = Spans(
        queries=torch.tensor(queries, dtype=torch.int32, device=CARD),
        keys=torch.tensor(keys, dtype=torch.int32, device=CARD), key_index=torch.empty(0), longest=(130, 170),
    )  # fmt: skip
    of_output = torch.randn(203, 8, 64, device=CARD, dtype=torch.bfloat16)
    exact = [one.detach().double().requires_grad_() for one in (query, key, value)]

    output = flash(query, key, value, spans, scaling)
    expected = attention_of_spans(*exact, spans, scaling)
    found = torch.autograd.grad(output, (query, key, value), of_output)

    assert error(output, expected) < 0.01
    for one, other in zip(found, torch.autograd.grad(expected, exact, of_output.double()), strict=True):
        assert error(one, other) < 0.02


@pytest.mark.parametrize("width", [130, 4080])
def test_attention_of_lines_is_what_its_definition_says(width):
    """Two lines, 8 query heads over 2 of keys."""
    torch.manual_seed(0)
    given = [
        torch.randn(2, heads, width, 64, device=CARD, dtype=torch.bfloat16, requires_grad=True) for heads in (8, 2, 2)
    ]
    of_output = torch.randn(2, 8, width, 64, device=CARD, dtype=torch.bfloat16)
    exact = [one.detach().double().requires_grad_() for one in given]

    output = causal_attention(*given)
    query, key, value = exact[0], *(one.repeat_interleave(4, 1) for one in exact[1:])
    seen = torch.ones(width, width, dtype=torch.bool, device=CARD).tril()
    scores = (query @ key.transpose(2, 3) / 8).masked_fill(~seen, -torch.inf)
    expected = scores.softmax(-1) @ value
    found = torch.autograd.grad(output, given, of_output)

    assert error(output, expected) < 0.01
    for one, other in zip(found, torch.autograd.grad(expected, exact, of_output.double()), strict=True):
        assert error(one, other) < 0.02


def test_a_layer_with_its_adapter_computes_the_sum_of_both():
    torch.manual_seed(0)
    x = torch.randn(2, 100, 256, device=CARD, dtype=torch.bfloat16, requires_grad=True)
    weight = torch.randn(512, 256, device=CARD, dtype=torch.bfloat16) / 16
    bias = torch.randn(512, device=CARD, dtype=torch.bfloat16)
    a, b = (torch.randn(*shape, device=CARD, requires_grad=True) for shape in ((16, 256), (512, 16)))
    of_output = torch.randn(2, 100, 512, device=CARD, dtype=torch.bfloat16)
    exact = [one.detach().double().requires_grad_() for one in (x, a, b)]

    output = AdaptedLinear.apply(x, weight, bias, a, b, 0.5)
    given, first, second = exact
    expected = given @ weight.double().t() + bias.double() + 0.5 * (given @ first.t()) @ second.t()
    found = torch.autograd.grad(output, (x, a, b), of_output)

    assert [one.dtype for one in found] == [torch.bfloat16, torch.float32, torch.float32]
    assert error(output, expected) < 0.01
    for one, other in zip(found, torch.autograd.grad(expected, exact, of_output.double()), strict=True):
        assert error(one, other) < 0.01
