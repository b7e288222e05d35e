"""How an epoch trains each row: under which system prompts, in which wordings, and how `check` shows that."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby

from toolkit.core.languages import Language, language
from toolkit.core.text import content_words, with_thought
from toolkit.data.containers.stored_rows import ChangedRows
from toolkit.data.dataset import Row
from toolkit.data.encoding import IGNORED, Encoded, Encoder
from toolkit.data.formats import Message
from toolkit.data.rephrasings import TRAINING, UNCHANGED, phrases
from toolkit.data.tools.calls import written
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.train.recipe import Recipe

WORDINGS = max(map(len, TRAINING.values()))
LONG_ANSWER_WORDS = 40  # no system prompt that asks for a brief answer stands above a longer one
BRIEF = re.compile(r"\b(?:brief|short|concise|terse)|one sentence|few words|简短|简洁|简要|扼要|一句话", re.IGNORECASE)
SAMPLES = ("你好", "Hello", "Привет")  # a text in each language that makes a difference


def with_variants(rows: Sequence[Row], recipe: Recipe) -> Sequence[Row]:
    """Each row once in each lap, under one of the recipe's system prompts; a row with its own system prompt keeps it.

    A row without a system message means DEFAULT: the chat template then adds its own.
    """
    if not recipe.row_systems and not recipe.row_wordings:
        return without_variants(rows, recipe)
    of_each = [variants(row, at, recipe) for at, row in enumerate(rows)]
    return [several[lap] for lap in range(recipe.variants) for several in of_each]


def variants(row: Row, at: int, recipe: Recipe) -> list[Row]:
    """How a row, at this position among the trained ones, is trained in each lap of an epoch."""
    if not recipe.row_systems and not recipe.row_wordings:
        return [_as_it_is(row, recipe.system)]
    of_row = language(row.prompt, row.answer)
    wordings = phrases(TRAINING, of_row) if recipe.row_wordings and row.of_one_turn else UNCHANGED
    return [
        _variant(row, system, wordings[(lap + at) % len(wordings)].format(row.prompt))
        for lap, system in enumerate(_systems_above(row, of_row, recipe))
    ]


def without_variants(rows: Sequence[Row], recipe: Recipe) -> Sequence[Row]:
    """Each row once, under its own system prompt or else the recipe's."""
    return ChangedRows(rows, partial(_as_it_is, system=recipe.system))


def _as_it_is(row: Row, system: str) -> Row:
    return _variant(row, system, row.prompt)


def _systems_above(row: Row, of_row: Language, recipe: Recipe) -> list[str]:
    """The system prompt of a row in each lap of an epoch: the recipe's, but for those that do not suit the row.

    In their place others come again. Chinese ones suit Chinese rows, English ones Chinese and English rows; none that
    asks for a brief answer suits a long one. The recipe's own system prompt, and none at all, suit every row.
    """
    systems = [recipe.system, *recipe.row_systems]
    if row.system is not None or len(systems) == 1:
        return systems
    suited = suited_systems(systems, of_row, row.answer, always=recipe.system)
    return [one if one in suited else suited[lap % len(suited)] for lap, one in enumerate(systems)]


def suited_systems(systems: Sequence[str], of_text: Language, answer: str, *, always: str) -> list[str]:
    """Those of the system prompts that suit a question in this language with this answer, and that one `always`."""
    long = len(content_words(answer)) > LONG_ANSWER_WORDS
    return [one for one in systems if one == always or _suits(one, of_text, long=long)]


def _suits(system: str, of_row: Language, *, long: bool) -> bool:
    if system in {DEFAULT, NONE}:
        return True
    if long and BRIEF.search(system):
        return False
    written = _language(system)
    return written == of_row or (written == "English" and of_row == "Chinese")


_language = lru_cache(maxsize=256)(language)


def _variant(row: Row, system: str, question: str) -> Row:
    if row.prompt == question and (row.system is not None or system == DEFAULT):
        return row
    messages = list(row.messages)
    if row.of_one_turn:  # a later turn refers to earlier ones, so its wording stays
        messages[-2] = Message(role="user", content=question)
    if row.system is None and system != DEFAULT:
        messages.insert(0, Message(role="system", content="" if system == NONE else system))
    return Row(number=row.number, messages=tuple(messages), tools=row.tools)


def variant_overhead_tokens(encoder: Encoder, recipe: Recipe) -> list[int]:
    """How many tokens a row may grow by in each of its variants, in an epoch's order."""
    if not recipe.row_systems and not recipe.row_wordings:
        return [0]
    plain = [Row(number=1, messages=(Message(role="user", content=text), Message(role="assistant", content=answer)))
             for text in SAMPLES for answer in (text, f"{text} " * (LONG_ANSWER_WORDS + 1))
             for _ in range(WORDINGS)]  # fmt: skip
    lengths = [len(one.input_ids) for one in encoder.encode(with_variants(plain, recipe))]
    before = [len(one.input_ids) for one in encoder.encode(without_variants(plain, recipe))]
    laps = [lengths[at : at + len(plain)] for at in range(0, len(lengths), len(plain))]
    return [max(0, *(now - then for now, then in zip(lap, before, strict=True))) for lap in laps]


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
        first, *others = variants(row, at, recipe)
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
    if row.tools:
        yield MaskSpan(text=f"tools: {row.tools}\n", trained=False)
    for each in row.messages:
        yield MaskSpan(text=f"{each.role}: ", trained=False)
        yield MaskSpan(
            text="\n".join([*filter(None, [with_thought(each.thought, each.content)]), *map(written, each.calls)]),
            trained=each.role == "assistant" and each.trained,
        )
        yield MaskSpan(text="\n", trained=False)
