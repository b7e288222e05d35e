"""Trainer callbacks: progress, graceful stop, losses that are not finite, early stopping once learned."""

import json
import math
import time
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from toolkit.core.errors import TrainingError
from toolkit.core.events import Listener, Progress
from toolkit.model.conversation import conversation
from toolkit.model.device import reserved_bytes
from toolkit.model.language_model import LanguageModel
from toolkit.runs.layout import LOG_FILE
from toolkit.train.development_set import Question, enough
from toolkit.train.job import DEV_METRICS, EARLY_STOP, EPOCHS, INTERRUPTED, LEARNED, TRAINING, TrainingJob
from toolkit.train.passes.batch import TrainSequence
from toolkit.train.passes.keep_loss import drift

TOLD = ("loss", "eval_loss", "cross_entropy", "kl", "grad_norm", "learning_rate", "token_acc", "epoch", *DEV_METRICS)
SPARE_TOKENS = 8  # an answer that is longer than the trained one by so much is another


class StopWhenLearned(TrainerCallback):  # type: ignore[misc]
    """`took` when the questions are answered as trained and the drift on `held_out` is within the recipe's budget.

    `before`: the base model's own answers to the questions.
    """

    def __init__(
        self, trainer: Any, tokenizer: Any, job: TrainingJob, held_out: Sequence[TrainSequence], before: Sequence[str]
    ) -> None:
        self.trainer, self.tokenizer, self.held_out, self.before = trainer, tokenizer, held_out, before
        self.questions, self.budget = job.questions, job.recipe.stop_kl
        self.took = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        at_the_end = state.global_step >= state.max_steps
        if not epoch_is_whole(state) and not at_the_end:  # interrupted within the epoch
            return
        seen = self.look()
        self.trainer.log(dict(seen))
        if not at_the_end and enough(seen["dev_passed"], len(self.questions)) and seen.get("dev_kl", 0) <= self.budget:
            self.took = control.should_save = control.should_training_stop = True
            args.save_only_model = True  # nothing resumes from a finished run

    def look(self) -> dict[str, float]:
        """Answers are greedy, as in a comparison; the model is left as it was found."""
        model = self.trainer.accelerator.unwrap_model(self.trainer.model)
        training = model.training
        told = ask(model, self.tokenizer, self.questions)
        passed = sum(
            one.met(answer, before) for one, answer, before in zip(self.questions, told, self.before, strict=True)
        )
        seen: dict[str, float] = {"dev_passed": passed, "dev_asked": len(self.questions)}
        if self.held_out:
            seen["dev_kl"] = drift(model, self.held_out, self.tokenizer.pad_token_id)
        model.train(training)
        return seen


def ask(model: Any, tokenizer: Any, questions: Sequence[Question]) -> list[str]:
    """Greedy answers, no longer than can still be the trained ones."""
    asker = LanguageModel(model, tokenizer)
    longest = max(len(tokenizer(text)["input_ids"]) for one in questions for text in one.answers)
    prompts = [conversation(one.prompt, one.system) for one in questions]
    return [answer.text for answer in asker.answers(prompts, max_new_tokens=longest + SPARE_TOKENS)]


def looks(log_history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every look of the training, those before an interruption included, as run.json tells them."""
    return [
        {"step": entry["step"], **{name.removeprefix("dev_"): entry[name] for name in DEV_METRICS if name in entry}}
        for entry in log_history
        if DEV_METRICS[0] in entry
    ]


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
        if not logs or not {"loss", "eval_loss", DEV_METRICS[0]} & set(logs):
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


def epoch_is_whole(state: Any) -> bool:
    """Whether the step under way is an epoch's last; `state` counts epochs in fractions, with rounding errors."""
    return math.isclose(state.epoch, round(state.epoch), abs_tol=1e-6)


def stop_reason(state: Any, *, interrupted: bool, took: bool) -> str:
    if took:
        return LEARNED
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
