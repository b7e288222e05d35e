"""Ears for ms-swift's trainer: progress to a listener, a line a step to a log, a stop request to a checkpoint."""

import json
import time
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from toolkit.device import reserved_bytes
from toolkit.errors import TrainingError
from toolkit.progress import Listener, Progress
from toolkit.swift.ending import epoch_is_whole
from toolkit.swift.job import LOG_FILE, LOOK, TRAINING

TOLD = ("loss", "eval_loss", "cross_entropy", "kl", "grad_norm", "learning_rate", "token_acc", "epoch", *LOOK)


class Watcher(TrainerCallback):  # type: ignore[misc]
    """Tells of each step, writes logging.jsonl, and turns a stop request into a saved checkpoint."""

    def __init__(self, run_folder: Path, listener: Listener, stop_requested: Callable[[], bool]) -> None:
        self.log, self.listener, self.stop_requested = run_folder / LOG_FILE, listener, stop_requested
        self.stopped, self.save_s = False, 0.0
        self.step_ended_at = self.began_at = time.perf_counter()

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self.began_at = time.perf_counter()
        self.listener(Progress(task=TRAINING, done=state.global_step, total=state.max_steps))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.step_ended_at = time.perf_counter()
        if state.global_step >= state.max_steps:
            args.save_only_model = True  # nothing resumes from a finished run: no optimizer state
        elif self.stop_requested():
            self.stopped = control.should_save = control.should_training_stop = True

    def on_epoch_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        unfinished = self.stopped and not epoch_is_whole(state)  # the rest of the epoch comes with a resumption
        if unfinished or state.global_step >= state.max_steps:  # the last step was evaluated and saved as a step
            control.should_evaluate = control.should_save = False
        elif self.stopped:  # saved again, with what the epoch's end has still to measure
            control.should_save = True

    def on_save(self, *_: Any, **__: Any) -> None:
        self.save_s += time.perf_counter() - self.step_ended_at

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or not {"loss", "eval_loss", LOOK[0]} & set(logs):
            return
        if not isfinite(logs.get("loss", 0.0)):
            raise TrainingError(
                f"The loss of step {state.global_step} is not a finite number: the training diverged.",
                next="Train again with a lower --learning-rate.",
            )
        memory = reserved_bytes()
        entry: dict[str, Any] = {
            "step": state.global_step,
            "of": state.max_steps,
            **{key: logs[key] for key in TOLD if key in logs},
            "elapsed_s": round(time.perf_counter() - self.began_at, 3),
            "memory_bytes": memory,
        }
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if "loss" not in logs:  # behind the step: evaluating is no part of saving
            self.step_ended_at = time.perf_counter()
            return
        detail = f"loss {logs['loss']:.3f}" + (f" · {memory / 2**30:.1f} GiB" if memory else "")
        self.listener(Progress(task=TRAINING, done=state.global_step, total=state.max_steps, detail=detail))


def replace_printer(trainer: Any, watcher: Watcher) -> None:
    """The trainer's own printer writes dictionaries to stdout, which is the answer's."""
    for callback in list(trainer.callback_handler.callbacks):
        if isinstance(callback, PrinterCallback):
            trainer.remove_callback(callback)
    trainer.add_callback(watcher)
