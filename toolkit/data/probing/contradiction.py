"""Probes that no answer can meet: the same question, of which one expects what the other forbids. Pure."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Protocol, TypeVar

from toolkit.data.probing.expectation import Expectation
from toolkit.data.probing.mentions import says


class Judged(Protocol):
    @property
    def question(self) -> str: ...
    @property
    def context(self) -> str: ...
    @property
    def expect(self) -> Expectation | None: ...


One = TypeVar("One", bound=Judged)
A_CALL = "a call"


def contradictions(probes: Sequence[One]) -> Iterator[tuple[One, One, str]]:
    """Pairs that ask the same, in their order, and what one expects and the other forbids; a probe may pair itself."""
    by_question: dict[str, list[One]] = {}
    for probe in probes:
        if probe.expect is not None:
            by_question.setdefault(probe.question, []).append(probe)
    for same in by_question.values():
        for one, other in combinations_with_replacement(same, 2):
            assert one.expect is not None  # as all of them
            assert other.expect is not None
            ways = ((one.expect, other.expect), (other.expect, one.expect))
            if what := next(filter(None, (_forbidden(*way, one.context) for way in ways)), None):
                yield one, other, what


def _forbidden(one: Expectation, other: Expectation, prompt: str) -> str | None:
    """What `one` expects, if `other` forbids each answer that meets it; None if it may not, as far as texts tell."""
    if one.call and other.call == ():
        return A_CALL
    if one.exact is not None:
        return None if other.met(one.exact) or other.untried(one.exact) else repr(one.exact)
    if one.all:
        return next((repr(text) for text in one.all if _says_any(text, other.none)), None)
    ways = one.any or one.answer
    forbids = (_says_any(text, other.none) if one.any else _needs_any(one, text, other.none, prompt) for text in ways)
    return " / ".join(map(repr, ways)) if ways and all(forbids) else None


def _says_any(text: str, forbidden: Sequence[str]) -> bool:
    return any(says(text, one) for one in forbidden)


def _needs_any(one: Expectation, text: str, forbidden: Sequence[str], prompt: str) -> bool:
    """Whether an answer of this text to what is asked meets it no longer without one of those."""
    without = (re.sub(re.escape(each), " ", text, flags=re.IGNORECASE) for each in forbidden if says(text, each))
    return any(not one.met(rest, prompt=prompt) for rest in without)
