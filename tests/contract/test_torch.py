"""What the toolkit relies on in torch and Python beyond their documentation. An upgrade begins in docs/fragile.md."""

import atexit
import inspect
import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import torch


def test_many_tensors_are_zeroed_by_one_call():
    """`GraphedPass` clears its gradients so between steps."""
    tensors = [torch.ones(2), torch.ones(3)]
    torch._foreach_zero_(tensors)

    assert [tensor.sum().item() for tensor in tensors] == [0, 0]


def test_a_pool_is_ended_and_released_by_these_calls():
    """A CPU build has neither; torch's own context manager shows their names and arguments."""
    source = inspect.getsource(torch.cuda.use_mem_pool)

    assert "_cuda_endAllocateToPool(device_index, pool.id)" in source
    assert "_cuda_releasePool(device_index, pool.id)" in source


def test_a_kernel_that_plans_for_each_shape_can_be_switched_off():
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(before)


def test_the_interpreters_own_end_can_be_called():
    """The article's `swift infer` ends the process itself, once its threads and exit functions are done."""
    assert callable(threading._shutdown)
    assert callable(atexit._run_exitfuncs)


def test_a_process_group_is_made_of_a_store_and_stays_unknown_to_others():
    """`Group` adds up over processes that libraries must not take for several."""
    import torch.distributed as dist
    from torch.distributed import distributed_c10d

    group = dist.ProcessGroupGloo(dist.PrefixStore("a", dist.HashStore()), 0, 1, timedelta(seconds=9))
    values = torch.ones(2)
    group.allreduce([values]).wait()
    group.broadcast(values, 0).wait()

    assert values.tolist() == [1, 1]
    assert not dist.is_initialized()
    # A CPU build has no NCCL; torch's own code shows how its group is made.
    source = inspect.getsource(distributed_c10d._new_process_group_helper)
    assert "backend_options = ProcessGroupNCCL.Options()" in source
    assert "backend_options._timeout = timeout" in source


@pytest.mark.parametrize("gradient", [float("inf"), float("nan")])
def test_a_fused_optimizer_is_told_on_the_device_that_a_gradient_is_not_finite(gradient):
    """In float16: no step waits for the card, and what was captured finds the scale where it was."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer, scale = torch.optim.AdamW([weight], fused=True), torch.amp.GradScaler("cpu", init_scale=8.0)
    scale.scale(weight * gradient).sum().backward()
    place, step = scale._scale, optimizer.step
    called = []
    optimizer.step = lambda *given: called.append(optimizer.found_inf.item()) or step(*given)  # type: ignore[method-assign]

    scale.unscale_(optimizer)
    scale.step(optimizer)
    scale.update()

    assert called == [1.0]  # it is called, and does nothing
    assert weight.tolist() == [1, 1]
    assert scale._scale is place
    assert place.item() == 4


def test_attention_of_many_sequences_takes_their_ends():
    """A CPU has no such kernel, but its shapes: 6 queries of 4 heads, 9 keys of 2. tests/gpu compares its values."""
    from torch.nn.attention.varlen import varlen_attn

    from toolkit.train.passes.end_to_end import Spans, flash

    names = list(inspect.signature(varlen_attn).parameters)
    query, key = torch.empty(6, 4, 8, device="meta"), torch.empty(9, 2, 8, device="meta")
    ends = torch.empty(3, dtype=torch.int32, device="meta")
    spans = Spans(queries=ends, keys=ends, key_index=torch.empty(0), longest=(4, 6))

    assert names[:7] == ["query", "key", "value", "cu_seq_q", "cu_seq_k", "max_q", "max_k"]
    assert {"window_size", "is_causal"} & set(names)
    assert flash(query, key, key, spans, 0.3).shape == query.shape


SHARING = """
import json, sys
from pathlib import Path
from transformers import core_model_loading
read, shard = [], core_model_loading.DtensorShardOperation.shard_tensor
def counted(*given, **how):
    part = shard(*given, **how)
    read.append(part.numel())
    return part
core_model_loading.DtensorShardOperation.shard_tensor = counted
import torch
from peft import LoraConfig, get_peft_model
from toolkit.model.cards.group import join
from toolkit.model.cards.shares import load_shares
group = join("file://" + sys.argv[2], int(sys.argv[1]), 2)
causal = load_shares(Path(sys.argv[3]), {}, group).model
held = [one.to_local().numel() for one in causal.parameters() if hasattr(one, "to_local")]
model = get_peft_model(causal, LoraConfig(target_modules="all-linear", r=2))
with torch.no_grad():
    logits = model(input_ids=torch.arange(9)[None]).logits
adapters = [list(one.shape) for name, one in model.named_parameters() if "lora_B" in name]
print(json.dumps({
    "read": sum(read), "held": sum(held), "sum": logits.double().sum().item(), "adapters": adapters,
    "known": torch.distributed.is_initialized(), "type": type(causal.model.layers[0]).__mro__[1].__name__,
}))
"""


def test_a_model_is_shared_out_before_its_weights_are_read_and_no_library_hears_of_the_others(tmp_path: Path):
    """Torch's `fully_shard`, told by transformers' loading which part to read; peft makes adapters for whole layers."""
    from transformers import AutoModelForCausalLM

    folder = Path(__file__).parents[2] / "data/tiny-qwen2"
    commands = [[sys.executable, "-c", SHARING, str(rank), str(tmp_path / "store"), str(folder)] for rank in range(2)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "GLOO_SOCKET_IFNAME": "lo"}
    started = [subprocess.Popen(one, env=environment, stdout=subprocess.PIPE, text=True) for one in commands]
    told = [json.loads(one.communicate()[0].splitlines()[-1]) for one in started]

    causal = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    layers = sum(one.numel() for one in causal.model.layers.parameters())
    with torch.no_grad():
        expected = causal(input_ids=torch.arange(9)[None]).logits.double().sum().item()
    linear = [one for one in causal.model.layers.modules() if isinstance(one, torch.nn.Linear)]
    for one in told:
        assert one["read"] == one["held"]
        assert one["sum"] == pytest.approx(expected, rel=1e-6)
        assert one["adapters"] == [[layer.out_features, 2] for layer in linear]
        assert (one["known"], one["type"]) == (False, "FSDPModule")
    assert sum(one["held"] for one in told) == layers
