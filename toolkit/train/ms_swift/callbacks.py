"""Trainer callbacks: progress, graceful stop, losses that are not finite, stopping once the questions are learned."""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from toolkit.core.errors import TrainingError
from toolkit.core.events import Listener, Progress
from toolkit.core.links import open_regular
from toolkit.model.cards.group import Group
from toolkit.model.conversation import conversation
from toolkit.model.device import reserved_bytes
from toolkit.model.language_model import LanguageModel
from toolkit.runs.checkpoints import write_digests
from toolkit.runs.layout import LOG_FILE, checkpoint_name
from toolkit.train.development_set import Question, is_enough
from toolkit.train.job import DEV_METRICS, EARLY_STOP, EPOCHS, INTERRUPTED, LEARNED, TRAINING, TrainingJob
from toolkit.train.passes.batch import TrainSequence
from toolkit.train.passes.keep_loss import mean_kl
from toolkit.train.passes.loss_scale import FLOAT32, SKIPPED

LOGGED = (
    "loss",
    "eval_loss",
    "cross_entropy",
    "kl",
    "grad_norm",
    "learning_rate",
    "token_acc",
    "epoch",
    "loss_scale",
    SKIPPED,
    *DEV_METRICS,
)
SPARE_TOKENS = 8  # an answer that is this much longer than the trained one is a different answer


class StopWhenLearned(TrainerCallback):  # type: ignore[misc]
    """Sets `learned`, and stops, once the questions are answered and the KL on `held_out` is within the budget.

    `before`: the base model's own answers to the questions.
    """

    def __init__(
        self, trainer: Any, tokenizer: Any, job: TrainingJob, held_out: Sequence[TrainSequence], before: Sequence[str]
    ) -> None:
        self.trainer, self.tokenizer, self.held_out, self.before = trainer, tokenizer, held_out, before
        self.questions, self.budget = job.development, job.recipe.stop_kl
        self.most_tokens = job.plan.answer_tokens
        self.learned = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        is_last_step = state.global_step >= state.max_steps
        if not is_epoch_complete(state) and not is_last_step:  # interrupted within the epoch
            return
        group: Group = self.trainer.group
        metrics = group.first(self.evaluate)
        self.trainer.log(dict(metrics))
        passed = is_enough(metrics["dev_passed"], len(self.questions)) and metrics.get("dev_kl", 0) <= self.budget
        if passed and not is_last_step:
            self.learned = control.should_save = control.should_training_stop = True
            args.save_only_model = True  # nothing resumes from a finished run

    def evaluate(self) -> dict[str, float]:
        """Answers greedily, as a comparison does, and leaves the model in the mode it was in."""
        model = self.trainer.accelerator.unwrap_model(self.trainer.model)
        training = model.training
        answers = answer_questions(model, self.tokenizer, self.questions)
        passed = sum(
            one.met(answer, before) for one, answer, before in zip(self.questions, answers, self.before, strict=True)
        )
        metrics: dict[str, float] = {"dev_passed": passed, "dev_asked": len(self.questions)}
        if self.held_out:
            metrics["dev_kl"] = mean_kl(model, self.held_out, self.tokenizer.pad_token_id, self.most_tokens)
        model.train(training)
        return metrics


def answer_questions(model: Any, tokenizer: Any, questions: Sequence[Question]) -> list[str]:
    """Greedy answers, cut where they can no longer be the trained ones."""
    language_model = LanguageModel(model, tokenizer)
    longest = max(len(language_model.tokens.text_ids(text)) for one in questions for text in one.answers)
    prompts = [conversation(one.prompt, one.system) for one in questions]
    return [answer.text for answer in language_model.answers(prompts, max_new_tokens=longest + SPARE_TOKENS)]


