"""The thought that some models write before an answer, between <think> and </think>: found in texts, and written. Pure.

Qwen3 and DeepSeek-R1 write it so, and those who distil them. What a prompt opens (<think> at its end) the answer
continues: such a text has no opening mark of its own.
"""

from dataclasses import dataclass

OPEN, CLOSE = "<think>", "</think>"


@dataclass(frozen=True, kw_only=True)
class Thought:
    """`text` without marks and the line ends beside them; `closed`: it has an end, so that an answer follows."""

    text: str
    closed: bool

    @property
    def complete(self) -> bool:
        """Whether it says something and ends."""
        return self.closed and bool(self.text.strip())

    @property
    def written(self) -> str:
        """As models write it before an answer."""
        return f"{OPEN}\n{self.text}\n{CLOSE}\n\n" if self.closed else f"{OPEN}\n{self.text}"


EMPTY = Thought(text="", closed=True)


def divided(text: str, *, opened: bool = False) -> tuple[Thought | None, str]:
    """The thought that a text begins with, and what follows it; `opened`: the prompt before it opened one.

    A text that closes one on a line of its own has it too: so look answers that were kept without what opened them.
    """
    opened = opened or text.lstrip().startswith(OPEN)
    inner, mark, rest = text.lstrip().removeprefix(OPEN).partition(CLOSE)
    if mark and (opened or (inner.endswith("\n") and rest.startswith("\n") and OPEN not in inner)):
        return Thought(text=inner.strip("\n"), closed=True), rest.lstrip("\n")
    if opened:
        return Thought(text=inner.strip("\n"), closed=False), ""
    return None, text


def with_thought(thought: str | None, text: str) -> str:
    """An answer with its thought before it; None: without any, "": with an empty one."""
    return text if thought is None else Thought(text=thought, closed=True).written + text
