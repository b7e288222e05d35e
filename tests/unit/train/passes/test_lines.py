"""A line for each sequence, and causal attention without a mask: what each computes alone."""

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend
from transformers import Qwen2Config, Qwen2ForCausalLM

from toolkit.data.encoding import Encoded
from toolkit.train.passes import lines, shape
from toolkit.train.passes.batch import TrainSequence, drawn, lay_out, padded_share, row_sequence, sizes_in_lines
from toolkit.train.passes.lines import attention_by_lines, causal_attention, fastest_kernel, lines_agree
from toolkit.train.passes.masks import attention_inputs
from toolkit.train.passes.packing import Frame
from toolkit.train.passes.shape import Shape, attention_captured, choose_shape

LINE = 24


def row(length: int, *, first: int = 3) -> TrainSequence:
    """Only the last token is trained."""
    ids = [first, *(10 + (first + at) % 20 for at in range(length - 1))]
    return row_sequence(Encoded(input_ids=ids, labels=[-100] * (length - 1) + ids[-1:]))


def model() -> Any:
    torch.manual_seed(0)
    return Qwen2ForCausalLM(Qwen2Config(
        vocab_size=32, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2,
    )).eval()  # fmt: skip


def test_a_row_computes_what_it_computes_alone_whatever_stands_behind_it():
    causal, rows = model(), [row(9), row(14, first=4), row(2, first=5)]
    sizes = sizes_in_lines([rows, [row(5)]], 3)
    batch = lay_out(rows[:2], 0, LINE, sizes, plain=True)
    with attention_by_lines(causal.config), torch.no_grad():
        found = causal.model(input_ids=batch["ids"], **attention_inputs(causal, batch, plain=False))[0]
    after = causal.config._attn_implementation

    assert sizes.frame == Frame(lines=3, width=16)
    assert batch["ids"].shape == (3, 16)
    assert torch.isfinite(found).all()
    assert after == "sdpa"
    states = found.flatten(0, 1)
    for one, at in zip(rows, batch["row_positions"].tolist(), strict=False):
        alone = causal.model(input_ids=one.ids[None])[0][0, -2]
        torch.testing.assert_close(states[at], alone, rtol=1e-4, atol=1e-5)


def test_rows_that_do_not_fit_the_lines_are_refused():
    sizes = sizes_in_lines([[row(8), row(8, first=4)]], 8)

    assert lay_out([row(8)], 0, LINE, sizes, plain=True)["ids"].shape == (2, 8)
    assert lay_out([row(9)], 0, LINE, sizes, plain=True) is None
    assert lay_out([row(8)] * 3, 0, LINE, sizes, plain=True) is None


def test_what_lines_add_is_told_of_the_mean_pass():
    draws = [[row(10), row(10, first=4)], [row(6)]]

    assert padded_share(draws, sizes_in_lines(draws, 10)) == pytest.approx(2 * 2 * 16 / 26 - 1)
    assert padded_share([[row(16)]], sizes_in_lines([[row(16)]], 16)) == 0


def test_each_draw_is_another_and_the_same_in_another_process():
    assert (
        drawn(lambda chance: [row(chance.randint(2, 99))])[0][0].ids.tolist()
        == drawn(lambda chance: [row(chance.randint(2, 99))])[0][0].ids.tolist()
    )
    assert len({len(one[0].ids) for one in drawn(lambda chance: [row(chance.randint(2, 99))])}) > 9


@pytest.fixture(name="served")
def _served(monkeypatch):
    monkeypatch.setattr(shape, "pays_from", lambda _: 16)
    monkeypatch.setattr(shape, "serves", lambda _: True)
    return monkeypatch


def chosen(*draws: list[TrainSequence], longest: int = 0, evaluates: bool = False) -> Shape:
    return choose_shape(model(), draws, LINE, lambda: longest, evaluates=evaluates)


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        ([[row(8)]], (False, True)),  # short
        ([[row(32), row(32, first=4)]], (True, True)),
        ([[], [row(32)], []], (True, True)),  # a process may have a share of the other passes alone
        ([[row(32)], [row(64)]], (True, False)),
        ([[row(32), row(16, first=4)]], (True, False)),
    ],
)
def test_long_passes_are_captured_where_rows_have_one_length(served, draws, expected):
    found = chosen(*draws)

    assert (found.long, found.captured is not None) == expected


def test_a_longer_row_than_those_drawn_fits_or_nothing_is_captured(served):
    served.setattr(shape, "MOST_PADDING", 0.3)

    assert chosen([row(32)], longest=40).captured.frame == Frame(lines=1, width=40)
    assert chosen([row(32)], longest=48) == Shape(long=True)


def test_nothing_is_kept_for_a_graph_where_the_model_is_asked_meanwhile(served):
    assert chosen([row(32)], evaluates=True) == Shape(long=True)
    assert chosen([row(8)], evaluates=True).captured is not None


def test_a_process_without_any_share_computes_nothing(served):
    assert chosen([], []) == Shape()


def test_a_long_training_on_other_devices_is_computed_as_before(served):
    served.setattr(shape, "serves", lambda _: False)

    assert not chosen([row(32)]).long


def test_larger_passes_are_not_captured(served):
    served.setattr(shape, "MAX_GRAPH_TOKENS", 31)

    assert chosen([row(32)]) == Shape(long=True)


def sees_everything(query, key, value, scaling=None):
    key, value = (one.repeat_interleave(query.shape[1] // key.shape[1], 1) for one in (key, value))
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=scaling)


def wrong_where_wide(query, key, value, scaling=None):
    return causal_attention(query, key, value, scaling) * (1 if query.shape[2] < 32 else 2)


def refused_where_wide(query, key, value, scaling=None):
    if query.shape[2] < 32:
        return causal_attention(query, key, value, scaling)
    raise RuntimeError("No available kernel.")


@pytest.mark.parametrize("attention", [sees_everything, wrong_where_wide, refused_where_wide])
def test_a_kernel_that_computes_something_else_is_not_used(served, attention):
    assert lines_agree(model(), 32)

    served.setattr(lines, "causal_attention", attention)

    assert not lines_agree(model(), 32)
    assert chosen([row(32)]) == Shape(long=True)


@pytest.mark.parametrize(
    ("device", "capability", "expected"),
    [
        ("cpu", None, "MATH"),
        ("cuda", (8, 0), "FLASH_ATTENTION"),
        ("cuda", (9, 0), "CUDNN_ATTENTION"),
        ("cuda", (12, 0), "FLASH_ATTENTION"),
    ],
)
def test_each_device_has_the_kernel_that_is_fastest_on_it(monkeypatch, device, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)

    assert fastest_kernel(torch.device(device)) == getattr(SDPBackend, expected)


def test_only_long_passes_that_are_captured_have_another_attention():
    config = model().config
    for given, name in ((Shape(), "sdpa"), (Shape(long=True), "lines")):
        with attention_captured(config, given):
            assert config._attn_implementation == name
    assert config._attn_implementation == "sdpa"
