"""Decodes rows together, token by token: each row has an adapter and a sampling of its own, and rows join and leave.

Greedy rows take the highest logit and nothing else, as `LanguageModel.answers` does.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.core.errors import ModelError

BASE_ROW = "__base__"  # peft's name for a row without an adapter
LOWEST_TEMPERATURE = 1e-5  # below it, only the highest logit has a probability that float32 can express
REPLACEMENT = "\ufffd"  # what an incomplete UTF-8 sequence decodes to


@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """What one answer is decoded from.

    `prompt`: token ids, at least one. `adapter`: its name in the model; None for the base model. `temperature`: greedy
    up to LOWEST_TEMPERATURE. `top_p`: sample from the most likely tokens that together reach this probability
    (arXiv:1904.09751). `top_logprobs`: how many alternatives each token comes with; None for no log probabilities at
    all.
    """

    prompt: Sequence[int]
    adapter: str | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    top_logprobs: int | None = None


@dataclass(frozen=True, kw_only=True)
class Token:
    """A row's next token; `logprob` and `alternatives` (id, log probability), most likely first, if the row asks."""

    id: int
    logprob: float | None = None
    alternatives: tuple[tuple[int, float], ...] = ()


class DecodingBatch:
    """The rows that are decoded together, with their key-value cache. Belongs to one thread at a time.

    `mixed`: each row chooses its adapter; otherwise every row is answered by the side that the model is switched to.
    """

    def __init__(self, network: Any, *, pad_token: int, mixed: bool = False) -> None:
        self.network, self.pad_token = network, pad_token
        self.rows: list[Row] = []
        self._adapters = AdapterPerRow(network) if mixed else None
        self._cache: Any = None  # of each layer, keys and values: [rows, heads, length, head size], padded on the left
        self._mask: Any = None  # [rows, length], 0 for padding
        self._last: Any = None  # [rows, 1], the token that each row goes on from

    def join(self, rows: Sequence[Row]) -> list[Token | None]:
        """Reads the prompts of these rows and returns the first token of each; None where the logits are not finite.

        If it raises, the rows that were here before are as they were.
        """
        import torch
        from transformers import DynamicCache

        with torch.inference_mode():
            ids, mask = pad_left([row.prompt for row in rows], self.pad_token, self.network.device)
            cache = DynamicCache()
            tokens, last = next_tokens(self._logits(rows, ids, mask, cache), rows)
            if self.rows:
                cache, mask = _stack((self._cache, self._mask), (cache, mask))
                last = torch.cat([self._last, last])
        self.rows, self._cache, self._mask, self._last = [*self.rows, *rows], cache, mask, last
        return tokens

    def step(self) -> list[Token | None]:
        """The next token of each of `rows`, in their order; None where the logits are not finite.

        If it raises, the batch must be cleared.
        """
        import torch

        with torch.inference_mode():
            self._mask = torch.cat([self._mask, torch.ones_like(self._last)], dim=1)
            logits = self._logits(self.rows, self._last, self._mask, self._cache)
            tokens, self._last = next_tokens(logits, self.rows)
        return tokens

    def leave(self, rows: Collection[Row]) -> None:
        """Takes these rows out, and the padding that only they needed."""
        import torch

        staying = [index for index, row in enumerate(self.rows) if row not in rows]
        if len(staying) == len(self.rows):
            return
        if not staying:
            self.clear()
            return
        with torch.inference_mode():
            mask = self._mask[staying]
            padding = int(mask.argmax(dim=-1).min())  # columns that are padding in every row
            self.rows = [self.rows[index] for index in staying]
            self._mask, self._last = mask[:, padding:], self._last[staying]
            self._cache = _cache_of(
                (layer.keys[staying, :, padding:], layer.values[staying, :, padding:]) for layer in self._cache.layers
            )

    def clear(self) -> None:
        """Takes every row out and frees the cache."""
        self.rows, self._cache, self._mask, self._last = [], None, None, None

    def _logits(self, rows: Sequence[Row], ids: Any, mask: Any, cache: Any) -> Any:
        """Shape [rows, vocabulary], after the last of `ids`; `cache` grows by them."""
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]  # padding has no position
        if self._adapters is not None:
            self._adapters.choose([row.adapter for row in rows])
        try:
            return self.network(
                input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1].float()  # fmt: skip
        finally:
            if self._adapters is not None:
                self._adapters.choose([])


