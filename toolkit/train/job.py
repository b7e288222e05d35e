"""A training job, its result, how long it is and why it ended. Values that depend on no library."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.core.text import counted
from toolkit.data.dataset import Row
from toolkit.data.encoding import Encoded
from toolkit.data.texts.names import Pair
from toolkit.runs.checkpoints import recorded_adapter
from toolkit.runs.layout import checkpoint_name, complete_checkpoints
from toolkit.runs.pace import expected_time
from toolkit.runs.record import RunRecord
from toolkit.runs.recording import Recorder, make_portable
from toolkit.train.development_set import Question, required_passes
from toolkit.train.planning.plan import Plan
from toolkit.train.questions.question import Question as AroundQuestion
from toolkit.train.recipe import Recipe

TRAINING = "Training"  # the task of the progress events from the first step on
EPOCHS, INTERRUPTED, EARLY_STOP, LEARNED = "epochs", "interrupted", "early_stop", "took"  # why a training ended
DEV_METRICS = ("dev_passed", "dev_asked", "dev_kl")  # logged by an evaluation of the development questions
TEMPLATE_TOKENS = 20  # added to a question by the chat template
BYTES_PER_TOKEN = 3


@dataclass(frozen=True, kw_only=True)
class KeepJob:
    """The keep term: its prompts, each with its system prompt, and the file that caches the base model's answers."""

    prompts: Sequence[tuple[str, str]]  # (prompt, system)
    weight: float
    rows_per_step: int
    max_new_tokens: int
    cache: Path
    thought_tokens: int = 0  # of the thought before every other answer; 0: none is asked for
    held_out: frozenset[int] = frozenset()  # indices into `prompts`: only the drift is measured on them

    @property
    def mean_row_tokens(self) -> int:
        """An upper bound without a tokenizer: Qwen's packs over three bytes into a token, and answers may be short."""
        total_bytes = sum(len(prompt.encode()) + len(system.encode()) for prompt, system in self.prompts)
        mean = total_bytes // (BYTES_PER_TOKEN * len(self.prompts))
        return mean + TEMPLATE_TOKENS + self.max_new_tokens + self.thought_tokens // 2


@dataclass(frozen=True, kw_only=True)
class QuestionJob:
    """The questions around the rows, from `file` if it is there, else from `cache`, else written by the base model.

    `rows`: those that they are written from, under the system prompt `system`; `excluded`: keys of prompts that are
    never trained. Those in scope are trained under `systems`, those near are kept under `near_systems`. `written` is
    called with the questions, and the seconds that they took, once `file` has been written.
    """

    file: Path
    cache: Path
    near_cache: Callable[[Sequence[tuple[str, str]]], Path]  # of the base model's answers to (prompt, system) pairs
    rows: Sequence[Pair]
    system: str
    excluded: frozenset[str]
    systems: Sequence[str]
    near_systems: Sequence[str]
    written: Callable[[Sequence[AroundQuestion], float], None]
    question_tokens: int  # of the longest question in scope, with its system prompt and answer
    near_tokens: int  # … near, on average; both are upper bounds
    inside: bool = True  # the base model writes questions in scope, too


@dataclass(frozen=True, kw_only=True)
class ThoughtJob:
    """What a base that thinks learns of thoughts beside its rows: where they are kept, the ones that it writes itself.

    `pairs`: questions and answers of rows without a thought; `system`: what it writes under; `systems`: what they are
    trained under; `names`: those that it has for itself. `file`: written once, and read by a resumed training;
    `written` is then called with the number of thoughts, and the seconds that they took.
    """

    file: Path
    pairs: Sequence[Pair]
    system: str
    systems: Sequence[str]
    names: Sequence[str]
    row_tokens: int  # of the longest row with a thought
    written: Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One training, fully decided. `precision` is bfloat16, float16 or float32.

    Rows carry their system prompt; for a row without one the chat template uses its own. `tokens`, `eval_tokens`: the
    rows and evaluation rows as tokens, in the same order; empty if they are yet to be encoded.
    """

    model_folder: Path
    run_folder: Path
    rows: Sequence[Row]
    recipe: Recipe
    plan: Plan
    precision: str
    decoder_layers: int
    tokens: Sequence[Encoded] = ()
    keep: KeepJob | None = None
    eval_rows: Sequence[Row] = ()
    eval_tokens: Sequence[Encoded] = ()
    questions: QuestionJob | None = None
    thoughts: ThoughtJob | None = None
    development: Sequence[Question] = ()  # asked after each epoch; training ends once they are learned
    resume_from: Path | None = None


@dataclass(kw_only=True)
class TrainingResult:
    """What a training leaves: `model` is the PEFT model, still loaded, `tokenizer` its tokenizer."""

    model: Any
    tokenizer: Any
    steps: int
    total_steps: int
    loss: list[float]  # one value per optimizer step
    stopped: bool  # by request, before the last step
    load_s: float
    data_s: float
    keep_s: float  # the base model's answers to the keep prompts
    train_s: float
    save_s: float
    eval_loss: list[float] = field(default_factory=list)  # one value per evaluation on the held-out rows
    best_step: int | None = None  # with early stopping: the step with the lowest evaluation loss
    stop_reason: str = EPOCHS
    questions_s: float = 0  # the questions around the rows, and the base model's answers to those near
    development: list[dict[str, Any]] = field(default_factory=list)  # evaluations of the questions, one per epoch
    cuda_graph: bool = False  # steps were captured as a CUDA graph
    cuda_graph_refused: str | None = None  # the first line of the reason, if the capture failed
    skipped_steps: int = 0  # whose gradients were too large for float16
    peak_memory_bytes: int = 0

    @property
    def adapter_step(self) -> int:
        """The step whose checkpoint is the run's adapter."""
        if self.stopped or self.stop_reason == LEARNED or self.best_step is None:
            return self.steps
        return self.best_step

    @property
    def seconds(self) -> dict[str, float]:
        """Of each phase, as run.json has them."""
        phases = {
            "load": self.load_s, "data": self.data_s, "keep": self.keep_s, "questions": self.questions_s,
            "train": self.train_s, "save": self.save_s,
        }  # fmt: skip
        return {name: round(value, 3) for name, value in phases.items()}

    def to_dict(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "loss": self.loss,
            "eval_loss": self.eval_loss,
            "stopped_early": self.stop_reason not in {EPOCHS, INTERRUPTED},
            "stop_reason": self.stop_reason,
            "development": self.development,
            "cuda_graph": self.cuda_graph,
            "cuda_graph_refused": self.cuda_graph_refused,
            "skipped_steps": self.skipped_steps,
        }


