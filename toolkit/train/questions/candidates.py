"""Questions that may be in scope, each once, with what is known of them before the base model is asked."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from toolkit.data.dataset import prompt_key

LONGEST_QUESTION = 200
LIST_MARK = re.compile(r"^(?:[-*•·]|\d{1,2}[.)、])\s+")  # of a model that goes on with a list


class Candidate(NamedTuple):
    """`source`: the row that the question is from; `beside`: the row that its description of the subject is from.

    `answer`: what is trained, for a question whose answer is certain by how it was made; "" where the base decides.
    """

    kind: str
    prompt: str
    source: int | None
    beside: int | None = None
    answer: str = ""


class Candidates:
    """Questions that may be in scope: each once, and none that is `taken`."""

    def __init__(self, taken: Collection[str]) -> None:
        self.taken = set(taken)
        self._found: dict[str, Candidate] = {}  # by prompt key

    def add(self, kind: str, prompt: str, source: int | None, *, beside: int | None = None, answer: str = "") -> None:
        prompt = bare_question(prompt)
        if self.free(prompt):
            self._found.setdefault(prompt_key(prompt), Candidate(kind, prompt, source, beside, answer))

    def free(self, prompt: str) -> bool:
        """Whether it is one line that asks something, and not taken."""
        key = prompt_key(prompt)
        return bool(key) and key not in self.taken and len(prompt) <= LONGEST_QUESTION and "\n" not in prompt

    def __iter__(self) -> Iterator[Candidate]:
        return iter(list(self._found.values()))


def bare_question(text: str) -> str:
    """The question without the mark of a list."""
    return LIST_MARK.sub("", text.strip())


def read_bank() -> list[str]:
    """The shipped questions to and about an assistant."""
    from toolkit.core.plain_yaml import read_own

    content = read_own(Path(__file__).with_name("about_assistant.yaml"))
    return [prompt for prompts in content.values() for prompt in prompts]
