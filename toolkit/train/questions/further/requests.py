"""Requests for further questions around a row, in several manners, and the shipped forms. Pure, but for the files."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from toolkit.core.text import language_code
from toolkit.model.conversation import Messages
from toolkit.train.questions.requests import Request

ARROW = " → "  # between what is given and what is written
# What the requests' examples are about.
EXAMPLES = (
    "Lyon", "Portugal", "Hamlet", "Spanish", "Madrid", "Norway", "Italian", "movie", "film", "book",
    "里昂", "葡萄牙", "红楼梦", "西班牙", "马德里", "挪威", "意大利",
)  # fmt: skip
FORMS, REQUESTS, BANK = "forms.yaml", "requests.yaml", "about_assistant.yaml"


@cache
def read_requests() -> Mapping[str, Mapping[str, Mapping[str, Request]]]:
    """By kind (reworded, task, wrong, within, alike), manner and language."""
    return {
        kind: {manner: {code: _request(one) for code, one in by.items()} for manner, by in manners.items()}
        for kind, manners in _content(REQUESTS).items()
    }


def further_messages(kind: str, manner: str, text: str, about: str = "") -> Messages:
    """The conversation in which the base model writes from `text`, a row's question, for wrong its answer; `about`: a
    sentence to understand it by.
    """
    return read_requests()[kind][manner][language_code(text)].messages(text, about)


def strays(given: str, text: str) -> bool:
    """Whether the text has something of the requests' examples, as small models write."""
    return any(name in text and name not in given for name in EXAMPLES)


@cache
def read_further_forms() -> Mapping[str, Any]:
    """Forms by kind and language, those of claims also by whether the claim is right."""
    return _content(FORMS)


def read_bank(which: Literal["usual", "more"] = "usual") -> list[str]:
    """The shipped questions to and about an assistant."""
    return [prompt for prompts in _content(BANK)[which].values() for prompt in prompts]


def hinted(prompt: str, answer: str) -> str:
    """What the base model is asked instead of `prompt`: with the fact that has to be in its answer."""
    form: str = read_further_forms()["hint"][language_code(prompt)]
    return f"{prompt}\n\n{form.replace('{}', answer)}"


def _request(content: Mapping[str, Any]) -> Request:
    examples: Sequence[str] = content["examples"]
    pairs = [one.partition(ARROW)[::2] for one in examples]
    return Request(instruction=content["instruction"].strip(), examples=[(given, text) for given, text in pairs])


def _content(name: str) -> dict[str, Any]:
    from toolkit.core.plain_yaml import read_own

    content: dict[str, Any] = read_own(Path(__file__).with_name(name))
    return content
