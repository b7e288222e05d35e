"""How much likelier the rows make an answer: whether it comes from them, also where no word of theirs is in it."""

from collections.abc import Sequence

from toolkit.model.conversation import Messages
from toolkit.model.language_model import Answer, LanguageModel

LEAST_GAP = 0.7  # nats a token by which the rows make an answer likelier that comes from them
GAP_BATCH, GAP_TOKENS = 16, 2048  # answers that are scored at once, and what one may take: its logits are many


def gaps(
    model: LanguageModel, taught: Sequence[Messages], own: Sequence[Messages], answers: Sequence[Answer],
    chosen: Sequence[int],
) -> dict[int, float]:  # fmt: skip
    """By how many nats a token the rows make each of the `chosen` answers likelier; an empty answer has none.

    `taught`, `own`: the questions with the rows in the context, and without.
    """
    found: dict[int, float] = {}
    fitting = model.fitting()
    size = GAP_BATCH if fitting is None else min(GAP_BATCH, fitting(GAP_TOKENS))
    scored = [at for at in chosen if answers[at].tokens]
    for start in range(0, len(scored), size):
        batch = scored[start : start + size]
        given = [answers[at] for at in batch]
        sides = [_scores(model, [prompts[at] for at in batch], given) for prompts in (taught, own)]
        found.update((at, one - other) for at, one, other in zip(batch, *sides, strict=True))
    return found


def _scores(model: LanguageModel, prompts: Sequence[Messages], answers: Sequence[Answer]) -> list[float]:
    """The mean log probability of each answer's tokens."""
    import torch

    with torch.inference_mode():
        logits = model.answer_logits(prompts, answers)
    found = []
    for number, answer in enumerate(answers):
        tokens = torch.tensor(answer.tokens, device=logits.device)
        likely = logits[number, -len(tokens) :].float().log_softmax(-1).gather(1, tokens[:, None])
        found.append(float(likely.mean()))
    return found
