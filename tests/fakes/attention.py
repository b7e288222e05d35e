"""Attention over spans, computed as it is defined: one sequence after the other, and one head after the other."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from toolkit.train.passes.end_to_end import Spans


def attention_of_spans(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, spans: "Spans", scaling: float | None
) -> torch.Tensor:
    """As `end_to_end.flash`, which a card computes; shapes [queries or keys, heads, size]."""
    heads, size = query.shape[1:]
    scale = size**-0.5 if scaling is None else scaling
    found = []
    for number in range(len(spans.queries) - 1):
        asked, given = (
            slice(int(one[number]), int(one[number + 1])) for one in (spans.queries, spans.keys)
        )  # fmt: skip
        assert asked.stop - asked.start <= spans.longest[0]
        assert given.stop - given.start <= spans.longest[1]
        before = (given.stop - given.start) - (asked.stop - asked.start)
        by_head = []
        for head in range(heads):
            group = head * key.shape[1] // heads
            scores = (query[asked, head] @ key[given, group].t()).float() * scale
            unseen = torch.ones_like(scores).bool().triu(before + 1)
            weights = scores.masked_fill(unseen, -torch.inf).softmax(-1)
            by_head.append(weights.to(value.dtype) @ value[given, group])
        found.append(torch.stack(by_head, 1))
    return torch.cat(found)
