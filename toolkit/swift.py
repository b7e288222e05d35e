"""The door to ms-swift: the only module that knows it. Everything heavy is imported inside, late.

Training runs in this process through a subclass of ms-swift's own pipeline (4.6): the rows come from us, already
read and checked, and progress goes to a listener instead of the console.
"""

import atexit
import getpass
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.dataset import Message, Row
from toolkit.encoding import Encoded
from toolkit.errors import DataError
from toolkit.keep_set import KeepAnswer, read_cache, write_cache
from toolkit.plan import Plan
from toolkit.progress import Listener, Progress
from toolkit.recipe import Recipe

if TYPE_CHECKING:
    from swift import SftArguments

MODEL_TYPE, TEMPLATE = "qwen2", "qwen2_5"  # ms-swift 4 cannot tell them from the architecture alone
LOG_FILE = "logging.jsonl"
TRAINING = "Training"  # the task of the progress that is told from the first step on
TEMPLATE_TOKENS = 20  # what the chat template adds to a question


@dataclass(frozen=True, kw_only=True)
class KeepJob:
    """The keep term: its prompts, each under its system prompt, and where the base's answers are cached."""

    asked: Sequence[tuple[str, str]]  # (prompt, system)
    weight: float
    rows_a_step: int
    max_new_tokens: int
    cache: Path

    @property
    def longest_row_tokens(self) -> int:
        """An upper bound without a tokenizer: Qwen's makes far fewer tokens of a text than half its bytes."""
        longest = max(len(prompt.encode()) + len(system.encode()) for prompt, system in self.asked)
        return longest // 2 + TEMPLATE_TOKENS + self.max_new_tokens


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One training, fully decided. `precision` is bfloat16 or float32."""

    model_folder: Path
    run_folder: Path
    rows: Sequence[Row]
    recipe: Recipe
    plan: Plan
    precision: str
    keep: "KeepJob | None" = None
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


def prepare_environment(*, online: bool = False) -> None:
    """Settings that ms-swift and the hubs read when they are imported: quiet, offline, with writable caches."""
    if not online:
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        getpass.getuser()
    except (KeyError, OSError):  # an unknown uid has neither a name nor a home
        os.environ.setdefault("USER", f"uid{os.getuid()}")
    home = Path.home() if os.environ.get("HOME") else Path("/")
    if not os.access(home, os.W_OK) or home == Path("/"):
        os.environ["HOME"] = tempfile.mkdtemp(prefix="toolkit-home-")
        atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
    for noise in (".*pin_memory.*", "Could not find a config file in"):  # the latter: an adapter names no folder
        warnings.filterwarnings("ignore", message=noise)


def version() -> str:
    from importlib.metadata import version as installed

    return installed("ms-swift")


def encoder(model_folder: Path, max_length_tokens: int) -> "SwiftEncoder":
    """The encoder that training uses, without loading the weights."""
    return SwiftEncoder(model_folder, max_length_tokens)


class SwiftEncoder:
    """Turns rows into the very tokens and labels that ms-swift trains on."""

    def __init__(self, model_folder: Path, max_length_tokens: int) -> None:
        prepare_environment()
        from swift.model import get_processor
        from swift.template import get_template

        self.max_length_tokens = max_length_tokens
        self._tokenizer = get_processor(str(model_folder), model_type=MODEL_TYPE, download_model=False)
        self._template = get_template(self._tokenizer, template_type=TEMPLATE)
        self._template.set_mode("train")
        self._template.max_length = None  # else a row longer than the model's own context is an error

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        """Never cuts: a row longer than the maximum comes back longer."""
        encoded = [self._template.encode(_messages(row, system)) for row in rows]
        return [Encoded(input_ids=list(one["input_ids"]), labels=list(one["labels"])) for one in encoded]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))


def load_hub_rows(spec: str, *, seed: int) -> list[Row]:
    """Rows of a hub data set in ms-swift's syntax (`owner/name#count`); needs a network. Raises DataError."""
    prepare_environment(online=True)
    from swift.dataset import load_dataset

    try:
        data, _ = load_dataset([spec], num_proc=1, seed=seed, strict=False)
    except Exception as error:
        raise DataError(
            f"The hub data set {spec} cannot be loaded: {type(error).__name__}: {str(error).splitlines()[0][:200]}.",
            next="Check the name and the network; a local file mixes the same way: --mix file.jsonl#200.",
        ) from error
    return [
        Row(number=number, messages=tuple(Message(role=m["role"], content=m["content"]) for m in one["messages"]))
        for number, one in enumerate(data, start=1)
    ]


