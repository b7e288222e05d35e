"""A step of float16: gradients are divided before they are clipped, and one that is not finite changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from math import inf, nan

import pytest
import torch
from torch.distributed import HashStore

from toolkit.core.errors import TrainingError
from toolkit.model.cards.group import Group
from toolkit.train.passes.loss_scale import (
    GROWTH_STEPS,
    INITIAL,
    MOST_IN_A_ROW,
    loss_scale,
    require_progress,
    skipped_steps,
    unscale,
    with_scale,
)

CPU = torch.device("cpu")


class Accelerated:
    """accelerate's optimizer, as far as it matters here: a wrapper."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer


def step(scale, weight, optimizer, gradient: float, group: Group | None = None) -> float:
    """One step over a loss with this gradient; the norm of what was clipped."""
    scale.scale(weight * gradient).sum().backward()
    if group is not None:
        group.add_up_gradients([weight])
    unscale(scale, Accelerated(Accelerated(optimizer)))
    norm = float(torch.nn.utils.clip_grad_norm_([weight], 1.0))
    scale.step(optimizer)
    scale.update()
    optimizer.zero_grad()
    return norm


def made() -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
    weight = torch.nn.Parameter(torch.ones(1))
    return weight, torch.optim.AdamW([weight], lr=0.1, fused=True)


def test_gradients_are_clipped_at_their_own_size():
    weight, optimizer = made()

    assert step(loss_scale(CPU), weight, optimizer, 0.25) == pytest.approx(0.25)


@pytest.mark.parametrize("gradient", [inf, -inf, nan])
def test_a_gradient_that_is_not_finite_leaves_weights_and_moments(gradient: float):
    (weight, optimizer), scale = made(), loss_scale(CPU)
    step(scale, weight, optimizer, 0.5)
    before, moments = weight.detach().clone(), {name: one.clone() for name, one in optimizer.state[weight].items()}

    step(scale, weight, optimizer, gradient)

    assert torch.equal(weight, before)
    assert all(torch.equal(one, moments[name]) for name, one in optimizer.state[weight].items())
    assert scale.get_scale() == INITIAL / 2
    step(scale, weight, optimizer, 0.5)
    assert weight.item() < before.item()


def test_the_scale_grows_again_where_nothing_overflows():
    (weight, optimizer), scale = made(), loss_scale(CPU)
    for _ in range(GROWTH_STEPS):
        step(scale, weight, optimizer, 0.5)

    assert scale.get_scale() == 2 * INITIAL


def test_a_captured_pass_reads_the_scale_where_it_is():
    """A replay multiplies by what is in this tensor then."""
    (weight, optimizer), scale = made(), loss_scale(CPU)
    step(scale, weight, optimizer, 0.5)
    place = scale._scale

    step(scale, weight, optimizer, inf)

    assert scale._scale is place
    assert place.item() == INITIAL / 2


def test_an_overflow_on_one_card_skips_the_step_on_all():
    store = HashStore()

    def act(rank: int) -> tuple[float, float]:
        (weight, optimizer), scale, group = made(), loss_scale(CPU), Group(store, rank, 2)
        step(scale, weight, optimizer, inf if rank == 1 else 0.5, group)
        step(scale, weight, optimizer, 0.5, group)
        return weight.item(), scale.get_scale()

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(act, range(2))

    assert one == other
    assert one[0] == pytest.approx(0.9, abs=0.01)  # one step of two
    assert one[1] == INITIAL / 2


@pytest.mark.parametrize("norm", [inf, nan])
def test_a_skipped_step_is_logged_as_one(norm: float):
    scale = loss_scale(CPU)

    assert with_scale({"loss": 1.0, "grad_norm": norm}, scale) == {"loss": 1.0, "skipped": 1, "loss_scale": INITIAL}
    assert with_scale({"loss": 1.0, "grad_norm": 2.0}, scale) == {
        "loss": 1.0, "grad_norm": 2.0, "loss_scale": INITIAL,
    }  # fmt: skip
    assert skipped_steps([{"loss": 1, "skipped": 1}, {"loss": 1}, {"eval_loss": 1}, {"loss": 1, "skipped": 1}]) == 2


def test_a_training_in_which_no_step_is_taken_ends():
    skipped = [{"loss": 1.0, "skipped": 1}, {"eval_loss": 1.0}] * (MOST_IN_A_ROW - 1)
    require_progress([*skipped, {"loss": 1.0}])
    require_progress(skipped)

    with pytest.raises(TrainingError, match=r"at every loss scale.*precision: float32"):
        require_progress([{"loss": 1.0}, *skipped, {"loss": 1.0, "skipped": 1}])
