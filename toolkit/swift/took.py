"""Ends a training when it took: a look after each epoch, with the adapter on, at answers and drift."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import TrainerCallback

from toolkit.development import Question, enough
from toolkit.language_model import LanguageModel, conversation
from toolkit.swift.batch import Piece
from toolkit.swift.ending import epoch_is_whole
from toolkit.swift.job import LOOK, TrainingJob
from toolkit.swift.keep import divergence, observe_base

SPARE_TOKENS = 8  # an answer that is longer than the trained one by so much is another


class TookStop(TrainerCallback):  # type: ignore[misc]
    """`took` when the questions are answered as trained and the drift on `held_out` is within the recipe's budget.

    `before`: the base model's own answers to the questions.
    """

    def __init__(
        self, trainer: Any, tokenizer: Any, job: TrainingJob, held_out: Sequence[Piece], before: Sequence[str]
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


def drift(model: Any, rows: Sequence[Piece], pad: int) -> float:
    """KL(base || tuned) in nats a token, over the base model's own answers; `model` has its adapter on."""
    causal = model.get_base_model()
    tuned = observe_base(causal, [(row.ids.tolist(), int(row.at[0])) for row in rows], pad)
    with torch.no_grad():
        sums = [
            divergence(*(causal.lm_head(row.target.to(causal.device)) for row in (base, now))).sum()
            for base, now in zip(rows, tuned, strict=True)
        ]
    return float(sum(sums)) / sum(len(row.at) for row in rows)


def looks(log_history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every look of the training, those before an interruption included, as run.json tells them."""
    return [
        {"step": entry["step"], **{name.removeprefix("dev_"): entry[name] for name in LOOK if name in entry}}
        for entry in log_history
        if LOOK[0] in entry
    ]
