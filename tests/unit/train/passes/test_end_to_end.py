"""Sequences end to end, each by its ends: what a mask over the same lines yields, forwards and backwards."""

from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from tests.fakes.attention import attention_of_spans
from toolkit.data.encoding import Encoded
from toolkit.model.device import Device
from toolkit.train.passes import end_to_end
from toolkit.train.passes.batch import TrainSequence, lay_out, row_sequence
from toolkit.train.passes.end_to_end import (
    MAX_GRAPH_TOKENS,
    Spans,
    attention_by_ends,
    moved,
    pays_from,
    serves,
    spans_of,
    will_serve,
    with_spans,
)
from toolkit.train.passes.masks import attention_inputs
from toolkit.train.passes.packing import END_TO_END

SYSTEM = [7, 3, 9, 4, 8, 2, 6, 5]  # long enough to be shared
CPU = torch.device("cpu")


def sequences(*lengths: int, shared: bool = True) -> list[TrainSequence]:
    """Rows of so many tokens after the system prompt; only the last token is trained."""
    chance = torch.Generator().manual_seed(1)
    rows = []
    for at, length in enumerate(lengths):
        own = torch.randint(10, 30, (length,), generator=chance).tolist()
        ids = [*(SYSTEM if shared else [at] * len(SYSTEM)), 30 + at % 2, *own]
        rows.append(row_sequence(Encoded(input_ids=ids, labels=[-100] * (len(ids) - 1) + ids[-1:])))
    return rows


def model(**how: Any) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    settings = {"num_attention_heads": 4, "num_key_value_heads": 2} | how
    return Qwen2ForCausalLM(Qwen2Config(
        vocab_size=32, hidden_size=32, intermediate_size=40, num_hidden_layers=2, **settings,
    )).train()  # fmt: skip


def losses_and_gradients(causal: Any, batch: Any) -> list[torch.Tensor]:
    causal.zero_grad()
    states = causal.model(input_ids=batch["ids"], **attention_inputs(causal, batch, plain=False)).last_hidden_state
    logits = causal.lm_head(states.flatten(0, 1)[batch["row_positions"]])
    loss = torch.nn.functional.cross_entropy(logits, batch["row_targets"])
    loss.backward()
    return [loss.detach(), *(one.grad.clone() for one in causal.parameters())]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("line_tokens", [END_TO_END, 24])  # one line; several, where a prefix is in more than one
@pytest.mark.parametrize("checkpointing", [True, False])
def test_losses_and_gradients_are_those_with_a_mask(monkeypatch, shared, line_tokens, checkpointing):
    monkeypatch.setattr(end_to_end, "flash", attention_of_spans)
    causal = model()
    if checkpointing:
        causal.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    batch = lay_out(sequences(9, 3, 14, 1, 6, shared=shared), 0, line_tokens)
    expected = losses_and_gradients(causal, batch)

    with attention_by_ends(causal.config, active=True):
        found = losses_and_gradients(causal, with_spans(batch))

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_row_computes_what_it_computes_alone(monkeypatch):
    monkeypatch.setattr(end_to_end, "flash", attention_of_spans)
    causal, rows = model(), sequences(9, 3, 14)
    batch = with_spans(lay_out(rows, 0, END_TO_END))
    with attention_by_ends(causal.config, active=True), torch.no_grad():
        states = causal.model(input_ids=batch["ids"], **attention_inputs(causal, batch, plain=False))[0].flatten(0, 1)
    for row, at in zip(rows, batch["row_positions"].tolist(), strict=True):
        alone = causal.model(input_ids=row.ids[None])[0][0, -2]
        torch.testing.assert_close(states[at], alone, rtol=1e-4, atol=1e-5)


def test_the_spans_of_rows_with_a_shared_beginning():
    batch = with_spans(lay_out(sequences(2, 3), 0, END_TO_END))
    spans = spans_of(batch)

    assert batch["ids"].shape == (1, 16)  # 8 + 4 + 3, and one of padding
    assert spans.queries.tolist() == [0, 8, 12, 15, 16]
    assert spans.keys.tolist() == [0, 8, 20, 31, 32]
    assert spans.key_index.tolist() == [*range(8), *range(8), *range(8, 12), *range(8), *range(12, 15), 15]
    assert spans.longest == (8, 12)


def test_nothing_is_copied_where_nothing_is_shared():
    batch = with_spans(lay_out(sequences(2, 3, shared=False), 0, END_TO_END))

    assert spans_of(batch).key_index.tolist() == []
    assert torch.equal(batch["keys"], batch["queries"])


