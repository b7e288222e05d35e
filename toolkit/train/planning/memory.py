"""The memory that a training takes of each card: an upper bound, computed before anything is loaded. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.model.decoding.answer_memory import token_bytes
from toolkit.model.families.family import family_of
from toolkit.model.families.sizes import (
    ELEMENT_BYTES,
    embedding_bytes,
    linear_layers,
    lora_parameters,
    weight_bytes_in_4bit,
    weight_bytes_loaded,
)
from toolkit.train.recipe import Recipe, first_adapted

# Bytes per token, layer and hidden unit that are stored for the backward pass, in bfloat16.
ADAPTED_BYTES = 72  # of a layer with an adapter
PASSED_BYTES = 50  # of a layer above the adapters, which gradients pass through
DROPOUT_BYTES = 12  # added by dropout in an adapter: about 1 GiB was measured for 900 tokens
CHECKPOINT_BYTES = 2  # with checkpointing: only a layer's input
STREAM_BYTES = 2  # added in float16, whose residual stream is float32, for each copy of it that is stored
NORMS = 2  # in a layer: each stores its input
SCORE_BYTES = 8  # per score of a layer, where attention is eager: capped 2, softmax in float32 4, rounded 2
LOGIT_BYTES = 12  # per position and vocabulary entry: logits, their float32 copy, their gradient
POSITIONS = 256  # whose logits exist at once; with a keep term the base's are added
EVALUATED_BYTES = 10  # the same without gradients; ms-swift evaluates padded rows, at every position
ADAPTER_BYTES = 16  # per parameter: itself, its gradient, Adam's two moments, in float32
RESERVE_BYTES = 1_200_000_000  # for fragments, workspaces, masks, the base's answers to the keep prompts
LINE_TOKENS = 512  # rows are packed into lines of this length (see train/passes/packing.py)
FILLING_TOKENS = 512  # no longer row takes the place of a question: two such rows a pass might not fit
SLACK_PERCENT = 110  # for unused tokens at the end of lines, and in a shape that all passes share
ALIGNMENT = 8
GATHERED_LAYERS = 3  # of a shared base: the one at work, the next one, and a copy while one is put together


@dataclass(frozen=True, kw_only=True)
class Need:
    """What determines a training's memory. `stored_bytes`: the size of the base model's weight files.

    `batch_tokens`: the most that any rows of a step's number have together; None if unknown, then each counts as the
    longest. `pass_row_tokens`: the most that the rows of a pass of this training have together, by their number; empty
    if unknown.
    `mean_keep_tokens`, `mean_near_tokens`: the average length of a keep row, and of one near the rows; they are drawn
    at random, so steps have about equally many. `question_tokens`: the longest question in scope, with its answer.
    `one_line_from`: of so many tokens a pass is a single line, which ends with its last row; None: no pass is.
    `cards`: each computes its share of a pass. `shared`: each holds a part of every layer of the base model
    (`toolkit.model.cards.shares`).
    """

    recipe: Recipe
    config: Mapping[str, Any]
    longest_row_tokens: int
    stored_bytes: int
    batch_tokens: int | None = None
    pass_row_tokens: Mapping[int, int] = field(default_factory=dict)
    precision: str = "bfloat16"
    mean_keep_tokens: int = 0
    mean_near_tokens: int = 0
    question_tokens: int = 0
    thought_tokens: int = 0  # of a row with a thought that the base model wrote
    one_line_from: int | None = None
    cards: int = 1
    shared: bool = False

    @property
    def weight_bytes(self) -> int:
        if self.recipe.load_in_4bit:
            return weight_bytes_in_4bit(self.config, self.precision)
        return weight_bytes_loaded(self.config, self.stored_bytes, self.precision)


@dataclass(frozen=True, kw_only=True)
class Split:
    """How a step is computed: `rows` of its batch at a time, on all cards together.

    `positions`: whose logits exist at once. `on_host`: the embedding stays in the host's memory.
    """

    rows: int
    checkpointing: bool
    positions: int = POSITIONS
    on_host: bool = False


def bytes_needed(need: Need, split: Split) -> int:
    """The most that a card must provide, weights included."""
    recipe, config = need.recipe, need.config
    wide = ELEMENT_BYTES[need.precision] / ELEMENT_BYTES["bfloat16"]
    positions = split.positions * (2 if recipe.keep_weight else 1)
    step = pass_tokens(need, split.rows) * _backward_bytes(need, checkpointing=split.checkpointing) * wide
    step += positions * int(config["vocab_size"]) * LOGIT_BYTES
    step += _score_bytes(need, split)
    evaluation = split.rows * need.longest_row_tokens * int(config["vocab_size"]) * EVALUATED_BYTES * wide
    weights = weights_on_card(need, split)
    return math.ceil(weights + _fixed_bytes(need) + max(step, evaluation if recipe.eval_split else 0))


def weights_on_card(need: Need, split: Split) -> int:
    """In bytes."""
    if need.shared:
        tables = embedding_bytes(need.config, need.precision) * (1 if need.config.get("tie_word_embeddings") else 2)
        layers = need.weight_bytes - tables
        return math.ceil(tables + layers * (1 / need.cards + GATHERED_LAYERS / int(need.config["num_hidden_layers"])))
    return need.weight_bytes - (embedding_bytes(need.config, need.precision) if split.on_host else 0)


def answer_tokens(need: Need, split: Split, memory_bytes: int) -> int:
    """How many tokens the base model may read and write at once, in the room that training takes beside the weights."""
    room = memory_bytes - weights_on_card(need, split)
    return max(1, room // token_bytes(need.config, ELEMENT_BYTES[need.precision]))


def pass_tokens(need: Need, rows: int) -> int:
    """The most tokens of a card's share of a pass, with those unused at the ends of a few longer lines or of more."""
    return _pass_shape(need, rows)[0]


