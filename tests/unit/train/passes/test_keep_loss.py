"""The base model's hidden states at its own answers: the same, however many are computed at once."""

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from toolkit.train.passes.keep_loss import BATCH_SIZE, keep_sequences

ENCODED = [(list(range(1, 4 + at % 17)), 2) for at in range(BATCH_SIZE + 8)]


def test_no_more_tokens_than_there_is_room_for_are_read_at_once():
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1,
    )).eval()  # fmt: skip
    read: list[int] = []
    model.model.register_forward_pre_hook(
        lambda _, __, how: read.append(how["input_ids"].numel()), with_kwargs=True
    )  # fmt: skip

    expected = keep_sequences(model, ENCODED, 0)
    at_once = [*read]
    read.clear()
    found = keep_sequences(model, ENCODED, 0, most_tokens=40)

    assert max(at_once) > 40 >= max(read)
    assert len(at_once) < len(read) < len(ENCODED)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.ids, other.ids)
        assert torch.allclose(one.targets, other.targets, atol=1e-5)
    read.clear()
    keep_sequences(model, ENCODED, 0, most_tokens=1)  # a sequence is not divided
    assert len(read) == len(ENCODED)