class AdapterPerRow:
    """Hands each of peft's layers the adapter of each row, as peft does for a call's `adapter_names`.

    peft sets hooks on every layer for every such call, which costs some milliseconds a token; these hooks stay. They
    do nothing as long as no adapters are chosen.
    """

    def __init__(self, network: Any) -> None:
        from peft.tuners.lora import LoraLayer
        from peft.utils import AuxiliaryTrainingWrapper

        self._known = {None, *network.peft_config}
        self._names: list[str] = []
        for module in network.modules():
            if isinstance(module, LoraLayer | AuxiliaryTrainingWrapper):
                module.register_forward_pre_hook(self._pass_names, with_kwargs=True)

    def choose(self, adapters: Sequence[str | None]) -> None:
        """One for each row of the next call, None for the base model; empty: as the model is switched.

        Raises KeyError for an adapter that the model does not have: its layers would answer as the base model.
        """
        if unknown := set(adapters) - self._known:
            raise KeyError(f"no adapter {unknown}")
        self._names = [BASE_ROW if adapter is None else adapter for adapter in adapters]

    def _pass_names(self, _: Any, arguments: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return arguments, {**settings, "adapter_names": self._names} if self._names else settings


def pad_left(sequences: Sequence[Sequence[int]], pad_token: int, device: Any) -> tuple[Any, Any]:
    """Token ids and attention mask, both of shape [sequences, longest]."""
    import torch

    longest = max(map(len, sequences))
    ids = [[pad_token] * (longest - len(sequence)) + list(sequence) for sequence in sequences]
    mask = [[0] * (longest - len(sequence)) + [1] * len(sequence) for sequence in sequences]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _stack(*parts: tuple[Any, Any]) -> tuple[Any, Any]:
    """One cache and mask of several, each padded on the left to the longest."""
    import torch
    from torch.nn.functional import pad

    longest = max(mask.shape[1] for _, mask in parts)

    def stacked(tensors: Sequence[Any]) -> Any:
        """Keys or values of one layer."""
        return torch.cat([pad(tensor, (0, 0, longest - tensor.shape[2], 0)) for tensor in tensors])

    layers = zip(*(cache.layers for cache, _ in parts), strict=True)
    cache = _cache_of(
        (stacked([one.keys for one in layer]), stacked([one.values for one in layer])) for layer in layers
    )
    return cache, torch.cat([pad(mask, (longest - mask.shape[1], 0)) for _, mask in parts])


def _cache_of(layers: Iterator[tuple[Any, Any]]) -> Any:
    from transformers import DynamicCache

    cache = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(keys, values, index)
    return cache


def next_tokens(logits: Any, rows: Sequence[Row]) -> tuple[list[Token | None], Any]:
    """The token of each row, None where its logits are not finite, and the same as a tensor of shape [rows, 1].

    `logits`: shape [rows, vocabulary], float32.
    """
    import torch

    chosen = logits.argmax(dim=-1)
    sampling = [index for index, row in enumerate(rows) if row.temperature > LOWEST_TEMPERATURE]
    if sampling:
        chosen[sampling] = _sample(logits[sampling], [rows[index] for index in sampling])
    logprobs = _logprobs(logits, chosen, rows)
    finite = torch.isfinite(logits.amax(dim=-1)).tolist()
    ids = chosen.tolist()
    tokens = [Token(id=ids[index], **logprobs.get(index, {})) if finite[index] else None for index in range(len(rows))]
    return tokens, chosen[:, None]


def _sample(logits: Any, rows: Sequence[Row]) -> Any:
    """A token id a row, shape [rows]."""
    import torch

    def column(values: list[float]) -> Any:
        return torch.tensor(values, device=logits.device)[:, None]

    temperature = column([row.temperature for row in rows])
    logits = torch.nan_to_num(logits)  # such a row's token is not used, but must not raise for the others
    highest_first = ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1).sort(descending=True)
    probabilities, ids = highest_first
    before = probabilities.cumsum(dim=-1) - probabilities
    probabilities[:, 1:][before[:, 1:] >= column([row.top_p for row in rows])] = 0.0  # the first token always stays
    return ids.gather(1, torch.multinomial(probabilities, 1))[:, 0]


def _logprobs(logits: Any, chosen: Any, rows: Sequence[Row]) -> dict[int, dict[str, Any]]:
    """Of the rows that ask, by their index: what `Token` says beside its id. Temperature and top_p do not count."""
    found = {}
    for index, row in enumerate(rows):
        if row.top_logprobs is not None:
            logprobs = logits[index].log_softmax(dim=-1)
            top = logprobs.topk(row.top_logprobs)
            found[index] = {
                "logprob": float(logprobs[chosen[index]]),
                "alternatives": tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True)),
            }
    return found


class Recorder:
    """A logits processor that changes nothing and records each step's margins and the first step's logits."""

    def __init__(self) -> None:
        self.margins: list[Any] = []
        self.first: Any = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002  # the processor's signature
        if self.first is None:
            self.first = scores.float().cpu()
        top = scores.topk(2, dim=-1).values.float()
        self.margins.append(top[:, 0] - top[:, 1])
        return scores


class Detokenizer:
    """Turns tokens into text as they come: what it returned so far is always the start of the complete text."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = 0  # where decoding begins: some tokenizers need a token's predecessors to space it
        self._end = 0  # up to here, the text was returned
        self._returned = 0  # characters of the tokens from start to end

    def add(self, token: int) -> str:
        """The text that is certain now: nothing while a character is incomplete."""
        self._ids.append(token)
        text = self._decoded()
        if text.endswith(REPLACEMENT):
            return ""
        new = text[self._returned :]
        self._start, self._end = self._end, len(self._ids)
        self._returned = len(self._decoded())
        return new

    def rest(self) -> str:
        """What is left when no token follows."""
        return self._decoded()[self._returned :]

    def _decoded(self) -> str:
        return str(self.tokenizer.decode(self._ids[self._start :], skip_special_tokens=True))


def broken_logits() -> ModelError:
    """The error of an answer whose logits are not finite numbers."""
    return ModelError(
        "The logits are not finite numbers: the weights are broken, or an adapter's training diverged.",
        next="Train again with a lower --learning-rate.",
    )