def length_line(record: RunRecord, recipe: Recipe, rows: int, output: Path) -> str:
    """How long the training of so many rows is: steps, and the time that they take at the pace of an earlier run."""
    steps = recipe.steps(rows)
    line = f"training: {counted(steps, 'step')}, {counted(rows, 'row')}, {recipe.epochs_label}"
    tokens = (record.data.epoch_tokens or 0) * recipe.epochs_trained(rows)
    takes = expected_time(tokens, record.base_model, recipe.to_dict(), output)
    return line if takes is None else f"{line}; {takes}"


def ending_lines(result: TrainingResult, recipe: Recipe) -> list[str]:
    """What the user should hear at the end; nothing if every epoch was trained and nothing was evaluated."""
    lines: list[str] = []
    if result.cuda_graph_refused is not None:
        lines.append(
            f"Warning: steps ran without a CUDA graph, and so slower: the capture failed ({result.cuda_graph_refused})."
        )
    if result.skipped_steps:
        lines.append(
            f"Skipped steps: {result.skipped_steps} of {result.steps}, whose gradients were too large for float16; the "
            "loss scale was halved each time."
        )
    if result.stopped:
        return lines
    where = f"Stopped after step {result.steps} of {result.total_steps}"
    if result.stop_reason == LEARNED:
        lines.append(f"{where}: it took, {_development_summary(result, recipe)}.")
    elif result.stop_reason != EPOCHS:
        lines.append(
            f"{where}: the evaluation loss was lowest "
            f"({min(result.eval_loss):.4f}) at step {result.best_step} and has not fallen since."
        )
    if result.development and result.stop_reason != LEARNED:
        lines.append(f"At the end: {_development_summary(result, recipe)}.")
    if result.adapter_step != result.steps:
        lines.append(f"adapter: {checkpoint_name(result.adapter_step)}, the one with the lowest evaluation loss")
    return lines


def _development_summary(result: TrainingResult, recipe: Recipe) -> str:
    last = result.development[-1]
    required = required_passes(last["asked"])
    are = "is" if required == 1 else "are"
    answered = f"{last['passed']} of {counted(last['asked'], 'question')} answered as trained ({required} {are} enough)"
    return answered + (f", kl {last['kl']:.4f} (budget {recipe.stop_kl:g})" if "kl" in last else "")


def record_result(recorder: Recorder, result: TrainingResult, epochs: float, started: float) -> None:
    """What came out, into the recorder's record. `epochs`: of the whole training; `started`: see `finetune`."""
    record, trained = recorder.record, epochs * result.steps / max(result.total_steps, 1)
    checkpoints = complete_checkpoints(recorder.folder)
    for checkpoint in checkpoints:
        make_portable(checkpoint, record.base_model)
    best = [checkpoint for checkpoint in checkpoints if checkpoint.name == checkpoint_name(result.adapter_step)]
    adapter = (best or checkpoints)[-1] if checkpoints else None
    recorder.record = record.with_result(
        train=result.to_dict() | {"tokens": round((record.data.epoch_tokens or 0) * trained)},
        seconds=result.seconds | {"total": round(time.perf_counter() - started, 3)},
        peak_memory_bytes=result.peak_memory_bytes,
        adapter=None if adapter is None else recorded_adapter(adapter),
    )
