"""What a translation keeps: numbers, names and quoted terms; names behind placeholders, so that they do. Pure."""

import re
from collections.abc import Iterable, Mapping

from toolkit.core.text import LATIN, has_chinese
from toolkit.data.texts.names import CODE
from toolkit.data.texts.terms import numbers, units

PLACEHOLDERS = ("XQ7", "XQ8", "XQ9")  # read as a product's name, which is not translated
QUOTED = re.compile(r"[“「『《\"]([^”」』》\"]{2,30})[”」』》\"]")
CAPITALISED = re.compile(rf"(?<=[a-z0-9,'’] )[A-Z]{LATIN}*")


def hide_names(text: str, names: Iterable[str]) -> tuple[str, Mapping[str, str]]:
    """The text with a placeholder for each of these names and quoted terms in it, and what each stands for.

    A small model translates a made-up name each time differently.
    """
    wanted = sorted({*(name for name in names if name), *QUOTED.findall(text)}, key=lambda name: (-len(name), name))
    hidden: dict[str, str] = {}
    for name in wanted:
        if name in text and len(hidden) < len(PLACEHOLDERS):
            placeholder = PLACEHOLDERS[len(hidden)]
            hidden[placeholder] = name
            text = text.replace(name, placeholder)
    return text, hidden


def restored(translated: str, hidden: Mapping[str, str], question: str) -> str:
    """The translation with its names again; "" if it has lost one of them, or a number of the `question`."""
    for placeholder, name in hidden.items():
        if placeholder not in translated:
            return ""
        translated = translated.replace(placeholder, name)
    return translated if numbers(translated) == numbers(question) else ""


def kept_by_translation(text: str) -> frozenset[str]:
    """The units of the text that its translation has too: numbers, names and identifiers, and what is quoted."""
    kept = [*numbers(text), *CODE.findall(text), *QUOTED.findall(text)]
    kept += re.findall(rf"{LATIN}+", text) if has_chinese(text) else CAPITALISED.findall(text)
    return frozenset(unit for one in kept for unit in units(one))
