"""Why a training ended, and which of its checkpoints is the adapter, in the user's words. Pure."""

from toolkit.swift import EPOCHS, TrainingResult


def told_of_the_end(result: TrainingResult) -> list[str]:
    """Nothing where every epoch was trained and the last step is the adapter, or the user ended it."""
    lines: list[str] = []
    if result.stopped:
        return lines
    if result.stop_reason != EPOCHS:
        lines.append(
            f"Stopped after step {result.steps} of {result.total_steps}: the evaluation loss was lowest "
            f"({min(result.eval_loss):.4f}) at step {result.best_step} and has not fallen since."
        )
    if result.adapter_step != result.steps:
        lines.append(f"adapter: checkpoint-{result.adapter_step}, the one with the lowest evaluation loss")
    return lines
