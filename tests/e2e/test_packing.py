"""Packed sequences: laid out without padding between them, and each seeing itself alone."""

import pytest
import torch

from toolkit.swift.packing import LINE_TOKENS, Frame, Packed, frame_for, pack, who_sees_whom

LINE = LINE_TOKENS["cpu"]


def sequences(*lengths: int) -> list[torch.Tensor]:
    return [torch.arange(length) + 100 * number for number, length in enumerate(lengths, start=1)]


def laid(*lengths: int) -> Packed:
    packed = pack(sequences(*lengths), 0, line_tokens=LINE)
    assert packed is not None
    return packed


def laid_out(packed: Packed, at: int, length: int) -> list[int]:
    return packed.ids.flatten()[packed.starts[at] : packed.starts[at] + length].tolist()


@pytest.mark.parametrize("lengths", [(1,), (3, 5, 2), (LINE, 1), (LINE + 9, 90, 90, 12), (7,) * 200])
def test_every_sequence_lies_whole_where_it_is_said_to_begin(lengths: tuple[int, ...]):
    packed = laid(*lengths)

    for at, one in enumerate(sequences(*lengths)):
        assert laid_out(packed, at, len(one)) == one.tolist()
        assert packed.positions.flatten()[packed.starts[at] : packed.starts[at] + len(one)].tolist() == list(
            range(len(one))
        )


def test_short_sequences_share_a_line_and_little_is_left_over():
    packed = laid(*[60] * 64)

    assert packed.ids.shape == (32, 120)


def test_a_sequence_longer_than_a_line_has_one_of_its_own():
    packed = laid(LINE + 100, 20)

    assert packed.ids.shape == (2, 232)  # 228, in pieces of 8


def test_in_a_frame_everything_has_the_frames_shape():
    packed = pack(sequences(2, 9), 0, line_tokens=LINE, frame=Frame(lines=3, width=16))

    assert packed is not None
    assert packed.ids.shape == packed.owner.shape == packed.positions.shape == (3, 16)
    assert who_sees_whom(packed.owner)[:, 0].any(-1).all()


@pytest.mark.parametrize("lengths", [(17,), (16, 1), (9, 9)])
def test_what_does_not_fit_into_a_frame_is_not_laid_out(lengths):
    assert pack(sequences(*lengths), 0, line_tokens=LINE, frame=Frame(lines=1, width=16)) is None


def test_a_frame_holds_what_it_was_made_for_and_leaves_little_over():
    assert frame_for([(30, 20), (41, 10)], LINE) == Frame(lines=1, width=56)
    assert frame_for([(LINE, 3, LINE), (7,) * 30], LINE) == Frame(lines=2, width=136)
    assert frame_for([(LINE + 9, 200, 300), (1,)], LINE) == Frame(lines=4, width=304)
    assert frame_for([(90, 90, 90)], LINE) == Frame(lines=2, width=184)


def test_a_token_sees_its_own_sequence_up_to_itself():
    packed = laid(2, 3)
    first, second = packed.starts

    sees = who_sees_whom(packed.owner)[0, 0]
    assert sees[first + 1].nonzero()[:, 0].tolist() == [first, first + 1]
    assert sees[second].nonzero()[:, 0].tolist() == [second]
    assert sees.any(-1).all()  # what is left over too: a row that sees nothing is no number


def test_a_model_finds_in_a_line_what_it_finds_in_each_sequence_alone():
    from transformers import Qwen2Config, Qwen2Model

    torch.manual_seed(0)
    model = Qwen2Model(
        Qwen2Config(
            vocab_size=500, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=64,
        )
    ).eval()  # fmt: skip
    asked = sequences(5, 9, 2)
    packed = laid(5, 9, 2)

    with torch.no_grad():
        together = model(
            input_ids=packed.ids, attention_mask=who_sees_whom(packed.owner), position_ids=packed.positions
        ).last_hidden_state.flatten(0, 1)
        alone = [model(input_ids=one[None]).last_hidden_state[0] for one in asked]

    for begin, one in zip(packed.starts, alone, strict=True):
        torch.testing.assert_close(together[begin : begin + len(one)], one, atol=1e-5, rtol=1e-5)
