"""One base model for many trainings and comparisons: loaded once, and its own answers are generated once."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.core.events import Listener
from toolkit.model.conversation import Messages
from toolkit.model.device import find_device
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.loading import load_pretrained
from toolkit.train import ms_swift
from toolkit.train.job import TrainingJob, TrainingResult
from toolkit.train.ms_swift.shared_weights import SharedWeights

AnswerCache = dict[str, list[Answer]]


class SharedBase:
    """`train` and `load` are backends for trainings and comparisons; both work on clones that share the weights."""

    def __init__(self) -> None:
        self._weights = SharedWeights()
        self._cache: AnswerCache = {}

    def train(self, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]) -> TrainingResult:
        """As `ms_swift.train`; loads the base only if it is not here yet."""
        return ms_swift.train(job, listener, stop_requested, self._weights)

    def load(self, folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
        """The base with these adapters, in the device's own precision; raises ModelError.

        Another base takes the place of the one before: two need not fit on one card.
        """
        key = folder, find_device().precision, in_4bit
        if not self._weights.has(key):
            self._weights = SharedWeights()
            self._weights.add(key, *load_pretrained(folder, in_4bit=in_4bit))
        model = CachingModel.over(*self._weights.clone(key), adapters)
        model.cache, model.base = self._cache, (str(folder), in_4bit)
        return model


class CachingModel(LanguageModel):
    """Answers without an adapter are generated once for the same prompts, batches and length."""

    cache: AnswerCache
    base: tuple[str, bool]  # its folder, and whether it is in 4 bits

    def answers(self, prompts: Sequence[Messages], **how: Any) -> list[Answer]:
        if self.switch is not None or how["max_new_tokens"] == 1:  # one token is asked for the sake of its logits
            return super().answers(prompts, **how)
        key = json.dumps([self.base, list(prompts), how.get("batch_size"), how["max_new_tokens"]])
        if key not in self.cache:
            found = super().answers(prompts, **how)
            self.cache[key] = [replace(answer, first_logits=None) for answer in found]  # a vocabulary's width each
        return self.cache[key]
