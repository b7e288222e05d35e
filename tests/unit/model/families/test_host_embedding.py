"""An embedding in the host's memory: the same rows, and a model that is still where and what it was."""

from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from toolkit.model.families.float16 import steady
from toolkit.model.families.host_embedding import HostEmbedding, is_on_host, keep_embedding_on_host
from toolkit.train.ms_swift.shared_weights import _clone_model

IDS = torch.arange(12).view(2, 6)


def make(dtype: torch.dtype = torch.float32, **changed: Any) -> Any:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=False,
    )  # fmt: skip
    config.update(changed)
    return Qwen2ForCausalLM(config).to(dtype).eval()


def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_logits_are_the_same(dtype: torch.dtype):
    model = make(dtype)
    steady(model)
    expected = logits_of(model)

    keep_embedding_on_host(model)

    assert torch.equal(logits_of(model), expected)
    assert torch.equal(logits_of(_clone_model(model)), expected)


def test_rows_come_to_where_the_table_was_and_the_table_stays_behind():
    """Torch's device without memory stands for the card."""
    table = torch.nn.Embedding(5, 3, dtype=torch.float16)
    found = HostEmbedding(table)
    found.to("meta")  # as a model that moves does

    rows = found(torch.tensor([[1, 4]]))

    assert (rows.device.type, rows.shape, rows.dtype) == ("meta", (1, 2, 3), torch.float16)
    assert found.weight.device.type == "cpu"


def test_neither_device_nor_type_of_the_model_follow_the_table():
    model = make(torch.bfloat16)
    size = model.get_input_embeddings().weight.numel()
    before = sum(one.numel() for one in model.parameters())

    keep_embedding_on_host(model)

    assert is_on_host(model)
    assert (model.device.type, model.dtype) == ("cpu", torch.bfloat16)
    assert next(model.parameters()) is model.get_input_embeddings().place
    assert sum(one.numel() for one in model.parameters()) == before - size
    assert model.get_input_embeddings().weight.shape == (64, 32)


def test_doing_it_again_changes_nothing():
    model = make()
    keep_embedding_on_host(model)
    found = model.get_input_embeddings()

    keep_embedding_on_host(model)

    assert model.get_input_embeddings() is found


def test_an_embedding_that_is_the_head_too_stays():
    with pytest.raises(ValueError, match="share their weights"):
        keep_embedding_on_host(make(tie_word_embeddings=True))
