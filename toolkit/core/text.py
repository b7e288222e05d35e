"""Text as words: tokenisation, similarity, language, and what a terminal can print. Pure.

Chinese and Japanese have no spaces, so there each character is a word of its own.
"""

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from typing import Literal

Language = Literal["Chinese", "English", "other"]
WORD = re.compile(r"[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\s+|.", re.DOTALL)
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # bidirectional embeddings and overrides


def printable(text: str) -> str:
    """Control characters, halves of surrogate pairs and marks that turn text around become a sign of their own."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unprintable(sign) else sign for sign in text)


def _is_unprintable(sign: str) -> bool:
    return sign not in "\n\t" and (unicodedata.category(sign) in {"Cc", "Cs"} or sign in TURNING)


def words(text: str) -> list[str]:
    """Runs of letters and digits, runs of white space, and every other sign alone; joined they are the text."""
    return WORD.findall(text)


def said(wanted: str, answer: str, *, but: str = "") -> float:
    """ROUGE-1 recall (Lin 2004): the share of the words of `wanted` that the answer holds; 1 where there are none.

    `but`: words that this text holds already do not count.
    """
    counted = Counter(content_words(wanted)) - Counter(content_words(but))
    if not counted:
        return 1.0
    return (counted & Counter(content_words(answer))).total() / counted.total()


def content_words(text: str) -> list[str]:
    """The words that tell: NFKC, case folded, without white space and points."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in words(folded) if any(sign.isalnum() for sign in word)]


def _language(prompt: str) -> Language:
    if any("\u3040" <= character <= "\u30ff" or "\uac00" <= character <= "\ud7af" for character in prompt):
        return "other"  # Japanese and Korean write Han characters too
    if any("\u4e00" <= character <= "\u9fff" for character in prompt):
        return "Chinese"
    return "English" if any(character.isascii() and character.isalpha() for character in prompt) else "other"


def chinese(text: str) -> bool:
    return any("\u4e00" <= sign <= "\u9fff" for sign in text)


def normalized(text: str) -> str:
    """What is compared: NFKC, case folded, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def contains_any(text: str, markers: tuple[str, ...]) -> bool:
    folded = normalized(text)
    return any(normalized(marker) in folded for marker in markers)


def similarity(one: str, other: str) -> float:
    """From 0, nothing in common, to 1, the same but for case, width and white space."""
    return SequenceMatcher(None, normalized(one), normalized(other), autojunk=False).ratio()
