"""Rows become sequences: which positions predict a trained token, and how they are laid out."""

import torch

from toolkit.data.encoding import IGNORED, Encoded
from toolkit.train.passes.batch import TrainSequence, count_positions, lay_out, row_sequence, share

ROW = Encoded(input_ids=[5, 6, 7, 8, 9], labels=[IGNORED, IGNORED, 7, IGNORED, 9])


def keep_sequence(tokens: int, states: int) -> TrainSequence:
    return TrainSequence(
        ids=torch.arange(tokens), positions=torch.arange(tokens - states, tokens), targets=torch.ones(states, 4),
        is_keep=True,
    )  # fmt: skip


def test_a_position_predicts_the_label_after_it():
    sequence = row_sequence(ROW)

    assert sequence.ids.tolist() == [5, 6, 7, 8, 9]
    assert (sequence.positions.tolist(), sequence.targets.tolist()) == ([1, 3], [7, 9])
    assert not sequence.is_keep


def test_a_row_without_trained_tokens_has_no_positions():
    assert count_positions([row_sequence(Encoded(input_ids=[1, 2], labels=[1, IGNORED]))]) == (0, 0)


def test_positions_are_counted_by_kind():
    assert count_positions([row_sequence(ROW), keep_sequence(6, 3), row_sequence(ROW)]) == (4, 3)


def test_a_batch_points_at_the_same_tokens_as_its_sequences():
    batch = lay_out([row_sequence(ROW), keep_sequence(6, 3)], 0, 128)

    assert batch is not None
    ids = batch["ids"].flatten()
    assert ids[batch["row_positions"]].tolist() == [6, 8]
    assert ids[batch["row_positions"] + 1].tolist() == batch["row_targets"].tolist() == [7, 9]
    assert ids[batch["keep_positions"]].tolist() == [3, 4, 5]
    assert (batch["keep_states"].shape, batch["keep_mask"].tolist()) == ((3, 4), [1, 1, 1])


def test_processes_share_rows_and_keep_rows_by_length_and_each_is_taken_once():
    rows = [row_sequence(Encoded(input_ids=[1] * length, labels=[1] * length)) for length in (9, 2, 7, 4, 5, 8)]
    every = [*rows, *(keep_sequence(length, 1) for length in (6, 3, 4, 5))]

    first, second = (share(every, rank, 2) for rank in range(2))

    assert [len(one.ids) for one in first] == [9, 4, 5, 4, 5]
    assert [len(one.ids) for one in second] == [2, 7, 8, 6, 3]
    assert {id(one) for one in first + second} == {id(one) for one in every}
    assert count_positions(first)[1] == count_positions(second)[1] == 2


def test_a_process_beyond_the_last_sequence_has_no_share():
    (row,) = every = [row_sequence(ROW)]

    assert [share(every, rank, 3) for rank in range(3)] == [[row], [], []]
