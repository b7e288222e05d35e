"""How many answers are generated at once."""

import pytest

from toolkit.model.decoding.answer_memory import batches, rows_that_fit, token_bytes

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
