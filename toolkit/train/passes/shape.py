"""How the sequences of a training's passes lie, and whether all passes have one shape."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from toolkit.train.passes.batch import Sizes, TrainSequence, padded_share, sizes_for, sizes_in_lines
from toolkit.train.passes.end_to_end import MAX_GRAPH_TOKENS, attention_by_ends, pays_from, serves
from toolkit.train.passes.lines import MOST_PADDING, attention_by_lines, lines_agree


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`end_to_end`: every sequence in one line, and attention by their ends. `by_lines`: each in a line of its own, and
    causal attention. Both without a mask, for long passes on a card; else several are in a line, which has a mask.

    `captured`: whether a graph of passes of these `sizes` pays.
    """

    end_to_end: bool = False
    by_lines: bool = False
    captured: Sizes | None = None

    @property
    def long(self) -> bool:
        """Whether passes have no mask."""
        return self.end_to_end or self.by_lines


def choose_shape(causal: Any, draws: Sequence[Sequence[TrainSequence]], line_tokens: int) -> Shape:
    """For passes like those in `draws` of this loaded causal language model; lines of several have `line_tokens`."""
    packed = sizes_for(draws, line_tokens)
    if packed.frame.tokens < pays_from(causal.config.to_dict()) or not serves(causal):
        return Shape(captured=packed if packed.frame.tokens <= MAX_GRAPH_TOKENS else None)
    if padded_share(draws) > MOST_PADDING or not lines_agree(causal):
        return Shape(end_to_end=True)
    lines = sizes_in_lines(draws)
    one_shape = padded_share(draws, lines) <= MOST_PADDING and lines.frame.tokens <= MAX_GRAPH_TOKENS
    return Shape(by_lines=True, captured=lines if one_shape else None)


def attention_for(config: Any, shape: Shape) -> AbstractContextManager[None]:
    """Within, passes of this shape are computed by the model of this configuration; backward passes belong within."""
    if shape.by_lines:
        return attention_by_lines(config)
    return attention_by_ends(config, active=shape.end_to_end)