def train(job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]) -> TrainingResult:
    """Trains and saves the last step's checkpoint; on a stop request it saves after the step under way and ends."""
    prepare_environment()
    from transformers.utils import logging

    logging.disable_progress_bar()  # progress goes to the listener
    # Its faults are raised; what it prints beside them is noise. It turns its level back behind a first training.
    getLogger("swift").setLevel(CRITICAL)
    pipeline = _pipeline_class()(_arguments(job), job, listener, stop_requested)
    pipeline.main()
    result: TrainingResult = pipeline.result
    return result


def _messages(row: Row, system: str | None) -> dict[str, Any]:
    messages = [{"role": message.role, "content": message.content} for message in row.messages]
    if system and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": system})
    return {"messages": messages}


def _arguments(job: TrainingJob) -> "SftArguments":
    from swift import SftArguments

    recipe = job.recipe
    return SftArguments(
        model=str(job.model_folder),
        model_type=MODEL_TYPE,
        template=TEMPLATE,
        torch_dtype=job.precision,
        dataset=["rows of the run"],  # they are handed over by the pipeline below
        output_dir=str(job.run_folder),
        add_version=False,
        tuner_type="lora",
        lora_rank=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.target_modules),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        warmup_ratio=recipe.warmup_ratio,
        lr_scheduler_type=recipe.scheduler,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        per_device_train_batch_size=job.plan.micro_batch_size,
        gradient_accumulation_steps=job.plan.accumulation_steps,
        gradient_checkpointing=job.plan.gradient_checkpointing,
        max_length=recipe.max_length_tokens,
        system=recipe.system or None,
        seed=recipe.seed,
        data_seed=recipe.seed,
        save_strategy="steps",
        save_steps=recipe.save_every_steps,
        save_total_limit=2,
        use_logits_to_keep=None if job.keep is None else False,  # the keep trainer picks its positions itself
        resume_from_checkpoint=str(job.resume_from) if job.resume_from else None,
        split_dataset_ratio=0,
        strict=True,  # a row that fails must not be replaced by another in silence
        check_model=False,  # else the trainer asks a hub about the model, and waits when there is none
        lazy_tokenize=True,  # else the tokenizer is pickled for a cache key: 6 s for 50 rows
        dataloader_num_workers=0,  # rows are encoded in less time than workers start
        logging_steps=1,
        report_to=["none"],
        disable_tqdm=True,
    )


def _pipeline_class() -> Any:
    """Built on demand, since its base class costs seconds to import."""
    from swift.pipelines.train.sft import SwiftSft

    class Pipeline(SwiftSft):  # type: ignore[misc]
        """ms-swift's pipeline with our rows and our ears."""

        def __init__(
            self, arguments: Any, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]
        ) -> None:
            started = time.perf_counter()
            self.job, self.listener, self.stop_requested = job, listener, stop_requested
            super().__init__(arguments)
            self.load_s, self.loaded_at = time.perf_counter() - started, time.perf_counter()

        def _get_dataset(self) -> tuple[Any, None]:
            from datasets import Dataset

            return Dataset.from_list([_messages(row, self.job.recipe.system) for row in self.job.rows]), None

        def _show_dataset(self, *_: Any) -> None:
            """`toolkit check` shows the rows; the console stays quiet."""

        def run(self) -> Any:
            """The base model answers the keep prompts before it is given an adapter."""
            started = time.perf_counter()
            if self.job.keep is None:
                self.keep_s = 0.0
                return super().run()
            term = _keep_term(self.model, self.tokenizer, self.job.keep, self.job.recipe.seed, self.listener)
            self.keep_s = time.perf_counter() - started
            self.keep_term = term
            with _keep_trainer():
                return super().run()

        def train(self, trainer: Any) -> Any:
            if self.job.keep is not None:
                trainer.keep = self.keep_term
            watcher = _watcher(self.job, self.listener, self.stop_requested)
            _replace_printer(trainer, watcher)
            data_s = time.perf_counter() - self.loaded_at - self.keep_s
            started = time.perf_counter()
            answer = super().train(trainer)
            train_s = time.perf_counter() - started - watcher.save_s
            state = trainer.state
            self.result = TrainingResult(
                model=self.model,
                tokenizer=self.tokenizer,
                steps=state.global_step,
                total_steps=state.max_steps,
                loss=[entry["loss"] for entry in state.log_history if "loss" in entry],
                stopped=watcher.stopped,
                load_s=self.load_s,
                data_s=data_s,
                keep_s=self.keep_s,
                train_s=train_s,
                save_s=watcher.save_s,
            )
            return answer

    return Pipeline


