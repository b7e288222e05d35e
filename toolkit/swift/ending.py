"""When a training ends before its epochs do: ms-swift's early stopping, made to survive an interruption."""

import math
from typing import Any

from transformers import TrainerCallback

from toolkit.swift.job import EARLY_STOP, EPOCHS, INTERRUPTED, TOOK


def epoch_is_whole(state: Any) -> bool:
    """Whether the step under way is an epoch's last; `state` counts epochs in fractions, with rounding errors."""
    return math.isclose(state.epoch, round(state.epoch), abs_tol=1e-6)


def stop_reason(state: Any, *, interrupted: bool, took: bool) -> str:
    if took:
        return TOOK
    if interrupted:
        return INTERRUPTED
    return EPOCHS if state.global_step >= state.max_steps else EARLY_STOP


def evaluations_since_best(losses: list[float]) -> int:
    """How many evaluations have passed since the lowest loss was first seen."""
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


class _GoOnCounting(TrainerCallback):  # type: ignore[misc]
    """ms-swift's early stopping counts from nothing in a resumed training; here it is told what was before."""

    def __init__(self, early_stop: Any) -> None:
        self.early_stop = early_stop

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
        if losses:
            self.early_stop.best_metric, self.early_stop.interval = state.best_metric, evaluations_since_best(losses)


def go_on_counting(trainer: Any) -> None:
    """For a trainer without early stopping, nothing."""
    from swift.callbacks.early_stop import EarlyStopCallback

    for callback in list(trainer.callback_handler.callbacks):
        if isinstance(callback, EarlyStopCallback):
            trainer.add_callback(_GoOnCounting(callback))
