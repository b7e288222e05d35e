"""Greedy decoding of a batch of one shape: each step is the same kernels over the same tensors.

On a card a step is captured as a CUDA graph, as launching some two thousand kernels one by one takes ten times as long
as running them. On a CPU the same steps run without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor

from toolkit.model.decoding.cuda_capture import CaptureError, captured, warmed_up
from toolkit.model.decoding.static_cache import caches, one_token_attention
from toolkit.model.generation import pad_left

LOOK_EVERY = 4  # steps: looking whether all rows have ended waits for the card


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """`tokens`, `margins`: of each row, at each step, also after its end. `first`: logits, shape [rows, vocabulary]."""

    tokens: list[list[int]]
    margins: list[list[float]]
    first: Tensor


class StaticBatch:
    """Up to `rows` answers, each of up to `capacity` tokens with its prompt.

    `layers`: keys and values, shape [rows, key heads, capacity, head size], all finite. `ends`: ids that end an answer.
    `pool`: as `captured` takes it. Needs torch's inference mode.
    """

    def __init__(
        self, layers: Sequence[tuple[Tensor, Tensor]], *, ends: Sequence[int], dtype: torch.dtype, pool: Any = None
    ) -> None:
        rows, _, capacity, _ = layers[0][0].shape
        device = layers[0][0].device
        self._pool, self._device, self._rows = pool, device, rows
        self._ends = torch.tensor(ends, device=device)
        self._last = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._positions = torch.zeros_like(self._last)
        self._column = torch.zeros(1, dtype=torch.long, device=device)  # that the step writes, and the first beyond
        self._mask = torch.empty(rows, 1, 1, capacity, dtype=dtype, device=device)  # is added to scores: 0 or -inf
        self._made = torch.zeros(1, dtype=torch.long, device=device)  # tokens of each row
        self._tokens = torch.zeros(capacity, rows, dtype=torch.long, device=device)
        self._margins = torch.zeros(capacity, rows, device=device)
        self._ended = torch.zeros(rows, dtype=torch.bool, device=device)
        self._prompt_cache, self._step_cache = caches(layers, self._column)
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self.refused: str | None = None  # the reason, if a step could not be captured

    def decode(self, network: Any, prompts: Sequence[Sequence[int]], count: int, pad_token: int) -> Decoded:
        """Up to `count` tokens a prompt; fewer if all rows have ended."""
        first = self._read(network, prompts, pad_token)
        made = 1
        while made < count and not ((made - 1) % LOOK_EVERY == 0 and bool(self._ended.all())):
            self._advance(network)
            made += 1
        rows = len(prompts)
        tokens, margins = (one[:made, :rows].T.tolist() for one in (self._tokens, self._margins))
        return Decoded(tokens=tokens, margins=margins, first=first.cpu())

    def _read(self, network: Any, prompts: Sequence[Sequence[int]], pad_token: int) -> Tensor:
        """Stores the prompts and their first tokens; the logits of these."""
        ids, seen = pad_left(prompts, pad_token, self._device)
        rows, width = ids.shape
        logits: Tensor = network(
            input_ids=ids, attention_mask=seen, position_ids=(seen.cumsum(-1) - 1).clamp(min=0),
            past_key_values=self._prompt_cache, use_cache=True, logits_to_keep=1,
        ).logits[:, -1].float()  # fmt: skip
        self._mask.fill_(-inf)
        self._mask[:rows, 0, 0, :width].masked_fill_(seen.bool(), 0)
        self._column.fill_(width)
        self._positions.zero_()
        self._positions[:rows, 0] = seen.sum(-1)
        self._made.zero_()
        self._ended.fill_(True)  # rows without a prompt
        self._ended[:rows] = False
        first = logits.clone()
        self._take(logits)
        return first

    def _advance(self, network: Any) -> None:
        """One more token a row: the first such call warms up, the second is captured, later ones replay that."""
        if self._graph is None and self._warm and self.refused is None and self._device.type == "cuda":
            try:
                self._graph, _ = captured(lambda: self._step(network), self._device, self._pool)
            except CaptureError as error:
                self.refused = str(error)
        if self._graph is not None:
            self._graph.replay()
        elif self._warm or self._device.type != "cuda":
            self._step(network)
        else:
            warmed_up(lambda: self._step(network), self._device)
        self._warm = True

    def _step(self, network: Any) -> None:
        self._mask.index_fill_(3, self._column, 0)
        with one_token_attention(network.config):
            logits = network(
                input_ids=self._last, attention_mask=self._mask, position_ids=self._positions,
                past_key_values=self._step_cache, use_cache=True, logits_to_keep=1,
            ).logits[:, -1].float()  # fmt: skip
        self._column += 1
        self._positions += 1
        self._take(logits)

    def _take(self, logits: Tensor) -> None:
        """Chooses the next token of the first rows, as many as `logits` has, and overwrites the logits."""
        rows = len(logits)
        ids = logits.argmax(dim=-1, keepdim=True)
        highest = logits.gather(-1, ids)
        second = logits.scatter_(-1, ids, -inf).amax(dim=-1, keepdim=True)
        self._tokens[:, :rows].index_copy_(0, self._made, ids.T)
        self._margins[:, :rows].index_copy_(0, self._made, (highest - second).T)
        self._last[:rows] = ids
        self._ended[:rows] |= (ids == self._ends).any(dim=-1)
        self._made += 1