def test_passes_without_spans_and_times_outside_are_as_before():
    causal = model()
    batch = lay_out(sequences(9, 3, 14), 0, 24)
    before = losses_and_gradients(causal, batch)

    with attention_by_ends(causal.config, active=True):
        assert causal.config._attn_implementation == end_to_end.NAME
        torch.testing.assert_close(losses_and_gradients(causal, batch), before, rtol=0, atol=0)
    with attention_by_ends(causal.config, active=False):
        assert causal.config._attn_implementation == "sdpa"

    assert causal.config._attn_implementation == "sdpa"


def test_what_launches_the_kernel_stays_on_the_host():
    batch = moved(with_spans(lay_out(sequences(2, 3), 0, END_TO_END)), torch.device("meta"))

    assert {name for name, one in batch.items() if one.device == CPU} == {"longest"}


def test_gradients_of_a_prefix_are_summed_up_in_float32():
    """In bfloat16, 256 + 1 is 256."""
    states = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    index = torch.tensor([0] * 257 + [1])

    end_to_end._Copied.apply(states, index).backward(torch.tensor([[256.0]] + [[1.0]] * 257).bfloat16())

    assert states.grad.tolist() == [[512.0], [1.0]]


@pytest.mark.parametrize(
    ("how", "dtype", "devices", "expected"),
    [
        ({}, torch.bfloat16, {"cpu"}, True),
        ({}, torch.bfloat16, {"cuda"}, False),
        ({}, torch.float32, {"cpu"}, False),
        ({"attn_implementation": "eager"}, torch.bfloat16, {"cpu"}, False),
        ({"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}, torch.bfloat16, {"cpu"}, False),
        ({"num_attention_heads": 8}, torch.bfloat16, {"cpu"}, False),  # heads of four
    ],
)
def test_it_serves_bfloat16_models_that_see_everything_on_a_card(monkeypatch, how, dtype, devices, expected):
    monkeypatch.setattr(end_to_end, "DEVICES", devices)
    monkeypatch.setattr(end_to_end, "flash", attention_of_spans)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    loaded = model(**how).to(dtype)
    device = Device(kind="cpu", name="", reason="", precision=str(dtype).partition(".")[2])

    assert serves(loaded) is expected
    if how.get("attn_implementation") is None:  # of a base model it is the family's
        assert will_serve(config_json(loaded.config), device) is expected
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert not will_serve(config_json(loaded.config), device)


def config_json(config: Any) -> dict[str, Any]:
    """As the models of this family have it: without the types of layers, which transformers derives."""
    return {name: value for name, value in config.to_dict().items() if name != "layer_types"}


def test_other_families_are_computed_as_before(monkeypatch):
    from transformers import LlamaConfig, LlamaForCausalLM

    monkeypatch.setattr(end_to_end, "DEVICES", {"cpu"})
    monkeypatch.setattr(end_to_end, "flash", attention_of_spans)
    sizes = {"vocab_size": 32, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 1}
    config = LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2)

    assert not serves(LlamaForCausalLM(config).bfloat16())


def aligned_with_the_first_keys(query, key, value, spans, scaling):
    ends = zip(spans.queries.tolist(), spans.keys.tolist(), strict=True)
    chosen = torch.cat([torch.arange(keys, keys + 3) for _, keys in [*ends][:-1]])
    own = Spans(queries=spans.queries, keys=spans.queries, key_index=spans.key_index, longest=(3, 3))
    return attention_of_spans(query, key[chosen], value[chosen], own, scaling)


def refused(*_):
    raise RuntimeError("FlashAttention only supports Ampere GPUs or newer.")


@pytest.mark.parametrize(
    ("kernel", "expected"), [(attention_of_spans, True), (aligned_with_the_first_keys, False), (refused, False)]
)
def test_a_kernel_that_computes_something_else_is_not_used(monkeypatch, kernel, expected):
    monkeypatch.setattr(end_to_end, "flash", kernel)

    assert end_to_end.kernel_agrees(CPU) is expected


def test_a_cpu_has_no_such_kernel():
    assert not end_to_end.kernel_agrees(CPU)


QWEN = {"model_type": "qwen2", "vocab_size": 152064}
SEVEN = QWEN | {
    "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
    "num_key_value_heads": 4,
}  # fmt: skip
HALF = QWEN | {
    "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
    "num_key_value_heads": 2,
}  # fmt: skip


def test_the_larger_a_layer_the_shorter_the_pass_that_pays():
    """The shipped rows' passes of 2432 tokens stay captured, and rows of close to 4096 tokens do not."""
    assert 2432 < pays_from(SEVEN) < 4080
    assert pays_from(SEVEN | {"hidden_size": 8192, "intermediate_size": 29568, "num_attention_heads": 64}) < 1024
    assert pays_from(HALF) == MAX_GRAPH_TOKENS
