"""Another implementation of attention for a loaded model, for some time, by transformers' own register."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SDPA = "sdpa"  # transformers' name for torch's fused kernels


def is_sdpa(config: Any) -> bool:
    """Whether a loaded model of this configuration computes attention by torch's fused kernels."""
    return bool(config._attn_implementation == SDPA)  # noqa: SLF001  # see docs/fragile.md


def sdpa(*inputs: Any, **how: Any) -> Any:
    """Attention by torch's fused kernels, called as transformers calls an implementation."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    return sdpa_attention_forward(*inputs, **how)


@contextmanager
def attention_by(config: Any, name: str, attention: Callable[..., Any]) -> Iterator[None]:
    """Within, every layer of the model of this configuration computes its attention by this function."""
    from transformers import AttentionInterface

    AttentionInterface.register(name, attention)
    before = config._attn_implementation  # noqa: SLF001  # see docs/fragile.md
    config._attn_implementation = name  # noqa: SLF001
    try:
        yield
    finally:
        config._attn_implementation = before  # noqa: SLF001
