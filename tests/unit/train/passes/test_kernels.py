"""Losses in chunks: the same sum and gradients as at once, and every chunk's logits are computed once."""

import pytest
import torch
from torch.nn import functional

from toolkit.data.encoding import IGNORED
from toolkit.model.divergence import kl_divergence
from toolkit.train.passes.kernels import in_chunks

WIDTH, VOCABULARY = 6, 11


@pytest.fixture(name="head")
def _head() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(WIDTH, VOCABULARY, bias=False).requires_grad_(requires_grad=False)


def states_of(count: int) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(count)).requires_grad_()


@pytest.mark.parametrize("count", [1, 4, 9])
def test_chunks_have_the_sum_and_the_gradient_of_the_whole(head, count):
    states = states_of(count)
    targets = torch.arange(count) % VOCABULARY
    targets[0] = IGNORED if count > 1 else 3

    def loss(some, of):
        return functional.cross_entropy(head(some), of, reduction="sum", ignore_index=IGNORED)

    [expected] = torch.autograd.grad(loss(states, targets) / 7, states)
    total = in_chunks(loss, states, targets, size=4)
    (total / 7).backward()

    torch.testing.assert_close(total, loss(states, targets).detach(), check_stride=False)
    torch.testing.assert_close(states.grad, expected)


def test_no_gradient_flows_into_what_the_first_column_is_compared_with(head):
    tuned, base = states_of(5), states_of(6)[:5].detach().requires_grad_()

    in_chunks(lambda one, other: kl_divergence(head(other), head(one)).sum(), tuned, base, size=2).backward()
    [expected] = torch.autograd.grad(kl_divergence(head(base), head(tuned)).sum(), tuned)

    torch.testing.assert_close(tuned.grad, expected)
    assert base.grad is None


@pytest.mark.parametrize("trains", [True, False])
def test_the_logits_of_a_chunk_are_computed_once(head, trains):
    seen: list[int] = []

    def loss(some):
        seen.append(len(some))
        return head(some).logsumexp(-1).sum()

    total = in_chunks(loss, states_of(5) if trains else states_of(5).detach(), size=2)
    if trains:
        total.backward()

    assert seen == [2, 2, 1]
    assert total.requires_grad is trains


def test_a_small_weight_of_the_loss_is_not_rounded_to_the_type_of_the_states(head):
    states = states_of(3).detach().bfloat16().requires_grad_()
    weight = 1 / 4093  # bfloat16 has 1 / 4096 and 1 / 4080

    total = in_chunks(lambda some: head(some.float()).logsumexp(-1).sum(), states)
    (total * weight).backward()
    [unweighted] = torch.autograd.grad(head(states.float()).logsumexp(-1).sum(), states)

    assert torch.equal(states.grad, (unweighted.float() * weight).bfloat16())
