"""A graphed pass without a card: batches are filled, gradients accumulate, and a refused capture changes nothing."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from toolkit.train.passes.cuda_graph import GraphedPass, PassOutputs


class Squares:
    """The loss sum((w * x)²), and how many of the inputs are ones."""

    def __init__(self) -> None:
        self.weights = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.passes = GraphedPass(
            self.compute, lambda loss: loss.backward(), [self.weights], {"given": 3}, fill={"given": 1}
        )

    def compute(self, batch: dict[str, torch.Tensor]) -> PassOutputs:
        if torch.cuda.is_current_stream_capturing():
            raise RuntimeError("not while capturing\nand more about it")
        given = batch["given"]
        return {"loss": ((self.weights * given) ** 2).sum(), "ones": (given == 1).sum()}

    def gradient(self, *batches: list[float]) -> torch.Tensor:
        return sum((2 * self.weights * torch.tensor(one) ** 2 for one in batches), torch.zeros(3)).detach()


@pytest.fixture(autouse=True)
def _no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)  # else torch asks a card


@pytest.fixture(name="refusing")
def _refusing(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A card on which a capture fails, and then ending it fails too; the pools that are ended and released."""
    capturing, given_back = [], []

    @contextlib.contextmanager
    def capture(_: Any, **_how: Any) -> Iterator[None]:
        capturing.append(True)
        try:
            yield
        finally:
            capturing.clear()
            raise RuntimeError("the capture was invalidated")

    for name, value in (
        ("CUDAGraph", object), ("graph", capture), ("current_stream", lambda: None), ("set_stream", lambda _: None),
        ("graph_pool_handle", lambda: "pool"), ("Stream", lambda _: None), ("current_device", lambda: 0),
        ("synchronize", lambda: None), ("is_current_stream_capturing", lambda: bool(capturing)),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):  # a CPU build has neither
        monkeypatch.setattr(torch._C, name, lambda *given: given_back.append(given), raising=False)
    return given_back


def test_a_short_batch_is_filled_up():
    squares = Squares()

    assert squares.passes({"given": torch.tensor([2.0, 2.0])})["ones"] == 1
    torch.testing.assert_close(squares.weights.grad, squares.gradient([2.0, 2.0, 1.0]))


def test_a_refused_capture_is_noted_and_passes_go_on_without_it(refusing):
    squares, batches = Squares(), [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 2.0, 2.0]]

    for batch in batches:
        squares.passes({"given": torch.tensor(batch)})

    assert squares.passes.refused == "not while capturing"
    assert not squares.passes.replays
    assert refusing == [(0, "pool"), (0, "pool")]
    torch.testing.assert_close(squares.weights.grad, squares.gradient(*batches))
