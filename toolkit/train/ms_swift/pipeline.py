"""ms-swift's own pipeline, subclassed. Imported late: its base class costs seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from datasets import Dataset
from swift.pipelines.train.sft import SwiftSft
from swift.trainers import TrainerFactory

from toolkit.core.events import Listener
from toolkit.model.conversation import conversation
from toolkit.model.four_bits import pin_cpu_weight_layout
from toolkit.model.language_model import LanguageModel
from toolkit.model.shared_weights import SharedWeights
from toolkit.train.job import INTERRUPTED, KeepJob, TrainingJob, TrainingResult
from toolkit.train.keep_set import KeepAnswer, read_cache, write_cache
from toolkit.train.ms_swift.callbacks import (
    StopWhenLearned,
    Watcher,
    ask,
    go_on_counting,
    looks,
    replace_printer,
    stop_reason,
)
from toolkit.train.ms_swift.encoder import EncodedOnce, as_messages
from toolkit.train.ms_swift.trainer import KeepTrainer, PackedTrainer
from toolkit.train.passes.keep_loss import KeepTerm, observe_base
from toolkit.train.passes.kernels import fuse_norms


class Pipeline(SwiftSft):  # type: ignore[misc]
    """ms-swift's pipeline with our rows and our ears."""

    model: Any
    processor: Any

    def __init__(
        self, arguments: Any, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool],
        lent: SharedWeights | None = None,
    ) -> None:  # fmt: skip
        started = time.perf_counter()
        self.job, self.listener, self.stop_requested, self.lent = job, listener, stop_requested, lent
        super().__init__(arguments)
        self._set_seed()  # again: what follows must not depend on whether a model was loaded
        self.load_s, self.loaded_at = time.perf_counter() - started, time.perf_counter()

    def _prepare_model_tokenizer(self, **how: Any) -> None:
        if self.lent is None:
            self._load(**how)
            return
        key = self.job.model_folder, self.job.precision, self.job.recipe.load_in_4bit
        if not self.lent.holds(key):
            self._load(**how)
            self.lent.hold(key, self.model, self.processor)
        self.model, self.processor = self.lent.loan(key)

    def _load(self, **how: Any) -> None:
        super()._prepare_model_tokenizer(**how)
        if self.job.recipe.load_in_4bit:
            pin_cpu_weight_layout(self.model)

    def _get_dataset(self) -> tuple[Any, Any]:
        train, held_out = (
            Dataset.from_list([as_messages(row) for row in rows]) for rows in (self.job.rows, self.job.eval_rows)
        )
        return train, held_out if self.job.eval_rows else None

    def _save_val_dataset(self, *_: Any) -> None:
        """The run keeps the rows held out in a file of its own."""

    def _show_dataset(self, *_: Any) -> None:
        """`toolkit check` shows the rows; the console stays quiet."""

    def run(self) -> Any:
        """The base model answers the keep prompts, and what is asked of it later, before it is given an adapter."""
        started = time.perf_counter()
        fuse_norms(self.model)  # before anything is asked: what is kept and what is trained are computed alike
        self.before = ask(self.model, self.tokenizer, self.job.questions) if self.job.questions else []
        if self.job.keep is None:
            self.keep_s = 0.0
            with trained_by(PackedTrainer):
                return super().run()
        term = keep_term(self.model, self.tokenizer, self.job.keep, self.job.recipe.seed, self.listener)
        self.keep_s = time.perf_counter() - started
        self.keep_term = term
        with trained_by(KeepTrainer):
            return super().run()

    def train(self, trainer: Any) -> Any:
        trainer.train_dataset = EncodedOnce(trainer.train_dataset)
        if self.job.keep is not None:
            trainer.keep = self.keep_term
        watcher = Watcher(self.job.run_folder, self.listener, self.stop_requested)
        replace_printer(trainer, watcher)
        go_on_counting(trainer)
        took = None
        if self.job.questions:
            held_out = () if self.job.keep is None else self.keep_term.held_out
            took = StopWhenLearned(trainer, self.tokenizer, self.job, held_out, self.before)
            trainer.add_callback(took)
        data_s = time.perf_counter() - self.loaded_at - self.keep_s
        started = time.perf_counter()
        try:
            answer = super().train(trainer)
        finally:
            captured, trainer.captured = trainer.captured, None  # it holds a pass's memory
        train_s = time.perf_counter() - started - watcher.save_s
        state = trainer.state
        reason = stop_reason(state, interrupted=watcher.stopped, took=took is not None and took.took)
        self.result = TrainingResult(
            model=self.model,
            tokenizer=self.tokenizer,
            steps=state.global_step,
            total_steps=state.max_steps,
            loss=[entry["loss"] for entry in state.log_history if "loss" in entry],
            stopped=reason == INTERRUPTED,
            load_s=self.load_s,
            data_s=data_s,
            keep_s=self.keep_s,
            train_s=train_s,
            save_s=watcher.save_s,
            eval_loss=[entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry],
            best_step=state.best_global_step if self.job.recipe.early_stop else None,
            stop_reason=reason,
            development=looks(state.log_history),
            cuda_graph=captured is not None and captured.refused is None,
        )
        return answer


def keep_term(model: Any, tokenizer: Any, keep: KeepJob, seed: int, listener: Listener) -> KeepTerm:
    """The base model's answers (from the cache where they are known) and its hidden states at them."""
    base = LanguageModel(model, tokenizer)
    prompts = [conversation(prompt, system) for prompt, system in keep.asked]
    answers = read_cache(keep.cache)
    if answers is None:
        # Short answers leave room for several batches at once; what is held for each grows with its length.
        several = max(1, min(4, 128 // keep.max_new_tokens))
        found = base.answers(
            prompts, max_new_tokens=keep.max_new_tokens, batch_size=several * base.batch_size,
            listener=listener, task="Keep set",
        )  # fmt: skip
        answers = [
            KeepAnswer(prompt=prompt, system=system, tokens=tuple(answer.tokens))
            for (prompt, system), answer in zip(keep.asked, found, strict=True)
        ]
        write_cache(keep.cache, answers)
    starts = [base.prompt_ids(messages) for messages in prompts]
    encoded = [(ids + list(one.tokens), len(ids) - 1) for ids, one in zip(starts, answers, strict=True)]
    rows = observe_base(model, encoded, tokenizer.pad_token_id)
    return KeepTerm(
        rows=[row for at, row in enumerate(rows) if at not in keep.held_out],
        held_out=[rows[at] for at in sorted(keep.held_out)],
        weight=keep.weight, rows_a_step=keep.rows_a_step, seed=seed,
    )  # fmt: skip


@contextmanager
def trained_by(trainer: type) -> Iterator[None]:
    """ms-swift's own door for another trainer: its factory's mapping, put back afterwards."""
    before = TrainerFactory.TRAINER_MAPPING["causal_lm"]
    TrainerFactory.TRAINER_MAPPING["causal_lm"] = f"{trainer.__module__}.{trainer.__name__}"
    try:
        yield
    finally:
        TrainerFactory.TRAINER_MAPPING["causal_lm"] = before
