"""Questions in the base model's own other words, and which of them still ask the same. Pure.

A rewording counts as the same question where it speaks of the same persons and the base model answers both alike.
A small model still turns some round ("Which company built you?", "Which company did you build?"): read the file.
"""

import re
from collections.abc import Collection, Mapping, Sequence

from toolkit.dataset import prompt_key
from toolkit.development import likeness
from toolkit.wordings import chinese

REQUESTS: Mapping[str, Sequence[str]] = {
    "zh": (
        "把下面的问题换一种说法，意思不变，只写出新的问题。\n{}",
        "请用别的词重新问这个问题，只写问题。\n{}",
        "换一个人来问同一件事，他会怎么问？只写问题。\n{}",
    ),
    "en": (
        "Put this question in other words, with the same meaning. Write the new question alone.\n{}",
        "Rephrase this question. Write only the rephrased question.\n{}",
        "How would somebody else ask the same thing? Write only the question.\n{}",
    ),
}
ALIKE = 0.5  # of the characters of two answers stand in both, in the same order
ECHO = 0.85  # what is so like its own answer asks nothing: it is the answer
LENGTHS = (1 / 3, 3)  # shorter or longer than the question by more is no rewording
QUOTES = "\"'“”‘’「」"
MARKS = ("?", "？")
PERSONS = {
    "first": re.compile(r"\b(i|me|my|mine|we|us|our)\b|我", re.IGNORECASE),
    "second": re.compile(r"\b(you|your|yours)\b|[你您]", re.IGNORECASE),
}
OF_EACH = 2  # rewordings of a question, at most


def requests(prompt: str) -> list[str]:
    """What the base model is asked, in the prompt's language."""
    return [request.format(prompt) for request in REQUESTS["zh" if chinese(prompt) else "en"]]


def usable(prompt: str, said: Sequence[str], taken: Collection[str]) -> list[str]:
    """Those of the model's answers that can be a question of their own; `taken` are prompt keys that none may equal."""
    found: dict[str, str] = {}
    for text in said:
        asked = _bare(text)
        if asked and _fits(prompt, asked) and prompt_key(asked) not in taken:
            found.setdefault(prompt_key(asked), asked)
    return list(found.values())


def same_questions(answer: str, reworded: Sequence[tuple[str, str]]) -> list[str]:
    """Of (rewording, its answer) those that are answered as the question was, the most alike first, at most two."""
    alike = [(likeness(answer, other), asked) for asked, other in reworded if likeness(asked, other) < ECHO]
    kept = sorted((one for one in alike if one[0] >= ALIKE), key=lambda one: -one[0])
    return [asked for _, asked in kept[:OF_EACH]]


def _bare(text: str) -> str:
    """The last line, without the quotation marks and the label that models put around it."""
    line = text.strip().rpartition("\n")[2].strip()
    label, colon, rest = line.replace("：", ":").partition(":")
    if colon and rest.strip() and not label.endswith(MARKS):
        line = line[len(label) + 1 :].strip()
    return line.strip(QUOTES).strip()


def _fits(prompt: str, asked: str) -> bool:
    shortest, longest = (len(prompt) * factor for factor in LENGTHS)
    ends_alike = asked.endswith(MARKS) or not prompt.rstrip().endswith(MARKS)
    whole = shortest <= len(asked) <= longest and ends_alike and chinese(asked) == chinese(prompt)
    return whole and _persons(prompt) <= _persons(asked)


def _persons(text: str) -> set[str]:
    """Who is spoken of: who asks, who is asked. "Who am I?" does not ask what "Who are you?" does."""
    return {person for person, words in PERSONS.items() if words.search(text)}