def _keep_term(model: Any, tokenizer: Any, keep: KeepJob, seed: int, listener: Listener) -> Any:
    """The base model's answers (from the cache where they are known) and its hidden states at them."""
    from toolkit.keep_trainer import KeepTerm, observe_base
    from toolkit.language_model import LanguageModel, conversation

    base = LanguageModel(model, tokenizer)
    prompts = [conversation(prompt, system) for prompt, system in keep.asked]
    answers = read_cache(keep.cache)
    if answers is None:
        found = base.answers(prompts, max_new_tokens=keep.max_new_tokens, listener=listener, task="Keep set")
        answers = [
            KeepAnswer(prompt=prompt, system=system, tokens=tuple(answer.tokens))
            for (prompt, system), answer in zip(keep.asked, found, strict=True)
        ]
        write_cache(keep.cache, answers)
    starts = [base.prompt_ids(messages) for messages in prompts]
    encoded = [(ids + list(one.tokens), len(ids) - 1) for ids, one in zip(starts, answers, strict=True)]
    rows = observe_base(model, encoded, tokenizer.pad_token_id)
    return KeepTerm(rows=rows, weight=keep.weight, rows_a_step=keep.rows_a_step, seed=seed)


@contextmanager
def _keep_trainer() -> Iterator[None]:
    """ms-swift's own door for another trainer: its factory's mapping, put back afterwards."""
    from swift.trainers import TrainerFactory

    from toolkit.keep_trainer import KeepTrainer

    before = TrainerFactory.TRAINER_MAPPING["causal_lm"]
    TrainerFactory.TRAINER_MAPPING["causal_lm"] = f"{KeepTrainer.__module__}.{KeepTrainer.__name__}"
    try:
        yield
    finally:
        TrainerFactory.TRAINER_MAPPING["causal_lm"] = before


def _replace_printer(trainer: Any, watcher: Any) -> None:
    """The trainer's own printer writes dictionaries to stdout, which is the answer's."""
    from transformers.trainer_callback import PrinterCallback

    for callback in list(trainer.callback_handler.callbacks):
        if isinstance(callback, PrinterCallback):
            trainer.remove_callback(callback)
    trainer.add_callback(watcher)


def _watcher(job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]) -> Any:
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        """Tells of each step, writes logging.jsonl, and turns a stop request into a saved checkpoint."""

        def __init__(self) -> None:
            self.stopped, self.save_s = False, 0.0
            self.step_ended_at = self.began_at = time.perf_counter()

        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            self.began_at = time.perf_counter()
            listener(Progress(task=TRAINING, done=state.global_step, total=state.max_steps))

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.step_ended_at = time.perf_counter()
            if state.global_step >= state.max_steps:
                args.save_only_model = True  # nothing resumes from a finished run: no optimizer state
            elif stop_requested():
                self.stopped = control.should_save = control.should_training_stop = True

        def on_save(self, *_: Any, **__: Any) -> None:
            self.save_s += time.perf_counter() - self.step_ended_at

        def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            if not logs or "loss" not in logs:
                return
            memory = _reserved_bytes()
            told = ("loss", "cross_entropy", "kl", "grad_norm", "learning_rate", "token_acc", "epoch")
            entry: dict[str, Any] = {
                "step": state.global_step,
                "of": state.max_steps,
                **{key: logs[key] for key in told if key in logs},
                "elapsed_s": round(time.perf_counter() - self.began_at, 3),
                "memory_bytes": memory,
            }
            with (job.run_folder / LOG_FILE).open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            detail = f"loss {logs['loss']:.3f}" + (f" · {memory / 2**30:.1f} GiB" if memory else "")
            listener(Progress(task=TRAINING, done=state.global_step, total=state.max_steps, detail=detail))

    return Watcher()


def _reserved_bytes() -> int:
    import torch

    return torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
