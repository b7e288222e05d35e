"""How the sequences of a training's passes lie, and whether passes have one shape, which is captured."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from toolkit.train.passes.batch import Sizes, TrainSequence, padded_share, sizes_for, sizes_in_lines
from toolkit.train.passes.end_to_end import MAX_GRAPH_TOKENS, pays_from, serves
from toolkit.train.passes.lines import attention_by_lines, lines_agree

MOST_PADDING = 0.02  # of a pass's tokens; captured, a line for each sequence takes a tenth less time than by ends


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`long`: no pass has a mask. Every sequence is in one line, and attention is by their ends; in captured passes
    each has a line of its own, and attention is causal. Else several are in a line, which has a mask.

    `captured`: the sizes of a pass, if a graph of it pays.
    """

    long: bool = False
    captured: Sizes | None = None


def choose_shape(
    causal: Any, draws: Sequence[Sequence[TrainSequence]], line_tokens: int, longest: Callable[[], int], *,
    evaluates: bool,
) -> Shape:  # fmt: skip
    """For passes like those in `draws` of this loaded causal language model; lines of several have `line_tokens`.

    `longest`: the tokens of the longest sequence that may come. `evaluates`: whether the model is asked or evaluated
    during the training; the plan counts the memory of that instead of a long pass's, which a graph would keep.
    """
    if not (draws := [one for one in draws if one]):  # a process that has a share of few passes
        return Shape()
    packed = sizes_for(draws, line_tokens)
    if packed.frame.tokens < pays_from(causal.config.to_dict()) or not serves(causal):
        return Shape(captured=packed if packed.frame.tokens <= MAX_GRAPH_TOKENS else None)
    if evaluates:
        return Shape(long=True)
    # A pass that does not fit would need memory beside the graph's: so all rows of the training fit, not the drawn.
    lines = sizes_in_lines(draws, longest())
    pays = lines.frame.tokens <= MAX_GRAPH_TOKENS and padded_share(draws, lines) <= MOST_PADDING
    return Shape(long=True, captured=lines if pays and lines_agree(causal, lines.frame.width) else None)


def attention_captured(config: Any, shape: Shape) -> AbstractContextManager[None]:
    """Within, the model of this configuration computes captured passes; the backward pass belongs within."""
    return attention_by_lines(config) if shape.long else nullcontext()
