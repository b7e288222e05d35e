"""How many answers are generated at once."""

import pytest

from toolkit.model.decoding.answer_memory import (
    BATCH_TOKENS,
    MOST_ROWS,
    READ_TOKENS,
    batches,
    cached_bytes,
    even_batches,
    filled_rows,
    rows_of_shape,
    rows_that_fit,
    token_bytes,
    tokens_of_shape,
)

SEVEN_B = {
    "hidden_size": 3584, "intermediate_size": 18_944, "num_attention_heads": 28, "num_key_value_heads": 4,
    "num_hidden_layers": 28, "vocab_size": 152_064,
}  # fmt: skip
GIB = 2**30


def test_keys_values_and_a_layers_states_are_counted():
    keys_and_values = 2 * 28 * 4 * 128 * 2  # bytes in bfloat16

    assert token_bytes(SEVEN_B, 2) > 2 * keys_and_values
    assert token_bytes(SEVEN_B, 4) == 2 * token_bytes(SEVEN_B, 2)
    without_groups = {name: value for name, value in SEVEN_B.items() if name != "num_key_value_heads"}
    assert token_bytes(without_groups, 2) > token_bytes(SEVEN_B, 2)


def test_half_the_memory_has_room_for_half_the_rows_and_one_row_is_always_tried():
    full = rows_that_fit(SEVEN_B, 2, tokens=128, free_bytes=60 * GIB)

    assert full > 256
    assert rows_that_fit(SEVEN_B, 2, tokens=128, free_bytes=30 * GIB) == pytest.approx(full / 2, abs=1)
    assert rows_that_fit(SEVEN_B, 2, tokens=128, free_bytes=0) == 1
    assert rows_that_fit(SEVEN_B, 2, tokens=128, free_bytes=-GIB) == 1


def test_without_a_limit_of_memory_all_batches_but_the_last_are_full():
    assert list(batches([5] * 7, range(7), most=3, fitting=None)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches([], [], most=3, fitting=None)) == []


def test_a_batch_has_as_many_rows_as_its_longest_leaves_room_for():
    lengths = [100, 50, 10, 10, 10, 10, 10, 10]

    found = list(batches(lengths, range(8), most=4, fitting=lambda tokens: 100 // tokens))

    assert found == [[0], [1, 2], [3, 4, 5, 6], [7]]


def test_a_longer_row_closes_the_batch_before_it():
    assert list(batches([10, 10, 60], range(3), most=9, fitting=lambda tokens: 100 // tokens)) == [[0, 1], [2]]


def test_a_shape_has_room_for_the_batch_and_rows_that_fit_fill_one():
    assert [rows_of_shape(rows) for rows in (1, 4, 5, 65, 256, 257, 1024, 1025)] == [
        4,
        4,
        16,
        128,
        256,
        512,
        1024,
        None,
    ]
    assert [tokens_of_shape(tokens) for tokens in (1, 256, 257, 512, 3000)] == [256, 256, 512, 512, 4096]
    assert [filled_rows(rows) for rows in (1, 3, 4, 63, 98, 5000)] == [1, 1, 4, 16, 64, 1024]
    assert all(rows_of_shape(filled_rows(rows)) <= max(rows, 4) for rows in range(1, 1025))


def test_a_static_cache_counts_with_the_room_of_its_shape():
    free = 60 * GIB

    assert rows_that_fit(SEVEN_B, 2, tokens=257, free_bytes=free, static=True) * cached_bytes(SEVEN_B, 2) * 512 < free
    # A growing cache is copied: it counts twice, as much as a shape of twice the tokens.
    for tokens in (256, 512):
        rows = rows_that_fit(SEVEN_B, 2, tokens=tokens, free_bytes=free)
        assert rows < rows_that_fit(SEVEN_B, 2, tokens=tokens, free_bytes=free, static=True)


def padding(lengths: list[int], parts: list[list[int]]) -> int:
    return sum(max(lengths[at] for at in part) - lengths[one] for part in parts for one in part)


def test_on_a_cpu_a_few_long_prompts_do_not_lengthen_many_short_ones():
    lengths = [30] * 20 + [140, 150] + [31] * 20

    found = even_batches(lengths, range(42), fewest=24)

    assert found[0] == [21, 20]
    assert [len(part) for part in found] == [2, 40]
    assert padding(lengths, found) == 10 + 20


def test_on_a_cpu_a_little_padding_is_less_than_another_batch():
    lengths = [60, 50, *[40] * 20]

    assert even_batches(lengths, range(22), fewest=24) == [list(range(22))]
    assert padding(lengths, [list(range(22))]) < BATCH_TOKENS


def test_on_a_cpu_batches_have_the_fewest_rows_and_more_where_prompts_are_short():
    assert [len(part) for part in even_batches([5000] * 50, range(50), fewest=24)] == [24, 24, 2]
    assert [len(part) for part in even_batches([100] * 50, range(50), fewest=24)] == [READ_TOKENS // 100, 10]
    assert [len(part) for part in even_batches([5] * 100, range(100), fewest=24)] == [MOST_ROWS, 4]


def test_on_a_cpu_only_what_is_asked_for_is_put_into_batches_once():
    lengths = [9, 200, 7, 90, 8, 300, 1]

    found = even_batches(lengths, [1, 3, 4, 6], fewest=2)

    assert sorted(one for part in found for one in part) == [1, 3, 4, 6]
    assert even_batches(lengths, [], fewest=2) == []
