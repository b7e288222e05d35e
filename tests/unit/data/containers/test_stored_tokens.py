"""Tokens in a store are those that were put into it."""

import pickle

import pytest

from toolkit.data.containers.stored_tokens import StoredTokens
from toolkit.data.encoding import IGNORED, Encoded

ROWS = [
    Encoded(input_ids=[1, 2, 70_000], labels=[IGNORED, 2, 70_000]),
    Encoded(input_ids=[5], labels=[IGNORED]),
    Encoded(input_ids=[], labels=[]),
    Encoded(input_ids=[8, 9], labels=[8, IGNORED]),
]


def as_lists(rows: StoredTokens) -> list[tuple[list[int], list[int]]]:
    return [(list(one.input_ids), list(one.labels)) for one in rows]


def test_rows_come_back_with_their_lengths_and_whether_anything_is_trained():
    tokens = StoredTokens(ROWS)

    assert as_lists(tokens) == [(one.input_ids, one.labels) for one in ROWS]
    assert (list(tokens.lengths), list(map(bool, tokens.trained))) == ([3, 1, 0, 2], [True, False, False, True])


@pytest.mark.parametrize("at", [0, 2, 4])
def test_those_of_another_store_follow(at: int):
    tokens = StoredTokens(ROWS[:at])

    tokens.extend(pickle.loads(pickle.dumps(StoredTokens(ROWS[at:]))))

    assert as_lists(tokens) == as_lists(StoredTokens(ROWS))
    assert (tokens.lengths, tokens.trained) == (StoredTokens(ROWS).lengths, StoredTokens(ROWS).trained)


def test_some_are_chosen_and_copies_are_the_same():
    some = StoredTokens(ROWS).chosen([3, 0])

    assert as_lists(some) == [(one.input_ids, one.labels) for one in (ROWS[3], ROWS[0])]
    assert as_lists(pickle.loads(pickle.dumps(some))) == as_lists(some)
    assert (list(some.lengths), list(some.trained)) == ([2, 3], [1, 1])
