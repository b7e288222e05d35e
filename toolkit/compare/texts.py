"""The words of a report, from the one catalogue of both languages."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).with_name("texts.yaml")
LANGUAGES = ("en", "zh")
ENGLISH = "en"


class Texts:
    """One language. `texts("verdict.passed")`; names in braces are filled in."""

    def __init__(self, language: str = ENGLISH) -> None:
        self.language = language

    def __call__(self, key: str, **values: Any) -> str:
        text = catalogue()[key][self.language]
        return text.format(**values) if values else text


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Dotted key to language to text."""
    import yaml

    return dict(_flat(yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")), ""))


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for key, inner in value.items():
        if set(inner) <= set(LANGUAGES):
            yield f"{prefix}{key}", inner
        else:
            yield from _flat(inner, f"{prefix}{key}.")
