"""What the toolkit relies on in peft beyond its documentation. An upgrade begins in docs/fragile.md."""

import json
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

IDS = torch.tensor([[5, 6, 7, 8]])


def last_logits(model, **more):
    with torch.no_grad():
        return model(input_ids=IDS, **more).logits[:, -1]


def test_input_casting_is_switched_by_an_attribute_of_every_adapted_layer(tuned):
    from peft.helpers import disable_input_dtype_casting
    from peft.tuners.lora import LoraLayer

    layers = [module for module in tuned.modules() if isinstance(module, LoraLayer)]
    assert len(layers) == 14
    with disable_input_dtype_casting(tuned, active=True):
        assert not any(layer.cast_input_dtype_enabled for layer in layers)
    assert all(layer.cast_input_dtype_enabled for layer in layers)
    with disable_input_dtype_casting(tuned, active=False):
        assert all(layer.cast_input_dtype_enabled for layer in layers)


def test_rescaling_multiplies_every_layers_scaling_and_puts_it_back(tuned):
    from peft.helpers import rescale_adapter_scale
    from peft.tuners.lora import LoraLayer

    layer = next(module for module in tuned.modules() if isinstance(module, LoraLayer))
    before = dict(layer.scaling)
    with rescale_adapter_scale(tuned, 0.5):
        assert layer.scaling == {name: value / 2 for name, value in before.items()}
    assert layer.scaling == before


def test_the_base_model_below_an_adapter_is_the_causal_model_itself(tuned, base):
    assert type(tuned.get_base_model()) is type(base)
    assert tuned.get_base_model().lm_head is not None


def test_adapters_are_switched_on_and_off_by_name(tuned, base):
    tuned.set_adapter("tuned")
    with tuned.disable_adapter():
        torch.testing.assert_close(last_logits(tuned), last_logits(base))
    assert not torch.allclose(last_logits(tuned), last_logits(base))


def test_each_row_of_a_batch_may_name_its_adapter(tuned, base):
    """`serve` answers both names in one batch: its hooks give each layer what peft's own give for `adapter_names`."""
    from toolkit.model.generation import AdapterPerRow

    rows = IDS.repeat(2, 1)
    adapters = AdapterPerRow(tuned)
    with torch.no_grad():
        peft_mixed = tuned(input_ids=rows, adapter_names=["__base__", "tuned"]).logits[:, -1]
        adapters.choose([None, "tuned"])
        mixed = tuned(input_ids=rows).logits[:, -1]
        adapters.choose([])

    torch.testing.assert_close(mixed, peft_mixed, rtol=0, atol=0)
    torch.testing.assert_close(mixed[:1], last_logits(base), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mixed[1:], last_logits(tuned), rtol=1e-4, atol=1e-4)


def test_a_missing_weight_is_a_warning_with_these_words(tuned, base, tmp_path):
    """`with_adapter` turns it into an error: else the layer would keep its random start."""
    from peft import PeftModel

    from toolkit.core.errors import ModelError
    from toolkit.model.loading import with_adapter

    tuned.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "tuned" / "adapter_model.safetensors")
    weights.pop(min(weights))
    save_file(weights, tmp_path / "tuned" / "adapter_model.safetensors")

    with pytest.raises(ModelError, match="Found missing adapter keys"):
        with_adapter(base, "b", tmp_path / "tuned")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        PeftModel.from_pretrained(base, str(tmp_path / "tuned"))
    assert any("Found missing adapter keys" in str(warning.message) for warning in caught)


def test_an_adapters_files_and_their_fields_have_these_names(tuned, tmp_path):
    tuned.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tuned" / "adapter_config.json").read_text(encoding="utf-8"))
    weights = load_file(tmp_path / "tuned" / "adapter_model.safetensors")

    assert {"base_model_name_or_path", "revision", "r", "lora_alpha", "target_modules"} <= config.keys()
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in weights
    assert all(name.endswith((".lora_A.weight", ".lora_B.weight")) for name in weights)


def test_merging_gives_the_plain_model_back(tuned, base):
    expected = last_logits(tuned)
    merged = tuned.merge_and_unload(safe_merge=True)

    assert type(merged) is type(base)
    assert merged.state_dict().keys() == base.state_dict().keys()
    torch.testing.assert_close(last_logits(merged), expected, rtol=1e-3, atol=1e-3)


def test_an_adapters_second_factors_are_found_by_their_name_and_can_be_replaced(tuned):
    """`scan` shuffles them to learn what chance changes."""
    from toolkit.compare.discovery.permuted import Permuted

    tuned.set_adapter("tuned")
    before = last_logits(tuned)
    shuffled = Permuted(SimpleNamespace(model=tuned), "tuned")
    assert len(shuffled.parameters) == 14
    with shuffled.on():
        assert not torch.allclose(last_logits(tuned), before)
    torch.testing.assert_close(last_logits(tuned), before)


HIDDEN = """
import sys
from toolkit.core.startup import prepare_environment, want_four_bits
prepare_environment()
import peft
from peft.import_utils import is_bnb_available
from transformers.utils import is_bitsandbytes_available
assert sys.modules["bitsandbytes"] is None
assert not is_bnb_available() and not is_bitsandbytes_available()
want_four_bits()
assert is_bnb_available() and is_bitsandbytes_available()
prepare_environment()
import bitsandbytes
"""


def test_bitsandbytes_is_hidden_until_it_is_wanted():
    """In a process of its own, since others have imported it."""
    done = subprocess.run([sys.executable, "-c", HIDDEN], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_an_adapted_layer_is_its_base_layer_and_two_factors_with_a_scale(tuned):
    """What `AdaptedLinear` computes in its place, and what tells the layers that it may replace."""
    from peft.tuners.lora.layer import Linear

    from toolkit.train.passes.adapters import ADAPTED

    layer = next(module for module in tuned.modules() if type(module) is Linear)
    name = "tuned"
    states = torch.randn(3, layer.in_features)
    assert f"{Linear.__module__}.{Linear.__name__}" == ADAPTED
    base, a, b = layer.base_layer, layer.lora_A[name], layer.lora_B[name]
    expected = base(states) + (states @ a.weight.t() @ b.weight.t()) * layer.scaling[name]

    assert type(base) is torch.nn.Linear
    assert layer.active_adapters == [name]
    assert (layer.merged, layer.disable_adapters, layer.fan_in_fan_out) == (False, False, False)
    assert (dict(layer.lora_variant), dict(layer.lora_bias)) == ({}, {name: False})
    assert type(layer.lora_dropout[name]) is torch.nn.Identity
    torch.testing.assert_close(layer(states), expected)
