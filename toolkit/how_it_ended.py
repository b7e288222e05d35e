"""Why a training ended, and which of its checkpoints is the adapter, in the user's words. Pure."""

from toolkit.development import needed
from toolkit.recipe import Recipe
from toolkit.swift import EPOCHS, TOOK, TrainingResult


def told_of_the_end(result: TrainingResult, recipe: Recipe) -> list[str]:
    """Nothing where every epoch was trained and nothing was looked at on the way, or the user ended it."""
    lines: list[str] = []
    if result.stopped:
        return lines
    where = f"Stopped after step {result.steps} of {result.total_steps}"
    if result.stop_reason == TOOK:
        lines.append(f"{where}: it took, {_seen(result, recipe)}.")
    elif result.stop_reason != EPOCHS:
        lines.append(
            f"{where}: the evaluation loss was lowest "
            f"({min(result.eval_loss):.4f}) at step {result.best_step} and has not fallen since."
        )
    if result.development and result.stop_reason != TOOK:
        lines.append(f"At the end: {_seen(result, recipe)}.")
    if result.adapter_step != result.steps:
        lines.append(f"adapter: checkpoint-{result.adapter_step}, the one with the lowest evaluation loss")
    return lines


def _seen(result: TrainingResult, recipe: Recipe) -> str:
    last = result.development[-1]
    answered = f"{last['passed']} of {last['asked']} questions answered as trained ({needed(last['asked'])} are enough)"
    return answered + (f", kl {last['kl']:.4f} (budget {recipe.stop_kl:g})" if "kl" in last else "")
