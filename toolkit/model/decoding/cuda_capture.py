"""Captures what a function launches on a card as a CUDA graph, which launches it again as one.

https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

import torch

from toolkit.core.errors import first_line

T = TypeVar("T")


class CaptureError(RuntimeError):
    """A capture was refused: out of memory, or a kernel that cannot be captured. Its text is one line."""


def warmed_up(compute: Callable[[], T], device: torch.device) -> T:
    """The function's outputs, computed on the side stream, as torch's documentation requires before a capture."""
    torch.cuda.empty_cache()  # a side stream cannot reuse what the current one has cached: the peak would grow
    stream, current = _side_stream(device), torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        outputs = compute()
    current.wait_stream(stream)
    return outputs


def captured(compute: Callable[[], T], device: torch.device, pool: Any = None) -> tuple[torch.cuda.CUDAGraph, T]:
    """The graph, and the outputs that each replay writes. Nothing is computed yet. Raises CaptureError.

    `pool`: of the memory within the graph, torch.cuda.graph_pool_handle(); graphs that share one must not overlap.
    """
    graph, pool = torch.cuda.CUDAGraph(), pool or torch.cuda.graph_pool_handle()
    current = torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph, pool=pool, stream=_side_stream(device)):
            outputs = compute()
    except RuntimeError as error:
        torch.cuda.set_stream(current)  # torch.cuda.graph leaves its own stream set if ending the capture fails too
        torch.cuda.synchronize()
        _abandon(pool, device)
        # The first error, if ending the capture raised another.
        raise CaptureError(first_line(error.__context__ or error)) from error
    return graph, outputs


@cache
def _side_stream(device: torch.device) -> Any:
    """One stream for every warm-up and capture: cuBLAS keeps 32 MiB of workspace for each that it has seen."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _abandon(pool: Any, device: torch.device) -> None:
    """Ends the allocator's recording into the pool of a capture that failed.

    torch does so only if ending the capture succeeds; otherwise nothing that the process caches can be freed again.
    """
    index = torch.cuda.current_device() if device.index is None else device.index
    with suppress(RuntimeError):  # the capture ended after all
        torch._C._cuda_endAllocateToPool(index, pool)  # noqa: SLF001  # see docs/fragile.md
        torch._C._cuda_releasePool(index, pool)  # noqa: SLF001
