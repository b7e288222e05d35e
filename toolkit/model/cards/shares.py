"""A base model that is shared out over processes: each holds a part of every layer (FSDP2, torch's `fully_shard`).

A layer is put together while a pass goes through it, and again on the way back, and is given back afterwards; so every
process has to go through the layers equally often. Embedding, head and last norm, and adapters that are added later,
are whole in every process. A process reads its own part of each tensor from the files, and no more.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core import environment
from toolkit.core.errors import ConfigError
from toolkit.model.families.family import family_of
from toolkit.model.families.network import decoder
from toolkit.model.language_model import LanguageModel
from toolkit.model.loading import load_pretrained, without_reserve

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.model.cards.group import Group


def require_sharing(config: Mapping[str, Any], *, in_4bit: bool, on_cards: bool) -> None:
    """Raises ConfigError where a base model with this config.json cannot be shared out."""
    advice = "Leave out --shard."
    if in_4bit:
        raise ConfigError("A base model in 4 bits cannot be shared out over cards.", next=advice)
    if not family_of(config).known:
        raise ConfigError("A base model of this architecture was never shared out over cards.", next=advice)
    # Until tests/gpu/train/test_shares.py has passed.
    if on_cards and environment.SHARE_ON_CARDS not in environment.for_child():
        raise ConfigError("Sharing a base model out was tried on processors, and not on cards yet.", next=advice)


def can_share(config: Mapping[str, Any], *, in_4bit: bool, on_cards: bool) -> bool:
    try:
        require_sharing(config, in_4bit=in_4bit, on_cards=on_cards)
    except ConfigError:
        return False
    return True


class _Gathering:
    """How torch puts a layer together: by our own group, whose errors say that a process is gone."""

    def __init__(self, group: "Group") -> None:
        self._group = group

    def allocate(self, size: Sequence[int], *, dtype: Any, device: Any) -> "Tensor":
        import torch

        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(self, output_tensor: "Tensor", input_tensor: "Tensor", *_: Any, **_how: Any) -> None:
        self._group.gather(output_tensor, input_tensor)


@contextmanager
def loading_shares(group: "Group") -> Iterator[None]:
    """Within, a model that transformers loads is shared out before its weights are read. Raises as loading does."""
    from peft.tuners import tuners_utils
    from transformers import PreTrainedModel

    tuners_utils._torch_supports_distributed = False  # noqa: SLF001  # else adapters are made for a part of a layer
    read = PreTrainedModel._load_pretrained_model  # noqa: SLF001

    def shared_out(model: Any, *more: Any, **how: Any) -> Any:
        _share_out(model, mesh, group)
        return read(model, *more, **how)

    with _mesh(group) as mesh, without_reserve():
        PreTrainedModel._load_pretrained_model = staticmethod(shared_out)  # noqa: SLF001  # docs/fragile.md
        try:
            yield
        finally:
            PreTrainedModel._load_pretrained_model = staticmethod(read)  # noqa: SLF001


def load_shares(folder: Path, adapters: Mapping[str, Path], group: "Group") -> LanguageModel:
    """The model for answers. Raises ModelError."""
    with loading_shares(group):
        causal, tokenizer = load_pretrained(folder)
    begin(causal, group)
    model = LanguageModel.over(causal, tokenizer, adapters)
    model.decoder.static = False  # a captured step would hold weights that are given back
    return model


def begin(causal: Any, group: "Group") -> None:
    """Once such a model is loaded: the group knows it, and the place of its layers is made.

    What is made while torch only infers could not be trained through later.
    """
    import torch

    network = decoder(causal)
    with torch.no_grad():
        network(input_ids=torch.zeros(1, 1, dtype=torch.long, device=causal.device), use_cache=False)
    group.share(network)


def _share_out(causal: Any, mesh: Any, group: "Group") -> None:
    """`causal`: without weights yet (on torch's meta device)."""
    from torch.distributed.fsdp import fully_shard

    causal.requires_grad_(False)
    network, gathering = decoder(causal), _Gathering(group)
    for layer in network.layers:
        fully_shard(layer, mesh=mesh).set_custom_all_gather(gathering)
    layers = {id(one) for one in network.layers.parameters()}
    whole = {one for one in network.parameters() if id(one) not in layers}
    fully_shard(network, mesh=mesh, ignored_params=whole)  # nothing of its own: it lets the next layer come ahead


@contextmanager
def _mesh(group: "Group") -> Iterator[Any]:
    """The processes as torch describes them, for which it needs a default group. Nothing is sent through that one.

    It is there within the context only: afterwards libraries would divide their work by it, or wait for the others.
    """
    import torch
    from torch.distributed import PrefixStore, distributed_c10d, init_process_group  # type: ignore[attr-defined]
    from torch.distributed.device_mesh import init_device_mesh

    from toolkit.model.cards.group import PATIENCE

    init_process_group(
        "gloo", store=PrefixStore("mesh", group.store), rank=group.rank, world_size=group.size, timeout=PATIENCE
    )
    try:
        yield init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (group.size,))
    finally:
        distributed_c10d._update_default_pg(None)  # noqa: SLF001  # docs/fragile.md
