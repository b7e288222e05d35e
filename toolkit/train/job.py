"""What a training is asked for, what came out, and why it ended. Pure values: nothing here knows a library."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.data.dataset import Row
from toolkit.runs.layout import checkpoint_name
from toolkit.train.development_set import Question, needed
from toolkit.train.plan import Plan
from toolkit.train.recipe import Recipe

TRAINING = "Training"  # the task of the progress that is told from the first step on
EPOCHS, INTERRUPTED, EARLY_STOP, LEARNED = "epochs", "interrupted", "early_stop", "took"  # why a training ended
DEV_METRICS = ("dev_passed", "dev_asked", "dev_kl")  # what a look at the questions logs
TEMPLATE_TOKENS = 20  # what the chat template adds to a question
BYTES_A_TOKEN = 3


@dataclass(frozen=True, kw_only=True)
class KeepJob:
    """The keep term: its prompts, each under its system prompt, and where the base's answers are cached."""

    asked: Sequence[tuple[str, str]]  # (prompt, system)
    weight: float
    rows_a_step: int
    max_new_tokens: int
    cache: Path
    held_out: frozenset[int] = frozenset()  # which of `asked` the drift is measured on, and never trained on

    @property
    def mean_row_tokens(self) -> int:
        """An upper bound without a tokenizer: Qwen's makes a token of more than three bytes, and answers may end."""
        whole = sum(len(prompt.encode()) + len(system.encode()) for prompt, system in self.asked)
        return whole // (BYTES_A_TOKEN * len(self.asked)) + TEMPLATE_TOKENS + self.max_new_tokens


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One training, fully decided. `precision` is bfloat16 or float32.

    Rows carry their system prompt; one without speaks the chat template's own.
    """

    model_folder: Path
    run_folder: Path
    rows: Sequence[Row]
    recipe: Recipe
    plan: Plan
    precision: str
    decoder_layers: int
    keep: KeepJob | None = None
    eval_rows: Sequence[Row] = ()
    questions: Sequence[Question] = ()  # asked after each epoch; training ends when they took
    resume_from: Path | None = None


@dataclass(kw_only=True)
class TrainingResult:
    """What came out: `model` is the PEFT model, still loaded, `tokenizer` its tokenizer."""

    model: Any
    tokenizer: Any
    steps: int
    total_steps: int
    loss: list[float]  # a value an optimizer step
    stopped: bool  # by request, before the last step
    load_s: float
    data_s: float
    keep_s: float  # the base model's answers to the keep prompts
    train_s: float
    save_s: float
    eval_loss: list[float] = field(default_factory=list)  # a value an evaluation: on the rows held out
    best_step: int | None = None  # with early stopping: the step whose evaluation loss was the lowest
    stop_reason: str = EPOCHS
    development: list[dict[str, Any]] = field(default_factory=list)  # what the questions told, a value an epoch
    cuda_graph: bool = False  # steps were captured, their kernels started together

    @property
    def adapter_step(self) -> int:
        """The step whose checkpoint is the run's adapter."""
        if self.stopped or self.stop_reason == LEARNED or self.best_step is None:
            return self.steps
        return self.best_step

    def to_dict(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "loss": self.loss,
            "eval_loss": self.eval_loss,
            "stopped_early": self.stop_reason not in {EPOCHS, INTERRUPTED},
            "stop_reason": self.stop_reason,
            "development": self.development,
            "cuda_graph": self.cuda_graph,
        }


def ending_lines(result: TrainingResult, recipe: Recipe) -> list[str]:
    """Nothing where every epoch was trained and nothing was looked at on the way, or the user ended it."""
    lines: list[str] = []
    if result.stopped:
        return lines
    where = f"Stopped after step {result.steps} of {result.total_steps}"
    if result.stop_reason == LEARNED:
        lines.append(f"{where}: it took, {_seen(result, recipe)}.")
    elif result.stop_reason != EPOCHS:
        lines.append(
            f"{where}: the evaluation loss was lowest "
            f"({min(result.eval_loss):.4f}) at step {result.best_step} and has not fallen since."
        )
    if result.development and result.stop_reason != LEARNED:
        lines.append(f"At the end: {_seen(result, recipe)}.")
    if result.adapter_step != result.steps:
        lines.append(f"adapter: {checkpoint_name(result.adapter_step)}, the one with the lowest evaluation loss")
    return lines


def _seen(result: TrainingResult, recipe: Recipe) -> str:
    last = result.development[-1]
    answered = f"{last['passed']} of {last['asked']} questions answered as trained ({needed(last['asked'])} are enough)"
    return answered + (f", kl {last['kl']:.4f} (budget {recipe.stop_kl:g})" if "kl" in last else "")
