"""Rows of 20 to 900 tokens: the plan knows which of them meet in a pass, and no pass that is laid out has more."""

import random
from collections.abc import Iterator
from dataclasses import replace
from heapq import nlargest

import pytest
import torch

from tests.unit.train.planning.test_plan import GIB, QWEN_7B, WEIGHT_BYTES
from toolkit.train.passes.batch import TrainSequence, drawn, lay_out, share, sizes_for
from toolkit.train.passes.order import epoch_order, pass_row_tokens, random_pass
from toolkit.train.passes.packing import END_TO_END, LINE_TOKENS
from toolkit.train.planning.memory import Need, Split, bytes_needed, pass_tokens
from toolkit.train.planning.plan import plan
from toolkit.train.recipe import load_recipe

ROWS, BATCH, EPOCHS, SEED = 160, 20, 2, 42
QUESTIONS, QUESTION_TOKENS = 8, 123
MIN_TOKENS = 2048


def lengths(seed: int = 0) -> list[int]:
    """With a median of 150."""
    chance = random.Random(seed)
    return [min(max(round(150 * chance.lognormvariate(0, 0.8)), 20), 900) for _ in range(ROWS)]


def need(of: list[int], **changed: int) -> Need:
    recipe = load_recipe("general").changed(keep_weight=0, batch_size=BATCH, epochs=EPOCHS, seed=SEED)
    most = pass_row_tokens(of, BATCH, SEED, EPOCHS)
    return Need(
        recipe=recipe.changed(question_rows=QUESTIONS) if "question_tokens" in changed else recipe, config=QWEN_7B,
        longest_row_tokens=max(of), stored_bytes=WEIGHT_BYTES, batch_tokens=sum(nlargest(BATCH, of)),
        pass_row_tokens={int(rows): tokens for rows, tokens in most.items()}, **changed,
    )  # fmt: skip


def sequence(chance: random.Random, length: int) -> TrainSequence:
    ids = torch.tensor([chance.randrange(30_000) for _ in range(length)])
    return TrainSequence(ids=ids, positions=torch.arange(length // 2, length - 1), targets=ids[length // 2 + 1 :],
                         is_keep=False)  # fmt: skip


def passes(of: list[int], size: int) -> Iterator[list[int]]:
    for epoch in range(EPOCHS):
        order = epoch_order(ROWS, SEED, epoch).tolist()
        yield from (order[start : start + size] for start in range(0, ROWS, size))


def test_a_step_is_one_pass_where_its_rows_together_fit_though_as_many_of_the_longest_would_not():
    rows = need(lengths())
    unknown = replace(rows, pass_row_tokens={})

    whole, cut = plan(rows, 139 * GIB), plan(unknown, 139 * GIB)

    assert (whole.micro_batch_size, whole.accumulation_steps, whole.gradient_checkpointing) == (20, 1, False)
    assert (cut.micro_batch_size, cut.accumulation_steps, cut.gradient_checkpointing) == (10, 2, False)
    one_line = plan(replace(rows, one_line_from=MIN_TOKENS), 78 * GIB)
    assert (one_line.micro_batch_size, one_line.gradient_checkpointing) == (20, False)


def test_rows_of_one_length_are_planned_as_before():
    rows = need([400] * ROWS)

    for split in (Split(rows=size, checkpointing=False) for size in (1, 4, 20)):
        assert bytes_needed(rows, split) == bytes_needed(replace(rows, pass_row_tokens={}), split)


def test_where_rows_are_cut_shorter_they_count_as_at_most_so_long():
    rows = replace(need(lengths()), longest_row_tokens=30)

    assert pass_tokens(rows, BATCH) == pass_tokens(replace(rows, pass_row_tokens={}), BATCH)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [4, 20])
@pytest.mark.parametrize("cards", [1, 2, 3])
@pytest.mark.parametrize("questions", [0, QUESTIONS])
def test_no_pass_is_laid_out_with_more_tokens_than_planned(seed: int, size: int, cards: int, questions: int):
    of, chance = lengths(seed), random.Random(seed)
    rows = [sequence(chance, length) for length in of]
    beside = [sequence(chance, QUESTION_TOKENS - at) for at in range(questions * size // BATCH)]
    in_lines = need(of, cards=cards, **({"question_tokens": QUESTION_TOKENS} if questions else {}))
    in_one = replace(in_lines, one_line_from=1)

    def laid_out(line_tokens: int) -> int:
        batches = (
            lay_out(share([*(rows[at] for at in one), *beside], rank, cards), 0, line_tokens)
            for one in passes(of, size) for rank in range(cards)
        )  # fmt: skip
        return max(batch["ids"].numel() for batch in batches if batch is not None)

    lines, line = laid_out(LINE_TOKENS["cuda"]), laid_out(END_TO_END)
    draws = drawn(
        lambda chance: share([*(rows[at] for at in random_pass(ROWS, size, SEED, EPOCHS, chance)), *beside], 0, cards)
    )
    shape = sizes_for(draws, LINE_TOKENS["cuda"])
    assert max(lines, shape.frame.tokens) <= pass_tokens(in_lines, size)
    assert line <= pass_tokens(in_one, size)
    if (cards, questions) == (1, 0):  # rows of up to 512 tokens may take the places of questions
        assert pass_tokens(in_one, size) < 1.15 * line


def test_several_cards_need_room_for_a_share_each():
    rows = replace(need(lengths()), one_line_from=MIN_TOKENS)
    one, two = pass_tokens(rows, BATCH), pass_tokens(replace(rows, cards=2), BATCH)

    assert one / 2 < two < 0.75 * one
