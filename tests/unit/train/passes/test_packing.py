"""Packed sequences: laid out without padding between them, and each seeing itself alone."""

from typing import Any

import pytest
import torch

from toolkit.train.passes.batch import Batch, Sizes, TrainSequence, lay_out_split
from toolkit.train.passes.packing import (
    LINE_TOKENS,
    Frame,
    Packed,
    Sequences,
    frame_for,
    pack,
    share_prefixes,
    visibility_mask,
)

LINE = LINE_TOKENS["cpu"]


def sequences(*lengths: int) -> list[torch.Tensor]:
    return [torch.arange(length) + 100 * number for number, length in enumerate(lengths, start=1)]


def alone(*lengths: int) -> Sequences:
    return Sequences(ids=sequences(*lengths), prefixes=[None] * len(lengths), prefix_tokens=[])


def packed_in_little(given: Sequences, line_tokens: int = LINE) -> Packed:
    packed = pack(given, 0, frame_for([given], line_tokens))
    assert packed is not None
    return packed


def laid(*lengths: int) -> Packed:
    return packed_in_little(alone(*lengths))


def lay_out(packed: Packed, at: int, length: int) -> list[int]:
    return packed.ids.flatten()[packed.starts[at] : packed.starts[at] + length].tolist()


@pytest.mark.parametrize("lengths", [(1,), (3, 5, 2), (LINE, 1), (LINE + 9, 90, 90, 12), (7,) * 200])
def test_every_sequence_lies_whole_where_it_is_said_to_begin(lengths: tuple[int, ...]):
    packed = laid(*lengths)

    for at, one in enumerate(sequences(*lengths)):
        assert lay_out(packed, at, len(one)) == one.tolist()
        assert packed.positions.flatten()[packed.starts[at] : packed.starts[at] + len(one)].tolist() == list(
            range(len(one))
        )


def test_short_sequences_share_a_line_and_little_is_left_over():
    assert laid(*[60] * 64).ids.shape == (32, 120)
    assert laid(30, 25).ids.shape == (1, 56)
    assert laid(90, 90, 90).ids.shape == (3, 96)  # two lines of 184 would be more


def test_a_sequence_longer_than_a_line_makes_lines_longer_and_fewer():
    assert laid(LINE + 100, 20).ids.shape == (1, 248)
    assert laid(8 * LINE, *[100] * 20).ids.shape == (2, 1528)
    assert laid(8 * LINE, *[8 * LINE - 8] * 3).ids.shape == (4, 8 * LINE)


def test_in_a_frame_everything_has_the_frames_shape():
    packed = pack(alone(2, 9), 0, Frame(lines=3, width=16))

    assert packed is not None
    assert packed.ids.shape == packed.owner.shape == packed.positions.shape == (3, 16)
    assert visibility_mask(packed.owner, packed.prefix)[:, 0].any(-1).all()


@pytest.mark.parametrize("lengths", [(17,), (16, 1), (9, 9)])
def test_what_does_not_fit_into_a_frame_is_not_laid_out(lengths):
    assert pack(alone(*lengths), 0, Frame(lines=1, width=16)) is None


def test_a_frame_holds_what_it_was_made_for_and_leaves_little_over():
    assert frame_for([alone(30, 20), alone(41, 10)], LINE) == Frame(lines=1, width=56)
    assert frame_for([alone(LINE, 3, LINE), alone(*[7] * 30)], LINE) == Frame(lines=2, width=136)
    assert frame_for([alone(LINE + 9, 200, 300), alone(1)], LINE) == Frame(lines=2, width=344)
    assert frame_for([alone(90, 90, 90), alone(100, 100)], LINE) == Frame(lines=3, width=104)


def test_a_token_sees_its_own_sequence_up_to_itself():
    packed = laid(2, 3)
    first, second = packed.starts

    sees = visibility_mask(packed.owner, packed.prefix)[0, 0]
    assert sees[first + 1].nonzero()[:, 0].tolist() == [first, first + 1]
    assert sees[second].nonzero()[:, 0].tolist() == [second]
    assert sees.any(-1).all()  # what is left over too: a row that sees nothing is no number


