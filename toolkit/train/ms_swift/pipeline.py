"""ms-swift's own pipeline, subclassed. Imported late: its base class takes seconds."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from swift.pipelines.train.sft import SwiftSft
from swift.trainers import TrainerFactory

from toolkit.core.errors import TrainingError
from toolkit.core.events import Listener
from toolkit.data.dataset import Row
from toolkit.data.encoding import Encoded
from toolkit.model.cards.group import ALONE, Group
from toolkit.model.cards.shares import begin, loading_shares
from toolkit.model.families.family import family_in
from toolkit.model.families.float16 import steady
from toolkit.model.families.host_embedding import keep_embedding_on_host
from toolkit.model.four_bits import pin_cpu_weight_layout
from toolkit.model.language_model import LanguageModel
from toolkit.model.loading import refused_gaps
from toolkit.train.job import INTERRUPTED, TrainingJob, TrainingResult
from toolkit.train.ms_swift.base_answers import loss_terms
from toolkit.train.ms_swift.callbacks import (
    StopWhenLearned,
    Watcher,
    answer_questions,
    logged_evaluations,
    replace_printer,
    restore_early_stopping,
    stop_reason,
)
from toolkit.train.ms_swift.encoder import EncodedDataset, encode_rows
from toolkit.train.ms_swift.keep_trainer import KeepTrainer
from toolkit.train.ms_swift.shared_weights import SharedWeights
from toolkit.train.ms_swift.trainer import PackedTrainer
from toolkit.train.passes.adapters import fused_adapters, listed_parameters
from toolkit.train.passes.kernels import fuse_norms, stop_own_dropout
from toolkit.train.passes.loss_scale import loss_scale, skipped_steps
from toolkit.train.passes.self_test import require_alike


class Pipeline(SwiftSft):  # type: ignore[misc]
    """ms-swift's pipeline over our rows, with our trainer and callbacks."""

    model: Any
    processor: Any

    def __init__(
        self, arguments: Any, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool],
        shared: SharedWeights | None = None, group: Group = ALONE,
    ) -> None:  # fmt: skip
        started = time.perf_counter()
        self.group = group
        self.job, self.listener, self.stop_requested, self.shared = job, listener, stop_requested, shared
        self.family = family_in(job.model_folder)
        self.trainer_class = PackedTrainer if job.keep is None else KeepTrainer
        super().__init__(arguments)
        self._set_seed()  # again: what follows must not depend on whether a model was loaded
        self.load_s, self.loaded_at = time.perf_counter() - started, time.perf_counter()

    def _prepare_model_tokenizer(self, **how: Any) -> None:
        if self.shared is None:
            self._load(**how)
            return
        key = self.job.model_folder, self.job.precision, self.job.recipe.load_in_4bit
        if not self.shared.has(key):
            self._load(**how)
            self.shared.add(key, self.model, self.processor)
        self.model, self.processor = self.shared.clone(key)

    def _load(self, **how: Any) -> None:
        shared = self.job.plan.shared_because is not None
        with refused_gaps(self.job.model_folder), loading_shares(self.group) if shared else nullcontext():
            super()._prepare_model_tokenizer(**how)
        if self.job.recipe.load_in_4bit:
            pin_cpu_weight_layout(self.model)
        steady(self.model)
        if self.job.plan.embedding_on_host:
            keep_embedding_on_host(self.model)
        if shared:
            begin(self.model, self.group)

    def _prepare_dataset(self) -> list[EncodedDataset | None]:
        """Rows for training and for evaluation, each encoded once; nothing is printed or written."""
        held_out = self._dataset(self.job.eval_rows, self.job.eval_tokens) if self.job.eval_rows else None
        return [self._dataset(self.job.rows, self.job.tokens), held_out]

    def _dataset(self, rows: Sequence[Row], tokens: Sequence[Encoded]) -> EncodedDataset:
        if tokens and len(tokens) != len(rows):
            raise TrainingError(
                f"{len(rows)} rows came with the tokens of {len(tokens)}.", next="Report this as a bug."
            )
        return EncodedDataset(tokens or encode_rows(self.template, rows))

    def run(self) -> Any:
        """Before the base model gets an adapter, it gives its own answers, and writes questions around the rows."""
        started = time.perf_counter()
        if not self.family.known:
            require_alike(self.model, self.template.tokenizer.pad_token_id)
        stop_own_dropout(self.model)
        fuse_norms(self.model)  # first: keep answers and training must be computed alike
        job = self.job
        self.before: list[str] = []
        if job.development:
            self.before = self.group.first(lambda: answer_questions(self.model, self.tokenizer, job.development))
        self.terms = loss_terms(LanguageModel(self.model, self.tokenizer), job, self.listener, self.group)
        if job.recipe.question_rows or job.recipe.near_rows or job.recipe.thought_rows:
            self._set_seed()  # again: what follows must not depend on whether questions were cached
        self.base_s = time.perf_counter() - started
        with using_trainer(self.trainer_class):
            return super().run()

    def train(self, trainer: Any) -> Any:
        require_trainer(trainer, self.trainer_class)
        held_out: Sequence[Any] = ()
        if self.terms.keep is not None:
            trainer.keep, held_out = self.terms.keep, self.terms.keep.held_out
        trainer.questions, trainer.thoughts, trainer.group = self.terms.questions, self.terms.thoughts, self.group
        self.group.share_weights([one for one in trainer.model.parameters() if one.requires_grad])
        trainer.plain, trainer.chunk = not self.family.known, self.job.plan.logit_positions
        trainer.evaluates = bool(self.job.development)
        if self.job.precision == "float16":
            trainer.accelerator.scaler = loss_scale(trainer.args.device)
        watcher = Watcher(self.job.run_folder, self.listener, self.stop_requested, self.job.precision)
        replace_printer(trainer, watcher)
        if self.job.recipe.early_stop:
            restore_early_stopping(trainer)
        learned = None
        if self.job.development:
            learned = StopWhenLearned(trainer, self.tokenizer, self.job, held_out, self.before)
            trainer.add_callback(learned)
        data_s = time.perf_counter() - self.loaded_at - self.base_s
        started = time.perf_counter()
        try:
            with ExitStack() as stack:
                if not self.group.shares:
                    stack.enter_context(fused_adapters(trainer.model))
                    stack.enter_context(listed_parameters(trainer.model))
                answer = super().train(trainer)
        finally:
            graphed_pass, trainer.graphed_pass = trainer.graphed_pass, None  # it holds a pass's memory
        train_s = time.perf_counter() - started - watcher.save_s
        state = trainer.state
        reason = stop_reason(state, interrupted=watcher.stopped, learned=learned is not None and learned.learned)
        self.result = TrainingResult(
            model=self.model,
            tokenizer=self.tokenizer,
            steps=state.global_step,
            total_steps=state.max_steps,
            loss=[entry["loss"] for entry in state.log_history if "loss" in entry],
            stopped=reason == INTERRUPTED,
            load_s=self.load_s,
            data_s=data_s,
            keep_s=self.base_s - self.terms.questions_s,
            questions_s=self.terms.questions_s,
            train_s=train_s,
            save_s=watcher.save_s,
            eval_loss=[entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry],
            best_step=state.best_global_step if self.job.recipe.early_stop else None,
            stop_reason=reason,
            development=logged_evaluations(state.log_history),
            skipped_steps=skipped_steps(state.log_history),
            cuda_graph=graphed_pass is not None and graphed_pass.refused is None,
            cuda_graph_refused=None if graphed_pass is None else graphed_pass.refused,
        )
        return answer


@contextmanager
def using_trainer(trainer_class: type) -> Iterator[None]:
    """Registers another trainer in ms-swift's factory, and restores the factory's mapping afterwards."""
    before = TrainerFactory.TRAINER_MAPPING["causal_lm"]
    TrainerFactory.TRAINER_MAPPING["causal_lm"] = f"{trainer_class.__module__}.{trainer_class.__name__}"
    try:
        yield
    finally:
        TrainerFactory.TRAINER_MAPPING["causal_lm"] = before


def require_trainer(trainer: Any, trainer_class: type) -> None:
    """Raises TrainingError if ms-swift built another trainer: its own would train without the keep term."""
    if not isinstance(trainer, trainer_class):
        raise TrainingError(
            f"ms-swift built a {type(trainer).__name__} instead of the {trainer_class.__name__}.",
            next="Install the ms-swift version that requirements/ pins.",
        )
