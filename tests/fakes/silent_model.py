"""A language model that says nothing, and counts how often it was asked."""

from collections.abc import Sequence
from typing import Any

from toolkit.model.conversation import Messages
from toolkit.model.language_model import Answer, LanguageModel


class SilentModel(LanguageModel):
    """Answers every prompt with an empty text; anything else that is asked of it fails."""

    batch_size = 1

    def __init__(self) -> None:
        self.asked: list[Messages] = []

    def answers(self, prompts: Sequence[Messages], **_: Any) -> list[Answer]:
        self.asked += prompts
        return [Answer(text="", tokens=[], margins=[], first_logits=None) for _ in prompts]
