"""The words of a report, and of other pages, from a catalogue of both languages."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).with_name("texts.yaml")
LANGUAGES = ("en", "zh")
ENGLISH = "en"


class Texts:
    """One language of a catalogue. `texts("verdict.passed")`; names in braces are filled in."""

    def __init__(self, language: str = ENGLISH, file: Path = CATALOGUE) -> None:
        self.language, self.file = language, file

    def __call__(self, key: str, **values: Any) -> str:
        text = catalogue(self.file)[key][self.language]
        return text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in catalogue(self.file)


@cache
def catalogue(file: Path = CATALOGUE) -> dict[str, dict[str, str]]:
    """Dotted key to language to text."""
    from toolkit.core.plain_yaml import read_own

    return dict(_flat(read_own(file), ""))


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for key, inner in value.items():
        if set(inner) <= set(LANGUAGES):
            yield f"{prefix}{key}", inner
        else:
            yield from _flat(inner, f"{prefix}{key}.")