def logged_evaluations(log_history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every evaluation of the questions, including those before an interruption, as run.json records them."""
    return [
        {"step": entry["step"], **{name.removeprefix("dev_"): entry[name] for name in DEV_METRICS if name in entry}}
        for entry in log_history
        if DEV_METRICS[0] in entry
    ]


class Watcher(TrainerCallback):  # type: ignore[misc]
    """Reports each step, writes logging.jsonl, and turns a stop request into a saved checkpoint."""

    def __init__(
        self, run_folder: Path, listener: Listener, stop_requested: Callable[[], bool], precision: str
    ) -> None:
        self.log, self.listener, self.stop_requested = run_folder / LOG_FILE, listener, stop_requested
        self.precision = precision
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
        interrupted = self.stopped and not is_epoch_complete(state)  # a resumed run trains the rest of the epoch
        if interrupted or state.global_step >= state.max_steps:  # the last step was evaluated and saved as a step
            control.should_evaluate = control.should_save = False
        elif self.stopped:  # saved again, with what the end of the epoch has yet to measure
            control.should_save = True

    def on_save(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            write_digests(self.log.with_name(checkpoint_name(state.global_step)))
        self.save_s += time.perf_counter() - self.step_ended_at

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or not {"loss", "eval_loss", DEV_METRICS[0]} & set(logs):
            return
        if not isfinite(logs.get("loss", 0.0)):
            raise TrainingError(
                f"The loss of step {state.global_step} is not a finite number: the training diverged.",
                next=FLOAT32 if self.precision == "float16" else "Train again with a lower --learning-rate.",
            )
        memory = reserved_bytes()
        entry: dict[str, Any] = {
            "step": state.global_step,
            "of": state.max_steps,
            **{key: logs[key] for key in LOGGED if key in logs},
            "elapsed_s": round(time.perf_counter() - self.began_at, 3),
            "memory_bytes": memory,
        }
        with os.fdopen(open_regular(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if "loss" not in logs:  # an evaluation after the step: its time must not count as saving
            self.step_ended_at = time.perf_counter()
            return
        detail = f"loss {logs['loss']:.3f}" + (f" · {memory / 2**30:.1f} GiB" if memory else "")
        self.listener(Progress(task=TRAINING, done=state.global_step, total=state.max_steps, detail=detail))


def replace_printer(trainer: Any, watcher: Watcher) -> None:
    """The trainer's own printer writes dictionaries to stdout, which is for the answer only."""
    for callback in list(trainer.callback_handler.callbacks):
        if isinstance(callback, PrinterCallback):
            trainer.remove_callback(callback)
    trainer.add_callback(watcher)


def is_epoch_complete(state: Any) -> bool:
    """Whether the current step is an epoch's last; `state` counts epochs in fractions, with rounding errors."""
    return math.isclose(state.epoch, round(state.epoch), abs_tol=1e-6)


def stop_reason(state: Any, *, interrupted: bool, learned: bool) -> str:
    if learned:
        return LEARNED
    if interrupted:
        return INTERRUPTED
    return EPOCHS if state.global_step >= state.max_steps else EARLY_STOP


def evaluations_since_best(losses: list[float]) -> int:
    """The number of evaluations since the lowest loss was first reached."""
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


class _RestoreEarlyStopping(TrainerCallback):  # type: ignore[misc]
    """ms-swift's early stopping counts from zero in a resumed training; this restores its count."""

    def __init__(self, early_stop: Any) -> None:
        self.early_stop = early_stop

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
        if losses:
            self.early_stop.best_metric, self.early_stop.interval = state.best_metric, evaluations_since_best(losses)


def restore_early_stopping(trainer: Any) -> None:
    """Raises TrainingError if ms-swift's early stopping is not there, or does not count as this module expects."""
    from swift.callbacks.early_stop import EarlyStopCallback

    found = [one for one in trainer.callback_handler.callbacks if isinstance(one, EarlyStopCallback)]
    if not found or not all(hasattr(one, name) for one in found for name in ("best_metric", "interval")):
        raise TrainingError(
            "ms-swift's early stopping is missing or has changed.",
            next="Install the ms-swift version that requirements/ pins, or train without --early-stop.",
        )
    for callback in found:
        trainer.add_callback(_RestoreEarlyStopping(callback))
