"""Texts as words: what a difference is shown in and what repetition is counted over. Pure.

Chinese and Japanese have no spaces, so there each character is a word of its own.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

WORD = re.compile(r"[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\s+|.", re.DOTALL)
LEAST_COMMON = 0.3  # two texts that share less are shown as two, not as a patchwork
GRAM = 4
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # bidirectional embeddings and overrides


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A stretch of one text; `changed`: the other text has something else there."""

    text: str
    changed: bool


def printable(text: str) -> str:
    """Control characters, halves of surrogate pairs and marks that turn text around become a sign of their own."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unprintable(sign) else sign for sign in text)


def _is_unprintable(sign: str) -> bool:
    return sign not in "\n\t" and (unicodedata.category(sign) in {"Cc", "Cs"} or sign in TURNING)


def words(text: str) -> list[str]:
    """Runs of letters and digits, runs of white space, and every other sign alone; joined they are the text."""
    return WORD.findall(text)


def differences(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, those of `before` that are gone and those of `after` that are new marked as changed."""
    old, new = words(before), words(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if _common(old, new, matcher) < LEAST_COMMON:
        return _whole(before), _whole(after)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        left.append(Piece(text="".join(old[old_from:old_to]), changed=tag != "equal"))
        right.append(Piece(text="".join(new[new_from:new_to]), changed=tag != "equal"))
    return _joined(left), _joined(right)


def said(wanted: str, answer: str, *, but: str = "") -> float:
    """ROUGE-1 recall (Lin 2004): the share of the words of `wanted` that the answer holds; 1 where there are none.

    `but`: words that this text holds already do not count.
    """
    counted = Counter(spoken(wanted)) - Counter(spoken(but))
    if not counted:
        return 1.0
    return (counted & Counter(spoken(answer))).total() / counted.total()


def spoken(text: str) -> list[str]:
    """The words that tell: NFKC, case folded, without white space and points."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in words(folded) if any(sign.isalnum() for sign in word)]


def repetition(text: str) -> float:
    """The share of four-word stretches that occurred before in the text: seq-rep-4 (Welleck et al. 2020)."""
    said = [word for word in words(text) if not word.isspace()]
    grams = [tuple(said[at : at + GRAM]) for at in range(len(said) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _common(old: Sequence[str], new: Sequence[str], matcher: "SequenceMatcher[str]") -> float:
    """The share of the longer text's letters that both have."""
    same = sum(len("".join(old[at : at + size]).strip()) for at, _, size in matcher.get_matching_blocks())
    return same / max(len("".join(old)), len("".join(new)), 1)


def _whole(text: str) -> list[Piece]:
    return [Piece(text=text, changed=True)] if text else []


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Without empty pieces, and without islands: white space and points between two changes belong to them."""
    found: list[Piece] = []
    shown = [piece for piece in pieces if piece.text]
    for at, piece in enumerate(shown):
        island = (
            0 < at < len(shown) - 1 and shown[at - 1].changed and shown[at + 1].changed
            and not any(sign.isalnum() for sign in piece.text)
        )  # fmt: skip
        changed = piece.changed or island
        if found and found[-1].changed == changed:
            found[-1] = Piece(text=found[-1].text + piece.text, changed=changed)
        else:
            found.append(Piece(text=piece.text, changed=changed))
    return found
