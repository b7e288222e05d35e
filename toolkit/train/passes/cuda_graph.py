"""A forward and backward pass over tensors of one shape, captured as a CUDA graph.

A step over a few hundred tokens is some seven thousand kernels that take less time than starting them one by one from
Python does; as a graph they are started together (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from toolkit.core.errors import first_line
from toolkit.train.passes.batch import Batch

if TYPE_CHECKING:
    from torch import Tensor


PassOutputs = Mapping[str, "Tensor"]


class GraphedPass:
    """`compute` makes a loss, and what else is told, of the tensors that it is given; `backward` goes back from it.

    The first call is computed as it is, which chooses kernels; the second is captured. Every tensor of a batch that is
    shorter than `lengths` says is filled up with its `filling`, else with zeros. Gradients add up, as without a graph.
    """

    def __init__(
        self, compute: Callable[[Batch], PassOutputs], backward: Callable[["Tensor"], None],
        parameters: Sequence["Tensor"], lengths: Mapping[str, int], filling: Mapping[str, int],
    ) -> None:  # fmt: skip
        self._compute, self._backward, self._parameters = compute, backward, parameters
        self._lengths, self._filling = lengths, filling
        self._held: dict[str, Tensor] = {}
        self._gradients: list[Tensor] = []
        self._graph: torch.cuda.CUDAGraph | None = None
        self._out: PassOutputs = {}
        self.refused: str | None = None  # why there is no graph, where capturing failed

    @property
    def replays(self) -> bool:
        """Whether the next call computes nothing from Python any more."""
        return self._graph is not None

    def __call__(self, batch: Batch) -> PassOutputs:
        """What `compute` tells, among it the "loss"; nothing of it is overwritten by a later call."""
        first = not self._held
        self._take(batch)
        if first or self.refused:
            return self._as_it_is()
        if self._graph is None:
            self._capture()
            if self._graph is None:
                return self._as_it_is()
        self._put_gradients()
        self._graph.replay()
        return {name: one.clone() for name, one in self._out.items()}

    def _take(self, batch: Batch) -> None:
        device = self._parameters[0].device
        if not self._held:
            self._held = {
                name: torch.empty(self._lengths.get(name, len(one)), *one.shape[1:], dtype=one.dtype, device=device)
                for name, one in batch.items()
            }
        for name, held in self._held.items():
            given = batch.get(name)
            count = 0 if given is None else len(given)
            held[count:].fill_(self._filling.get(name, 0))
            if given is not None:
                held[:count].copy_(given)

    def _as_it_is(self) -> PassOutputs:
        out = self._compute(self._held)
        self._backward(out["loss"])
        return {name: one.detach() for name, one in out.items()}

    def _capture(self) -> None:
        """Gradients are added to tensors of our own: those of the graph would be overwritten by each replay."""
        before = [one.grad for one in self._parameters]
        self._gradients = [torch.zeros_like(one) for one in self._parameters]
        self._put_gradients()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                out = self._compute(self._held)
                self._backward(out["loss"])
        except RuntimeError as error:  # memory, or a kernel that cannot be captured
            torch.cuda.synchronize()
            self.refused = first_line(error)
            for parameter, gradient in zip(self._parameters, before, strict=True):
                parameter.grad = gradient
            return
        for mine, gradient in zip(self._gradients, before, strict=True):
            if gradient is not None:
                mine.copy_(gradient)
        self._graph, self._out = graph, {name: one.detach() for name, one in out.items()}

    def _put_gradients(self) -> None:
        """The optimizer's end of a step takes them away."""
        if self._parameters[0].grad is self._gradients[0]:
            return
        torch._foreach_zero_(self._gradients)
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
