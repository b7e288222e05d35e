"""Fused norms on the card: the same function as transformers' own."""

import copy

import pytest
import torch

from toolkit.train.passes.kernels import fuse_norms

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_fused_norms_compute_what_the_norms_do(micro_model, dtype, tolerance):
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(micro_model, dtype=dtype, device_map="cuda")
    fused = copy.deepcopy(plain)
    states = torch.randn(64, plain.config.hidden_size, device="cuda", dtype=dtype)

    fuse_norms(fused)

    assert "forward" in vars(fused.model.norm)
    torch.testing.assert_close(fused.model.norm(states), plain.model.norm(states), atol=tolerance, rtol=tolerance)
