"""A conversation with one model load: the adapter can be switched off and on between two questions."""

from collections.abc import Iterator
from dataclasses import dataclass, field

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

    def ask(self, question: str) -> Iterator[str]:
        """The answer, piece by piece; it joins the history as far as it was heard."""
        self.history.append({"role": "user", "content": question})
        messages = system_messages(self.system) + self.history
        heard: list[str] = []
        try:
            with self.model.side(self.adapter if self.adapter_on else None):
                for piece in self.model.stream(messages, max_new_tokens=self.max_new_tokens):
                    heard.append(piece)
                    yield piece
        finally:
            self.history.append({"role": "assistant", "content": "".join(heard).strip()})

    def switch(self, *, adapter_on: bool) -> bool:
        """False where there is no adapter to switch."""
        if self.adapter is None:
            return False
        self.adapter_on = adapter_on
        return True

    def forget(self) -> None:
        self.history.clear()
