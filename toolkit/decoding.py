"""What listens in while a model decodes: hooks for transformers' `generate`. They change no answer."""

from typing import Any


class WhenSet:
    """A stopping criterion: every row is done once the event is set."""

    def __init__(self, event: Any) -> None:
        self.event = event

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002  # the criterion's signature
        import torch

        return torch.full((input_ids.shape[0],), self.event.is_set(), device=input_ids.device, dtype=torch.bool)


class Recorder:
    """A logits processor that changes nothing and notes each step's margin, and the first step's logits."""

    def __init__(self) -> None:
        self.margins: list[Any] = []
        self.first: Any = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002  # the processor's signature
        if self.first is None:
            self.first = scores.float().cpu()
        top = scores.topk(2, dim=-1).values.float()
        self.margins.append(top[:, 0] - top[:, 1])
        return scores