def sequence(length: int, *, is_keep: bool) -> TrainSequence:
    positions = torch.arange(length - 2, length)
    return TrainSequence(
        ids=torch.arange(length) + 100 * is_keep, positions=positions, is_keep=is_keep,
        targets=torch.zeros(2, 4) if is_keep else positions,
    )  # fmt: skip


def parts(*given: TrainSequence, width: int) -> list[Batch] | None:
    sizes = Sizes(frame=Frame(lines=1, width=width), row_positions=8, keep_positions=8)
    return lay_out_split(given, 0, LINE, sizes)


def test_what_does_not_fit_is_laid_out_in_parts_of_both_kinds():
    rows, keep = [sequence(3, is_keep=False)] * 4, [sequence(3, is_keep=True)] * 4

    found = parts(*rows, *keep, width=16)

    assert found is not None
    assert len(found) == 2
    assert found[0].keys() == found[1].keys()
    assert [len(one["row_targets"]) for one in found] == [len(one["keep_mask"]) for one in found] == [4, 4]


def test_nothing_is_laid_out_in_parts_where_a_piece_is_too_long_or_a_part_would_lack_a_kind():
    assert parts(sequence(17, is_keep=False), width=16) is None
    assert parts(sequence(9, is_keep=False), sequence(9, is_keep=True), width=16) is None


SYSTEM, OTHER = list(range(40, 52)), list(range(60, 72))


def begun(*sequences: list[int]) -> list[torch.Tensor]:
    return [torch.tensor(one) for one in sequences]


def test_what_sequences_begin_with_is_there_once():
    asked = begun([*SYSTEM, 1, 2], [*OTHER, 3], [*SYSTEM, 1, 4, 5], [7, 8], [*OTHER, 6, 6])

    packed = packed_in_little(share_prefixes(asked, [len(one) - 1 for one in asked]))

    assert packed is not None
    there = packed.ids.flatten().tolist()
    assert (there.count(SYSTEM[0]), there.count(OTHER[0])) == (1, 1)
    assert (packed.owner != -1).sum() == 13 + 1 + 2 + 12 + 1 + 2 + 2  # the 1 behind SYSTEM is shared too
    for start, one in zip(packed.starts, asked, strict=True):
        assert there[start + len(one) - 1] == one[-1]


def test_what_is_asked_for_is_never_shared():
    asked = begun([*SYSTEM, 1, 2], [*SYSTEM, 1, 2], [*SYSTEM, 9])

    found = share_prefixes(asked, [13, 3, 12])

    assert found.prefixes == [0, None, 0]
    assert found.prefix_tokens == [12]


def test_a_few_tokens_in_common_part_no_larger_group():
    found = share_prefixes(begun(*[[*SYSTEM, 1, number] for number in range(5)], [*SYSTEM[:7], 99, 98]), [12] * 5 + [9])

    assert found.prefixes == [0] * 5 + [None]


def model() -> Any:
    from transformers import Qwen2Config, Qwen2Model

    torch.manual_seed(0)
    return Qwen2Model(
        Qwen2Config(
            vocab_size=500, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=64,
        )
    ).eval()  # fmt: skip


def found_by(model: Any, packed: Packed) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(
            input_ids=packed.ids, attention_mask=visibility_mask(packed.owner, packed.prefix),
            position_ids=packed.positions,
        ).last_hidden_state.flatten(0, 1)  # fmt: skip
    return found


def test_a_model_finds_in_a_line_what_it_finds_in_each_sequence_alone():
    asked = [
        *sequences(5, 9, 2),
        *begun([*SYSTEM, 1, 2], [*SYSTEM, 3], [*SYSTEM, *SYSTEM, 4], [*OTHER, 5], [*OTHER, 6]),
    ]
    most = [len(one) - 2 for one in asked]
    qwen, packed = model(), packed_in_little(share_prefixes(asked, most), 24)

    assert packed is not None
    assert len(packed.ids) > 1
    together = found_by(qwen, packed)
    for start, one, shared in zip(packed.starts, asked, most, strict=True):
        with torch.no_grad():
            alone = qwen(input_ids=one[None]).last_hidden_state[0]
        torch.testing.assert_close(together[start + shared : start + len(one)], alone[shared:], atol=1e-5, rtol=1e-5)
