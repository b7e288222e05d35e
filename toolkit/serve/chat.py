"""A conversation with a loaded model, whose adapter can be switched off and on between two questions."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from toolkit.core.errors import DataError
from toolkit.model.chat_template import opens_thought
from toolkit.model.conversation import THINKING, Messages, system_messages
from toolkit.model.language_model import LanguageModel
from toolkit.serve.thoughts import ThoughtReader


@dataclass(kw_only=True)
class Conversation:
    """`adapter`: its name in the loaded model, None for the base model; `system`: see `toolkit.model.conversation`."""

    model: LanguageModel
    adapter: str | None
    system: str
    max_new_tokens: int = 512
    adapter_on: bool = True
    thinking: bool = True  # a model that thinks does, before each answer
    heard: bool = False  # whether the last answer had a thought
    hear: Callable[[str], None] = lambda _: None  # the parts of a thought
    history: Messages = field(default_factory=list)

    def ask(self, question: str) -> Generator[str]:
        """The answer, part by part; what was generated joins the history, even if the caller stops early.

        The thought before it goes to `hear`, and does not join the history, as chat templates want it. Raises DataError
        for a question that leaves no room for an answer; the history is then as before.
        """
        self.history.append({"role": "user", "content": question})
        self.heard = False
        thinks = self.thinking and self.model.thinks
        messages = [*(THINKING if thinks else []), *system_messages(self.system), *self.history]
        opened = thinks and opens_thought(self.model.prompt_text(messages))
        parts: list[str] = []
        refused = False
        reader = ThoughtReader(opened=opened) if thinks else None
        try:
            with self.model.side(self.adapter if self.adapter_on else None):
                for part in self.model.stream(messages, max_new_tokens=self.max_new_tokens):
                    text = part if reader is None else self._heard(*reader.add(part))
                    if text:
                        parts.append(text)
                        yield text
                if reader is not None and (rest := self._heard(*reader.add("", last=True))):
                    parts.append(rest)
                    yield rest
        except DataError:
            refused = True
            self.history.pop()
            raise
        finally:
            if not refused:
                self.history.append({"role": "assistant", "content": "".join(parts).strip()})

    def _heard(self, thought: str, text: str) -> str:
        if thought:
            self.heard = True
            self.hear(thought)
        return text

    def switch(self, *, adapter_on: bool) -> bool:
        """False if there is no adapter to switch."""
        if self.adapter is None:
            return False
        self.adapter_on = adapter_on
        return True

    def forget(self) -> None:
        self.history.clear()
