"""The words of a report, and of other pages, from a catalogue of both languages."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from toolkit.model.conversation import DEFAULT, NONE

CATALOGUE = Path(__file__).with_name("texts.yaml")
LANGUAGES = ("en", "zh")
ENGLISH = "en"
PLURAL = re.compile(r"\\\{\w+:([^{}|]*)\\\|([^{}|]*)\\\}")  # as re.escape leaves {count:probe|probes}
FIELD = re.compile(r"\\\{(\w+)\\\}")  # as re.escape leaves a name in braces
# What a verdict's reason is made of (`Shortfall.reason`), the outermost first, and what stands in its braces.
UNMEASURED = ("took_unmeasured", "took_known", "took_chance", "kept_unmeasured", "kept_drift")
REASONS = tuple(f"reason.{name}" for name in ("where", "open", "under", "over", "met", *UNMEASURED))
WITHIN = {
    "reason": REASONS[1:5],
    "reaches": ("reason.reaches", "reason.few"),
    "tells": tuple(f"reason.{name}" for name in ("left", "more", "too_close", "all_items")),
    "system": ("system.default", "system.none"),
}


class _Counting(Formatter):
    """As str.format, and {count:probe|probes} is the first of the two behind a count of 1, else the second."""

    def format_field(self, value: Any, format_spec: str) -> str:
        one, bar, more = format_spec.partition("|")
        return (one if str(value) == "1" else more) if bar else str(super().format_field(value, format_spec))


class Texts:
    """One language of a catalogue. `texts("verdict.passed")`; names in braces are filled in, nouns by their count."""

    def __init__(self, language: str = ENGLISH, file: Path = CATALOGUE) -> None:
        self.language, self.file = language, file

    def __call__(self, key: str, **values: Any) -> str:
        text = catalogue(self.file)[key][self.language]
        return COUNTING.vformat(text, (), values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in catalogue(self.file)


COUNTING = _Counting()


@cache
def catalogue(file: Path = CATALOGUE) -> dict[str, dict[str, str]]:
    """Dotted key to language to text."""
    from toolkit.core.plain_yaml import read_own

    return dict(_flat(read_own(file), ""))


def system_name(system: str, texts: Texts) -> str:
    """The text, or words for DEFAULT and NONE."""
    return {DEFAULT: texts("system.default"), NONE: texts("system.none")}.get(system, system)


def reason_in(texts: Texts, english: str) -> str:
    """A verdict's reason, which records have in English and signed ones keep so, in the language of `texts`.

    It is found by the texts that it was made of; one that this version would not give stays as it is.
    """
    return _in(texts, english, REASONS)


def _in(texts: Texts, english: str, keys: Sequence[str]) -> str:
    """By the first of the keys whose English it is."""
    for key in keys:
        if found := _pattern(key).fullmatch(english):
            return texts(key, **{name: _in(texts, text, _within(name)) for name, text in found.groupdict().items()})
    return english


def _within(name: str) -> Sequence[str]:
    """The keys of what may stand in these braces; none for a number."""
    if name == "metric":
        return [key for key in catalogue() if key.startswith("metric.") and key.endswith(".name")]
    return WITHIN.get(name, ())


@cache
def _pattern(key: str) -> re.Pattern[str]:
    """A number is one word: what another version said behind it is not taken for a part of it."""
    return re.compile(FIELD.sub(_group, PLURAL.sub(r"(?:\1|\2)", re.escape(Texts()(key)))), re.DOTALL)


def _group(name: re.Match[str]) -> str:
    return f"(?P<{name[1]}>{'.*?' if _within(name[1]) else '[^ ]+?'})"


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for key, inner in value.items():
        if set(inner) <= set(LANGUAGES):
            yield f"{prefix}{key}", inner
        else:
            yield from _flat(inner, f"{prefix}{key}.")
