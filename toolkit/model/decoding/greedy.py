"""Continues prompts greedily: the highest logit at every step and nothing else, with one of two methods.

Plain: transformers' `generate`, whose cache grows with the answers. Static: a cache at fixed places, so that on a card
a step is captured as a CUDA graph (`static_batch`). Both give the same tokens but for rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from toolkit.core.errors import ModelError, first_line
from toolkit.model.decoding.answer_memory import rows_of_shape, tokens_of_shape
from toolkit.model.families.attention import is_sdpa
from toolkit.model.families.family import family_of
from toolkit.model.families.sizes import head_size
from toolkit.model.generation import Recorder, broken_logits, pad_left

if TYPE_CHECKING:
    from toolkit.model.decoding.static_batch import Decoded, StaticBatch
    from toolkit.model.decoding.static_cache import Memory

FEWEST_TOKENS = 8  # of an answer: up to here, capturing takes longer than the steps
KEPT_GRAPHS = 8  # at most: each takes some megabytes


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """`tokens`: without the end mark; `margins`: of each token and of the end, the gap between the highest two logits.

    `first_logits`: of the first token, shape [vocabulary].
    """

    tokens: list[int]
    margins: list[float]
    first_logits: Any


class GreedyDecoder:
    """Decodes with one network, whose adapters may be switched in between.

    `static`: which method to use; None: static on a card, where that pays. The static one keeps memory until `release`.
    """

    def __init__(self, *, ends: Sequence[int], pad_token: int) -> None:
        self.ends, self.pad_token = tuple(ends), pad_token
        self.static: bool | None = None
        self.refused: str | None = None  # why the static method was given up
        self._memory: Memory | None = None
        self._batches: dict[Any, StaticBatch] = {}
        self._pool: Any = None

    @property
    def notice(self) -> str:
        """That the static method was given up, in a few words; "" if it was not."""
        return "" if self.refused is None else f"slower, without CUDA graphs: {self.refused}"

    def is_static(self, network: Any) -> bool:
        """Whether answers of more than a few tokens are decoded over a static cache."""
        wanted = network.device.type == "cuda" if self.static is None else self.static
        return wanted and self.refused is None and supports_static(network.config)

    def decode(self, network: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Continuation]:
        """One continuation a prompt, in one batch. Raises ModelError for logits that are not finite."""
        import torch

        shape = self._shape(network, prompts, max_new_tokens)
        with torch.inference_mode():
            decoded = None if shape is None else self._in_shape(network, prompts, max_new_tokens, shape)
            if decoded is None:
                decoded = self._plain(network, prompts, max_new_tokens)
        try:
            return [
                self._continuation(*row) for row in zip(decoded.tokens, decoded.margins, decoded.first, strict=True)
            ]
        except ModelError:
            self.release()  # what is stored and masked must be finite too
            raise

    def release(self) -> None:
        """Frees the memory of the static method."""
        self._batches, self._memory, self._pool = {}, None, None

    def _shape(
        self, network: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int
    ) -> tuple[int, int, int, int] | None:
        """Of a layer's keys: [rows, key heads, capacity, head size]. None: the plain method.

        It depends on this batch only, so that the same questions are computed alike whatever was asked before. A single
        prompt is left to `generate`, for which a shape has no gain: that is where others' answers are compared.
        """
        rows = rows_of_shape(len(prompts))
        if not self.is_static(network) or rows is None or len(prompts) == 1 or max_new_tokens <= FEWEST_TOKENS:
            return None
        config = network.config
        capacity = tokens_of_shape(max(map(len, prompts)) + max_new_tokens)
        return rows, config.num_key_value_heads, capacity, head_size(vars(config))

    def _in_shape(
        self, network: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int, shape: tuple[int, int, int, int]
    ) -> "Decoded | None":
        """None if the card has no room for the shape; then, and after a refused capture, the plain method follows."""
        import torch

        try:
            batch = self._batch(network, shape)
            decoded = batch.decode(network, prompts, max_new_tokens, self.pad_token)
        except torch.OutOfMemoryError as error:
            self.refused, decoded = first_line(error), None
        else:
            self.refused = batch.refused
        if self.refused is not None:
            self.release()
        return decoded

    def _batch(self, network: Any, shape: tuple[int, int, int, int]) -> "StaticBatch":
        """The one of this shape, and of what the network computes now."""
        import torch

        from toolkit.model.decoding.static_batch import StaticBatch
        from toolkit.model.decoding.static_cache import Memory

        if self._memory is None:
            self._memory = Memory(network.config.num_hidden_layers, network.dtype, network.device)
        if not self._memory.holds(shape):
            self._batches.clear()
            self._memory.grow(shape)
        key = shape, _computed(network)
        if key not in self._batches:
            if len(self._batches) == KEPT_GRAPHS:
                del self._batches[next(iter(self._batches))]
            if self._pool is None and network.device.type == "cuda":
                self._pool = torch.cuda.graph_pool_handle()
            self._batches[key] = StaticBatch(
                self._memory.layers(shape), ends=self.ends, dtype=network.dtype, pool=self._pool
            )
        return self._batches[key]

    def _plain(self, network: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> "Decoded":
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        from toolkit.model.decoding.static_batch import Decoded

        inputs, mask = pad_left(prompts, self.pad_token, network.device)
        recorder = Recorder()
        greedy = GenerationConfig(
            do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=list(self.ends), pad_token_id=self.pad_token
        )
        output = network.generate(
            input_ids=inputs, attention_mask=mask, generation_config=greedy,
            logits_processor=LogitsProcessorList([recorder]),
        )  # fmt: skip
        tokens, margins = output[:, inputs.shape[1] :], torch.stack(recorder.margins, dim=1)
        return Decoded(tokens=tokens.tolist(), margins=margins.tolist(), first=recorder.first)

    def _continuation(self, tokens: list[int], margins: list[float], first_logits: Any) -> Continuation:
        length = next((at for at, token in enumerate(tokens) if token in self.ends), len(tokens))
        margins = margins[: length + 1]
        if not all(map(isfinite, margins)):
            raise broken_logits()
        return Continuation(tokens=tokens[:length], margins=margins, first_logits=first_logits.clone())


def supports_static(config: Any) -> bool:
    """Whether the static method is known to compute what the model of this configuration computes."""
    return (
        family_of({"model_type": config.model_type}).static_cache
        and is_sdpa(config)
        and getattr(config, "quantization_config", None) is None  # kernels for 4 bits depend on the number of rows
        and set(config.layer_types) == {"full_attention"}
    )


def _computed(network: Any) -> tuple[Any, ...]:
    """Whatever a captured step has fixed: where the weights are, and which adapters are on, at what strength."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import AuxiliaryTrainingWrapper

    weights = tuple(one.data_ptr() for one in network.parameters())
    adapters = tuple(
        # None: switched off, and then it does not matter which one was on before
        None
        if one.disable_adapters
        else tuple((name, getattr(one, "scaling", {}).get(name)) for name in one.active_adapters)
        for one in network.modules()
        if isinstance(one, BaseTunerLayer | AuxiliaryTrainingWrapper)
    )
    return weights, adapters
