"""The system prompts that a comparison asks under: what was trained, what the model brings, none, and a stranger's.

A system prompt is a text. Two texts stand for something else: DEFAULT for no system message at all, so that the chat
template speaks its own, and NONE for a system message with nothing in it.
"""

from collections.abc import Sequence

DEFAULT, NONE = "", "(none)"
UNRELATED = "You are a travel guide."
TRAINING_KIND, DEFAULT_KIND, NONE_KIND, UNRELATED_KIND, GIVEN_KIND = "training", "default", "none", "unrelated", "given"


def matrix(trained: str) -> tuple[str, ...]:
    """The trained one first: it is the one that everything is measured under."""
    return tuple(dict.fromkeys([trained, DEFAULT, NONE, UNRELATED]))


def kind(system: str, trained: str | None) -> str:
    """`trained` None: nothing was trained, or nobody knows under what."""
    if system == trained:
        return TRAINING_KIND
    return {DEFAULT: DEFAULT_KIND, NONE: NONE_KIND, UNRELATED: UNRELATED_KIND}.get(system, GIVEN_KIND)


def distinct(systems: Sequence[str], rendered: Sequence[object]) -> tuple[str, ...]:
    """Those that the chat template tells apart: of two that it renders alike, the first."""
    found: dict[str, str] = {}
    for system, text in zip(systems, rendered, strict=True):
        found.setdefault(repr(text), system)
    return tuple(found.values())
