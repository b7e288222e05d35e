"""A conversation with a loaded model, whose adapter can be switched off and on between two questions."""

from collections.abc import Generator
from dataclasses import dataclass, field

from toolkit.core.errors import DataError
from toolkit.model.conversation import Messages, system_messages
from toolkit.model.language_model import LanguageModel


@dataclass(kw_only=True)
class Conversation:
    """`adapter`: its name in the loaded model, None for the base model; `system`: see `toolkit.model.conversation`."""

    model: LanguageModel
    adapter: str | None
    system: str
    max_new_tokens: int = 512
    adapter_on: bool = True
    history: Messages = field(default_factory=list)

    def ask(self, question: str) -> Generator[str]:
        """The answer, part by part; what was generated joins the history, even if the caller stops early.

        Raises DataError for a question that leaves no room for an answer; the history is then as before.
        """
        self.history.append({"role": "user", "content": question})
        messages = system_messages(self.system) + self.history
        parts: list[str] = []
        refused = False
        try:
            with self.model.side(self.adapter if self.adapter_on else None):
                for part in self.model.stream(messages, max_new_tokens=self.max_new_tokens):
                    parts.append(part)
                    yield part
        except DataError:
            refused = True
            self.history.pop()
            raise
        finally:
            if not refused:
                self.history.append({"role": "assistant", "content": "".join(parts).strip()})

    def switch(self, *, adapter_on: bool) -> bool:
        """False if there is no adapter to switch."""
        if self.adapter is None:
            return False
        self.adapter_on = adapter_on
        return True

    def forget(self) -> None:
        self.history.clear()
