"""A causal language model that answers with transformers and peft: one load, switchable adapters, greedy batches.

Greedy means the highest logit at every step and nothing else: sampling and repetition penalties of the model's own
generation_config are ignored, so that two sides differ only in their weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

from toolkit.core.errors import DataError
from toolkit.core.events import Listener, Progress, silent
from toolkit.model.chat_template import ChatTokens, opens_thought, rendered, thinks
from toolkit.model.conversation import THOUGHT_TOKENS, Messages, is_thinking
from toolkit.model.decoding.answer import Answer, answer_of, answer_within
from toolkit.model.decoding.answer_end import answer_end, end_tokens
from toolkit.model.decoding.answer_memory import batches, even_batches, filled_rows, free_bytes, rows_that_fit
from toolkit.model.decoding.greedy import GreedyDecoder
from toolkit.model.decoding.spread import Other, spread
from toolkit.model.device import Device
from toolkit.model.families.family import family_of
from toolkit.model.families.own_calls import own_call
from toolkit.model.generation import DecodingBatch, Detokenizer, Row, broken_logits, pad_left
from toolkit.model.loading import load_pretrained, untie_adapted, with_adapter

__all__ = ["Answer", "LanguageModel", "Load", "freeing", "load_model"]
UNLIMITED = 2**20  # the context of a model whose configuration names none
BATCH_SIZE = {"cpu": 24, "cuda": 256}  # prompts per batch: on a card a step costs about the same for one or many


class LanguageModel:
    """A causal language model with its tokenizer, and adapters that are switched on and off by name.

    `others`: processes with the same model, which do a part of what is asked in batches.
    """

    others: Sequence[Other] = ()
    switch: str | None = None  # the last side

    def __init__(self, model: Any, tokenizer: Any, *, adapters: Sequence[str] = ()) -> None:
        from transformers import GenerationConfig

        self.model, self.tokenizer, self.adapters = model.eval(), tokenizer, tuple(adapters)
        self.tokens = ChatTokens(tokenizer)
        self._end_mark = family_of(model.config.to_dict()).answer_end
        self.end_tokens = end_tokens(tokenizer, model.generation_config.eos_token_id, self._end_mark)
        # `generate` takes what it is not given from here, such as Qwen2.5's own repetition penalty.
        model.generation_config = GenerationConfig(eos_token_id=self.end_tokens, pad_token_id=self._pad())
        self.decoder = GreedyDecoder(ends=self.end_tokens, pad_token=self._pad())

    @classmethod
    def load(
        cls, folder: Path, adapters: Mapping[str, Path] | None = None, *, device: Device | None = None,
        in_4bit: bool = False,
    ) -> Self:  # fmt: skip
        """Loads safetensors only and runs no code from the folder. Raises ModelError, and ConfigError for in_4bit."""
        model, tokenizer = load_pretrained(folder, device, in_4bit=in_4bit)
        return cls.over(model, tokenizer, adapters or {})

    @classmethod
    def over(cls, model: Any, tokenizer: Any, adapters: Mapping[str, Path]) -> Self:
        """A loaded model with these adapters added (name → folder). Raises ModelError."""
        for name, path in adapters.items():
            model = with_adapter(model, name, path)
        return cls(model, tokenizer, adapters=tuple(adapters))

    @property
    def batch_size(self) -> int:
        return BATCH_SIZE.get(self.model.device.type, BATCH_SIZE["cpu"])

    @property
    def on_card(self) -> bool:
        return bool(self.model.device.type == "cuda")

    @property
    def thinks(self) -> bool:
        """Whether it writes a thought before an answer, where THINKING stands before the conversation."""
        return thinks(self.tokenizer)

    @property
    def context_tokens(self) -> int:
        """The longest conversation that it reads, its answer included."""
        return int(getattr(self.model.config, "max_position_embeddings", UNLIMITED))

    @property
    def template_end(self) -> int | None:
        """The token that ends an answer in training; None if neither chat template nor family has one."""
        return answer_end(self.tokenizer, self._end_mark)

    @property
    def own_call(self) -> str | None:
        """What the chat template writes for a tool call (`families.own_calls`); None where it takes no tools."""
        return own_call(self.tokenizer)

    def require_room(self, prompt: Sequence[int]) -> int:
        """The tokens that are left for an answer. Raises DataError where a conversation fills the context."""
        if len(prompt) >= self.context_tokens:
            raise DataError(
                f"The conversation has {len(prompt)} tokens; the model reads {self.context_tokens}, answer included.",
                next="Ask a shorter question, or start a new conversation (/forget).",
            )
        return self.context_tokens - len(prompt)

    @property
    def precision(self) -> str:
        """The type that the model computes in, such as bfloat16."""
        return str(self.model.dtype).removeprefix("torch.")

    def side(self, adapter: str | None) -> AbstractContextManager[Any]:
        """A context in which this adapter is on; None: no adapter; `name@0.5`: half the adapter's scale."""
        self.switch = adapter
        if adapter is None:
            disabled: AbstractContextManager[Any] = self.model.disable_adapter() if self.adapters else nullcontext()
            return disabled
        name, _, scale = adapter.partition("@")
        self.model.set_adapter(name)
        if not scale:
            return nullcontext()
        from peft.helpers import rescale_adapter_scale

        return cast("AbstractContextManager[Any]", rescale_adapter_scale(self.model, float(scale)))

    def prompt_text(self, messages: Messages) -> str:
        """The chat template's text up to the start of the answer. Raises ModelError."""
        return rendered(self.tokenizer, messages, prompt=True)

    def prompt_ids(self, messages: Messages) -> list[int]:
        """`prompt_text` as token ids, with special tokens within the messages as text."""
        return self.tokens.ids(self.prompt_text(self.tokens.escaped(messages)))

    def answers(
        self,
        prompts: Sequence[Messages],
        *,
        max_new_tokens: int,
        thought_tokens: int = THOUGHT_TOKENS,
        batch_size: int | None = None,
        listener: Listener = silent,
        task: str = "Answering",
    ) -> list[Answer]:
        """One greedy answer per prompt, in the prompts' order. Raises ModelError for logits that are not finite.

        `thought_tokens`: of the thought before an answer, where the model thinks and is asked to.
        A batch takes as long as its longest answer, so questions of similar length share one, as does one question
        under several system prompts.
        """
        encoded = [self.prompt_ids(messages) for messages in prompts]
        order = self._batch_order(prompts)
        found: dict[int, Answer] = {}
        thinking = [self.thinks and is_thinking(messages) for messages in prompts]

        def finished(at: int, answer: Answer) -> Answer:
            if not thinking[at]:
                return answer
            opened = opens_thought(self.prompt_text(prompts[at]))
            return answer_within(
                answer, self.text_of, thought_tokens=thought_tokens, answer_tokens=max_new_tokens, opened=opened
            )

        for with_thought in sorted(set(thinking)):  # apart: the others are much shorter
            alike = [at for at in order if thinking[at] is with_thought]
            left = min(self.require_room(encoded[at]) for at in alike) - max_new_tokens
            longest = max_new_tokens + with_thought * max(min(thought_tokens, left), 0)
            parts = list(self.batches(encoded, alike, longest, batch_size))
            jobs = [([encoded[at] for at in batch], longest, bool(self.others)) for batch in parts]
            for number, generated in spread(self, _generated, jobs):
                found.update((at, finished(at, one)) for at, one in zip(parts[number], generated, strict=True))
                texts, notice = {at: found[at].text for at in parts[number]}, self.decoder.notice
                listener(Progress(task=task, done=len(found), total=len(order), detail=notice, texts=texts))
        return [found[at] for at in range(len(prompts))]

    def batches(
        self, encoded: Sequence[Sequence[int]], order: Sequence[int], max_new_tokens: int, most: int | None
    ) -> Iterator[list[int]]:
        """The prompts' indices, as many at once as `most` (None: as suit), and as there is room for on the card."""
        if most is None and not self.on_card:
            return iter(even_batches([*map(len, encoded)], order, fewest=self.batch_size))
        most = most or self.batch_size
        lengths = [len(prompt) + max_new_tokens for prompt in encoded]
        fitting = self.fitting()
        if fitting is None or not self.decoder.is_static(self.model):
            return batches(lengths, order, most=most, fitting=fitting)
        return batches(lengths, order, most=most, fitting=lambda tokens: filled_rows(fitting(tokens)))

    def fitting(self) -> Callable[[int], int] | None:
        """Gives how many conversations of so many tokens the card has room for; None on a CPU."""
        if not self.on_card:
            return None
        config, element, free = self.model.config.to_dict(), self.model.dtype.itemsize, free_bytes(self.model.device)
        static = self.decoder.is_static(self.model)
        return lambda tokens: rows_that_fit(config, element, tokens=tokens, free_bytes=free, static=static)

    def _batch_order(self, prompts: Sequence[Messages]) -> list[int]:
        """Indices of the prompts, the longest question first; equal questions stay together."""
        questions = [messages[-1]["content"] for messages in prompts]
        lengths = {text: len(self.tokens.text_ids(text)) for text in set(questions)}
        first = {text: at for at, text in reversed(list(enumerate(questions)))}
        return sorted(range(len(questions)), key=lambda at: (-lengths[questions[at]], first[questions[at]]))

    def generate(self, batch: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        """The greedy continuation of each sequence of token ids, in one batch. Raises ModelError as `answers`."""
        return [answer_of(one, self.text_of) for one in self.decoder.decode(self.model, batch, max_new_tokens)]

    def text_of(self, tokens: Sequence[int]) -> str:
        """Without special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.end_tokens[0])

    def answer_logits(self, prompts: Sequence[Messages], answers: Sequence[Answer]) -> Any:
        """The logits that predict the answers' tokens, shape [prompts, longest answer, vocabulary].

        Rows are aligned on the right: a shorter answer's logits are the last ones of its row.
        """
        whole = [self.prompt_ids(one) + answer.tokens for one, answer in zip(prompts, answers, strict=True)]
        inputs, mask = pad_left(whole, self._pad(), self.model.device)
        logits = self.model(
            input_ids=inputs, attention_mask=mask, logits_to_keep=max(len(one.tokens) for one in answers) + 1,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),  # as in generation: padding has no position
        ).logits  # fmt: skip
        return logits[:, :-1]  # the last position predicts the token after the answer

    def stream(self, messages: Messages, *, max_new_tokens: int) -> Iterator[str]:
        """The greedy answer, part by part as it is found; closing the iterator ends the generation."""
        batch, text = DecodingBatch(self.model, pad_token=self._pad()), Detokenizer(self.tokenizer)
        prompt = self.prompt_ids(messages)
        max_new_tokens = min(max_new_tokens, self.require_room(prompt))
        tokens = batch.join([Row(prompt=prompt)])
        for count in range(1, max_new_tokens + 1):
            [token] = tokens
            if token is None:
                raise broken_logits()
            if token.id in self.end_tokens:
                break
            if part := text.add(token.id):
                yield part
            if count < max_new_tokens:
                tokens = batch.step()
        if part := text.rest():
            yield part

    def mixed_batch(self) -> DecodingBatch:
        """A batch of rows each of which names its adapter, or none."""
        return DecodingBatch(self.model, pad_token=self._pad(), mixed=bool(self.adapters))

    def merge(self, adapter: str, *, dtype: str) -> None:
        """Merges the adapter into the weights: this model then has no adapters."""
        import torch

        self.model.set_adapter(adapter)
        untie_adapted(self.model)
        self.model = self.model.merge_and_unload(safe_merge=True).to(getattr(torch, dtype))
        self.adapters = ()

    def save_merged(self, adapter: str, folder: Path, *, dtype: str, max_shard_bytes: int = 4_000_000_000) -> None:
        """Merges the adapter and writes the weights as safetensors."""
        self.merge(adapter, dtype=dtype)
        self.model.save_pretrained(folder, max_shard_size=max_shard_bytes)

    def tensors(self) -> dict[str, Any]:
        """The weights by transformers' names, on their device and not copied."""
        return dict(self.model.state_dict())


def _generated(model: LanguageModel, job: tuple[Sequence[Sequence[int]], int, bool]) -> list[Answer]:
    """Without logits where they would have to be sent, a vocabulary's width each, unless one token is asked for."""
    found = model.generate(job[0], job[1])
    return [replace(one, first_logits=None) for one in found] if job[2] and job[1] > 1 else found


@contextmanager
def freeing(model: LanguageModel) -> Iterator[LanguageModel]:
    """Frees the model's memory on exit, so that another model fits on the same card."""
    import gc

    import torch

    try:
        yield model
    finally:
        has_weights = isinstance(model.model, torch.nn.Module)
        model.model = None
        if has_weights:
            model.decoder.release()
            gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


# Takes a folder and adapters, and in_4bit=True for a base model in 4 bits.
Load = Callable[..., LanguageModel]


def load_model(folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
    """The default `Load`; tests pass their own."""
    return LanguageModel.load(folder, adapters, in_4bit=in_4bit)
