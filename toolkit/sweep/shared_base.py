"""One base model for a whole sweep: loaded once, and asked once what every comparison asks it again."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.core.events import Listener
from toolkit.model.conversation import Messages
from toolkit.model.device import find_device
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.shared_weights import SharedWeights
from toolkit.train import ms_swift
from toolkit.train.job import TrainingJob, TrainingResult

Remembered = dict[str, list[Answer]]


class SharedBase:
    """Doors for training and comparing: `train` lends the base out, `load` puts adapters onto what is held."""

    def __init__(self) -> None:
        self._lent = SharedWeights()
        self._remembered: Remembered = {}

    def train(self, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]) -> TrainingResult:
        return ms_swift.train(job, listener, stop_requested, self._lent)

    def load(self, folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
        """As a comparison alone would load it: in the device's own precision."""
        key = folder, find_device().precision, in_4bit
        model = (
            CachingModel.over(*self._lent.clone(key), adapters)
            if self._lent.has(key)
            else CachingModel.load(folder, adapters, in_4bit=in_4bit)
        )
        model.remembered, model.base = self._remembered, (str(folder), in_4bit)
        return model


class CachingModel(LanguageModel):
    """Answers from memory what the base model was asked before, in the same batches."""

    remembered: Remembered
    base: tuple[str, bool]  # its folder, and whether it is in 4 bits
    _adapter: str | None = None

    def side(self, adapter: str | None) -> AbstractContextManager[Any]:
        self._adapter = adapter
        return super().side(adapter)

    def answers(self, prompts: Sequence[Messages], **how: Any) -> list[Answer]:
        if self._adapter is not None:
            return super().answers(prompts, **how)
        key = json.dumps([self.base, list(prompts), how.get("batch_size"), how["max_new_tokens"]])
        if key not in self.remembered:
            found = super().answers(prompts, **how)
            self.remembered[key] = [replace(one, first_logits=None) for one in found]  # a vocabulary's width each
        return self.remembered[key]


class OneLoad:
    """A door for `compare` that keeps the base: further adapters are put onto it, and its own answers are made once."""

    def __init__(self) -> None:
        self._held: tuple[tuple[str, bool], LanguageModel] | None = None
        self._remembered: Remembered = {}

    def __call__(self, folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
        base = str(folder), in_4bit
        if self._held is None or self._held[0] != base:
            self._held = None  # two bases need not fit on one card
            self._held = base, LanguageModel.load(folder, adapters, in_4bit=in_4bit)
        held = self._held[1]
        missing = {name: path for name, path in adapters.items() if name not in held.adapters}
        model = LanguageModel.over(held.model, held.tokenizer, missing).model if missing else held.model
        names = (*held.adapters, *missing)
        self._held = base, LanguageModel(model, held.tokenizer, adapters=names)
        lent = CachingModel(model, held.tokenizer, adapters=names)  # whoever compares lets go of it in the end
        lent.remembered, lent.base = self._remembered, base
        return lent
