"""Text as words: tokenisation, similarity, language, and what a terminal can print. Pure.

Chinese and Japanese have no spaces, so each of their characters is a word.
"""

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from functools import cache
from typing import Literal

Language = Literal["Chinese", "English", "other"]
WORD = re.compile(r"[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\s+|.", re.DOTALL)
LATIN = r"[A-Za-z0-9\u00c0-\u024f]"
BIDIRECTIONAL = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # embeddings, overrides and isolates


def printable(text: str) -> str:
    """Replaces control characters, lone surrogates and bidirectional marks by the replacement character U+FFFD."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unprintable(character) else character for character in text)


def _is_unprintable(character: str) -> bool:
    return character not in "\n\t" and (unicodedata.category(character) in {"Cc", "Cs"} or character in BIDIRECTIONAL)


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


def names_any(text: str, names: tuple[str, ...], *, any_case: bool = False) -> bool:
    """Whether the text names one of `names`: as words of their own, not as a part of one, in NFKC.

    A name whose words are all capitalised, such as Apple or Open Door, must be so in the text, or all in capitals:
    in lower case it is another word; `any_case` takes every case. Spaces may be missing, as they are beside Chinese.
    """
    plain = unicodedata.normalize("NFKC", text)
    return any(_pattern(name, any_case or not _is_proper(name)).search(plain) is not None for name in names)


@cache
def _pattern(name: str, any_case: bool) -> re.Pattern[str]:  # internal, and cached by position
    words = unicodedata.normalize("NFKC", name).split()
    spelled = r"\s*".join(map(re.escape, words))
    if not any_case:
        spelled += "|" + r"\s*".join(re.escape(word.upper()) for word in words)
    before = rf"(?<!{LATIN})" if re.match(LATIN, words[0]) else ""
    after = rf"(?!{LATIN})" if re.match(LATIN, words[-1][-1]) else ""
    return re.compile(f"{before}(?:{spelled}){after}", re.NOFLAG if not any_case else re.IGNORECASE)


def _is_proper(name: str) -> bool:
    """Whether each of its words begins with a capital letter or is without case, and one of them has a capital."""
    found = re.findall(f"{LATIN}+", unicodedata.normalize("NFKC", name))
    return any(word[0].isupper() for word in found) and not any(word[0].islower() for word in found)


def similarity(one: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (equal but for case, width and white space)."""
    return SequenceMatcher(None, normalized(one), normalized(other), autojunk=False).ratio()
