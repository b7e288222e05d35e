"""The memory that a training takes stays below what its plan announced."""

import json
import re
from pathlib import Path

import pytest

from tests.fakes.micro_model import make_micro_model
from toolkit.core.events import Caller, StopRequests
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.recipe import load_recipe

pytestmark = pytest.mark.gpu

VOCABULARY, LAYERS = 32_000, 16
GIB = 2**30


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of 0.3 billion parameters: activations and logits are large enough to measure."""
    import torch
    from transformers import AutoTokenizer, GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("models") / "small"
    tokenizer = AutoTokenizer.from_pretrained(make_micro_model(tmp_path_factory.mktemp("models") / "micro"))
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=VOCABULARY, hidden_size=1024, num_hidden_layers=LAYERS, num_attention_heads=16,
                num_key_value_heads=4, intermediate_size=4096, tie_word_embeddings=True, bos_token_id=0,
                eos_token_id=2, max_position_embeddings=4096,
            )
        ).to(torch.bfloat16)  # fmt: skip
    model.generation_config = GenerationConfig(eos_token_id=[2, 0], pad_token_id=0, do_sample=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("words", "graph"), [(6, True), (60, False)])  # captured, and from 8192 tokens end to end
@pytest.mark.parametrize("keep_weight", [0.0, 3.0])
def test_the_peak_is_at_most_what_the_plan_announced(model, tmp_path, words, graph, checkpointing, keep_weight):
    data = tmp_path / "rows.json"
    data.write_text(
        json.dumps([{"instruction": f"{at} tell " * words, "output": "x y z " * words} for at in range(16)])
    )
    keep = tmp_path / "keep.jsonl"
    keep.write_text("".join(json.dumps({"prompt": f"Tell me about {at}."}) + "\n" for at in range(32)))
    recipe = load_recipe("article").changed(
        epochs=4.0, micro_batch_size=16, gradient_checkpointing=checkpointing, precision="bfloat16",
        max_length_tokens=4096, lora_dropout=0.0, keep_weight=keep_weight, keep_rows=16, keep_data=str(keep),
    )  # fmt: skip
    notices: list[str] = []

    run = finetune(
        FinetuneConfig(data=str(data), recipe=recipe, model=str(model), output=tmp_path / "output"),
        Caller(stop=StopRequests(notices.append), notify=notices.append),
    )

    (announced,) = [float(found[1]) for line in notices if (found := re.search(r"at most ([\d.]+) GiB of", line))]
    assert run.record.train.cuda_graph is graph
    assert run.record.peak_memory_bytes <= (announced + 0.05) * GIB  # announced to a tenth of a GiB
    assert run.record.peak_memory_bytes > 0.5 * GIB  # the weights at least
