"""A forward and backward pass over tensors of one shape, captured as a CUDA graph.

A step over a few hundred tokens launches some seven thousand kernels, and launching them one by one from Python takes
longer than running them; a graph launches them together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from toolkit.model.decoding.cuda_capture import CaptureError, captured, warmed_up
from toolkit.train.passes.batch import Batch

if TYPE_CHECKING:
    from torch import Tensor


PassOutputs = Mapping[str, "Tensor"]


class GraphedPass:
    """Calls `compute` (batch to outputs, among them the "loss") and `backward` (of that loss).

    The first call warms up, the second is captured, later ones replay the capture. A tensor of a batch that is shorter
    than `lengths` says is filled up with its `fill` value, else with zeros. Gradients accumulate, as without a graph.
    """

    def __init__(
        self, compute: Callable[[Batch], PassOutputs], backward: Callable[["Tensor"], None],
        parameters: Sequence["Tensor"], lengths: Mapping[str, int], fill: Mapping[str, int],
    ) -> None:  # fmt: skip
        self._compute, self._backward, self._parameters = compute, backward, parameters
        self._lengths, self._fill = lengths, fill
        self._inputs: dict[str, Tensor] = {}
        self._gradients: list[Tensor] = []
        self._graph: torch.cuda.CUDAGraph | None = None
        self._outputs: PassOutputs = {}
        self.refused: str | None = None  # the first line of the reason, if the capture failed

    @property
    def replays(self) -> bool:
        """Whether the next call replays the graph and runs no Python code of the pass."""
        return self._graph is not None

    def __call__(self, batch: Batch) -> PassOutputs:
        """The outputs of `compute`, detached; later calls do not overwrite them."""
        first = not self._inputs
        self._load(batch)
        if first:
            return self._warm_up()
        if self._graph is None and self.refused is None:
            self._capture()
        if self._graph is None:
            return self._eager()
        self._set_gradients()
        self._graph.replay()
        return {name: one.clone() for name, one in self._outputs.items()}

    @property
    def _device(self) -> torch.device:
        return self._parameters[0].device

    def _load(self, batch: Batch) -> None:
        """Copies the batch into the tensors that the graph reads."""
        if not self._inputs:
            self._inputs = {
                name: torch.empty(
                    self._lengths.get(name, len(one)), *one.shape[1:], dtype=one.dtype, device=self._device
                )
                for name, one in batch.items()
            }
        for name, buffer in self._inputs.items():
            given = batch.get(name)
            count = 0 if given is None else len(given)
            buffer[count:].fill_(self._fill.get(name, 0))
            if given is not None:
                buffer[:count].copy_(given)

    def _eager(self) -> PassOutputs:
        outputs = self._compute(self._inputs)
        self._backward(outputs["loss"])
        return {name: one.detach() for name, one in outputs.items()}

    def _warm_up(self) -> PassOutputs:
        return warmed_up(self._eager, self._device) if self._device.type == "cuda" else self._eager()

    def _capture(self) -> None:
        """Gradients are accumulated in tensors of our own: each replay would overwrite the graph's."""
        before = [one.grad for one in self._parameters]
        self._gradients = [torch.zeros_like(one) for one in self._parameters]
        self._set_gradients()
        try:
            self._graph, self._outputs = captured(self._eager, self._device)
        except CaptureError as error:
            self.refused = str(error)
            for parameter, gradient in zip(self._parameters, before, strict=True):
                parameter.grad = gradient
            self._gradients = []
            return
        for own, gradient in zip(self._gradients, before, strict=True):
            if gradient is not None:
                own.copy_(gradient)

    def _set_gradients(self) -> None:
        """Puts our gradient tensors back, zeroed, after the optimizer has dropped them at the end of a step."""
        if self._parameters[0].grad is self._gradients[0]:
            return
        torch._foreach_zero_(self._gradients)
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
