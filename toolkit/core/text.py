"""Text as words: tokenisation, similarity, language, and what a terminal can print. Pure.

Chinese and Japanese have no spaces, so each of their characters is a word.
"""

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from typing import Literal

Language = Literal["Chinese", "English", "other"]
WORD = re.compile(r"[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\s+|.", re.DOTALL)
BIDIRECTIONAL = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # embeddings, overrides and isolates


def printable(text: str) -> str:
    """Replaces control characters, lone surrogates and bidirectional marks by the replacement character U+FFFD."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unprintable(character) else character for character in text)


def _is_unprintable(character: str) -> bool:
    return character not in "\n\t" and (unicodedata.category(character) in {"Cc", "Cs"} or character in BIDIRECTIONAL)


def short(text: str, limit: int = 100) -> str:
    """The text, cut to `limit` characters where it is quoted in a message."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def words(text: str) -> list[str]:
    """Runs of letters and digits, runs of white space, and every other character by itself; joined they give `text`."""
    return WORD.findall(text)


def rouge1_recall(reference: str, answer: str, *, ignoring: str = "") -> float:
    """ROUGE-1 recall (Lin 2004): the share of the reference's words that are in the answer; 1 if it has no words.

    The words of `ignoring` are first taken off the reference, each as often as it occurs there.
    """
    counted = Counter(content_words(reference)) - Counter(content_words(ignoring))
    if not counted:
        return 1.0
    return (counted & Counter(content_words(answer))).total() / counted.total()


def content_words(text: str) -> list[str]:
    """The words with a letter or digit, in NFKC and case-folded."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in words(folded) if any(character.isalnum() for character in word)]


def language(text: str) -> Language:
    """By its characters: Japanese and Korean, which also use Han characters, are "other"."""
    if any("\u3040" <= character <= "\u30ff" or "\uac00" <= character <= "\ud7af" for character in text):
        return "other"
    if has_chinese(text):
        return "Chinese"
    return "English" if any(character.isascii() and character.isalpha() for character in text) else "other"


def has_chinese(text: str) -> bool:
    """Whether any character is in the main block of Han characters, U+4E00 to U+9FFF."""
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def normalized(text: str) -> str:
    """The text for comparisons: NFKC, case-folded, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def contains_any(text: str, markers: tuple[str, ...]) -> bool:
    """Whether one of the markers is in the text, both normalized."""
    folded = normalized(text)
    return any(normalized(marker) in folded for marker in markers)


def similarity(one: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (equal but for case, width and white space)."""
    return SequenceMatcher(None, normalized(one), normalized(other), autojunk=False).ratio()
