"""Shows rows as an epoch trains them: their system prompts and wordings, and which of their tokens are trained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from toolkit.data.dataset import Row
from toolkit.data.encoding import IGNORED, Encoded, Encoder
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.train.recipe import Recipe
from toolkit.train.rows import variant


@dataclass(frozen=True, kw_only=True)
class MaskSpan:
    """A stretch of a row's text in which all tokens are trained on, or none."""

    text: str
    trained: bool


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Another way in which an epoch trains a row: under this system prompt, with the question in this wording."""

    system: str
    question: str


@dataclass(frozen=True, kw_only=True)
class Preview:
    """`pieces`: the row as an epoch first trains it; `variants`: how it does further on."""

    row: int
    pieces: tuple[MaskSpan, ...]
    variants: tuple[Variant, ...] = ()


def previews(encoder: Encoder | None, rows: Sequence[Row], recipe: Recipe, count: int) -> Iterator[Preview]:
    """Of the first `count` of the trained rows; without an encoder, by roles."""
    for at, row in enumerate(rows[:count]):
        first, *others = (variant(row, at, lap, recipe) for lap in range(recipe.variants))
        pieces = _pieces_by_role(first) if encoder is None else _pieces(encoder, encoder.encode([first])[0])
        yield Preview(
            row=row.number,
            pieces=tuple(pieces),
            variants=tuple(Variant(system=_named(one.system), question=one.prompt) for one in others),
        )


def _named(system: str | None) -> str:
    """As recipes and options name it."""
    return DEFAULT if system is None else system or NONE


def _pieces(encoder: Encoder, encoded: Encoded) -> Iterator[MaskSpan]:
    tokens = zip(encoded.input_ids, encoded.labels, strict=True)
    for trained, run in groupby(tokens, key=lambda token: token[1] != IGNORED):
        yield MaskSpan(text=encoder.decode([token for token, _ in run]), trained=trained)


def _pieces_by_role(row: Row) -> Iterator[MaskSpan]:
    """The mask by roles, for when no tokenizer can show it by tokens."""
    for each in row.messages:
        yield MaskSpan(text=f"{each.role}: ", trained=False)
        yield MaskSpan(text=each.content, trained=each.role == "assistant" and each.trained)
        yield MaskSpan(text="\n", trained=False)