def _pass_shape(need: Need, rows: int) -> tuple[int, int]:
    """`pass_tokens`, and how wide lines are before tokens that are left over widen them."""
    recipe, longest = need.recipe, max(need.longest_row_tokens, 1)
    rows, known = -(-rows // need.cards), need.pass_row_tokens.get(rows)
    width = max(LINE_TOKENS, -(-longest // ALIGNMENT) * ALIGNMENT)
    in_keep_rows = _share(recipe.keep_rows, need, rows) * need.mean_keep_tokens if recipe.keep_weight else 0
    if recipe.keep_weight:
        near_tokens = max(need.mean_near_tokens, need.mean_keep_tokens)  # keep rows take the place of missing ones
        in_keep_rows += _share(recipe.near_rows, need, rows) * near_tokens
    in_rows = _most_tokens(need, rows, longest)
    if known is not None:
        # Dealt by length, the largest share of several cards is above the smallest by at most the longest of a pass.
        above = (need.cards - 1) * max(longest, need.question_tokens, need.thought_tokens)
        in_rows = min(in_rows, -(-(known + above) // need.cards))
    if questions := _share(recipe.question_rows, need, rows):
        filling = _most_tokens(need, questions, min(longest, FILLING_TOKENS))
        in_rows += max(questions * need.question_tokens, filling)
        rows, longest = rows + questions, max(longest, need.question_tokens)
        width = max(width, -(-longest // ALIGNMENT) * ALIGNMENT)
    if need.thought_tokens and (thoughts := _share(recipe.thought_rows, need, rows)):
        in_rows += thoughts * need.thought_tokens
        rows, longest = rows + thoughts, max(longest, need.thought_tokens)
        width = max(width, -(-longest // ALIGNMENT) * ALIGNMENT)
    every = in_rows + in_keep_rows
    lines = 1 if need.one_line_from is not None and every >= need.one_line_from else every // width
    few = every + (lines * (longest + ALIGNMENT) if lines > 1 else ALIGNMENT)
    more = -(-rows * width // (width // longest)) + in_keep_rows
    return -(-min(few, more) * SLACK_PERCENT // 100), width


def _share(count: int, need: Need, rows: int) -> int:
    """How many of a step's `count` rows a pass has beside `rows` of its batch."""
    return -(-count * rows // need.recipe.batch_size)


def _most_tokens(need: Need, rows: int, longest: int) -> int:
    """The most tokens of `rows` rows of the data set, each of at most `longest`."""
    batches = -(-rows // need.recipe.batch_size)
    return rows * longest if need.batch_tokens is None else min(rows * longest, batches * need.batch_tokens)


def _backward_bytes(need: Need, *, checkpointing: bool) -> int:
    """Stored for the backward pass per token, over all layers; nothing below the lowest layer with an adapter."""
    recipe, config = need.recipe, need.config
    stream = STREAM_BYTES if need.precision == "float16" else 0
    layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
    first = first_adapted(recipe, layers)
    adapted = ADAPTED_BYTES + NORMS * stream + (DROPOUT_BYTES if recipe.lora_dropout else 0)
    if checkpointing:  # … and the one layer that is being recomputed
        return hidden * (layers * (CHECKPOINT_BYTES + stream) + adapted)
    return hidden * ((layers - 2 * first) * adapted + first * (PASSED_BYTES + NORMS * stream))


def _score_bytes(need: Need, split: Split) -> int:
    """Of attention that computes every score of a line (`eager`); torch's kernels keep none.

    Stored in every layer that gradients pass through, and once more for those of the layer that is at work.
    """
    config = need.config
    if not family_of(config).eager:
        return 0
    tokens, width = _pass_shape(need, split.rows)
    line = -(-tokens // max(1, tokens // width))
    layers = int(config["num_hidden_layers"])
    stored = 1 if split.checkpointing else layers - first_adapted(need.recipe, layers)
    return (stored + 1) * tokens * line * int(config["num_attention_heads"]) * SCORE_BYTES


def _fixed_bytes(need: Need) -> int:
    """Independent of the rows: the adapter, a reserve, and for 4-bit weights the largest matrix dequantised, twice."""
    config, layers = need.config, int(need.config["num_hidden_layers"])
    adapted = (layers - 2 * first_adapted(need.recipe, layers)) / layers
    adapter = adapted * lora_parameters(config, need.recipe.lora_rank) * ADAPTER_BYTES
    largest = max(a * b for a, b in linear_layers(config)) * ELEMENT_BYTES[need.precision]
    return RESERVE_BYTES + math.ceil(adapter) + (2 * largest if need.recipe.load_in_4bit else 0)
