"""One base model for a whole sweep: loaded once, and asked once what every comparison asks it again."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit import swift
from toolkit.device import find_device
from toolkit.language_model import Answer, LanguageModel, Messages
from toolkit.progress import Listener

Remembered = dict[str, list[Answer]]


class SharedBase:
    """Doors for training and comparing: `train` lends the base out, `load` puts adapters onto what is held."""

    def __init__(self) -> None:
        self._lent = swift.LentBase()
        self._remembered: Remembered = {}

    def train(
        self, job: swift.TrainingJob, listener: Listener, stop_requested: Callable[[], bool]
    ) -> swift.TrainingResult:
        return swift.train(job, listener, stop_requested, self._lent)

    def load(self, folder: Path, adapters: Mapping[str, Path], *, in_4bit: bool = False) -> LanguageModel:
        """As a comparison alone would load it: in the device's own precision."""
        key = folder, find_device().precision, in_4bit
        model = (
            OnceAsked.over(*self._lent.loan(key), adapters)
            if self._lent.holds(key)
            else OnceAsked.load(folder, adapters, in_4bit=in_4bit)
        )
        model.remembered, model.base = self._remembered, (str(folder), in_4bit)
        return model


class OnceAsked(LanguageModel):
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
