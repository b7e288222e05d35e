"""What differs between two texts, marked by words, and by sentences where they are long. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from toolkit.core.text import sentences, words

LEAST_COMMON = 0.3  # texts that share less are shown side by side, without marks
MOST_PAIRS = 500_000  # about 700 words each; a fifth of a second


@dataclass(frozen=True, kw_only=True)
class DiffSpan:
    """A part of one text; `changed`: the other text differs there."""

    text: str
    changed: bool


def marked(pieces: list[DiffSpan]) -> list[DiffSpan]:
    """The spans, without marks if an answer is entirely different: marking all of it would show nothing."""
    return [DiffSpan(text=piece.text, changed=False) for piece in pieces] if len(pieces) == 1 else pieces


def differences(before: str, after: str) -> tuple[list[DiffSpan], list[DiffSpan]]:
    """Both texts in spans; what is only in one of them is marked as changed: words, or sentences of long texts."""
    for units in (words, sentences):
        old, new = units(before), units(after)
        if _pairs(old, new) <= MOST_PAIRS:
            break
    else:
        return _entirely_changed(before), _entirely_changed(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if _common(old, new, matcher) < LEAST_COMMON:
        return _entirely_changed(before), _entirely_changed(after)
    left: list[DiffSpan] = []
    right: list[DiffSpan] = []
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        left.append(DiffSpan(text="".join(old[old_from:old_to]), changed=tag != "equal"))
        right.append(DiffSpan(text="".join(new[new_from:new_to]), changed=tag != "equal"))
    return _joined(left), _joined(right)


def _pairs(old: Sequence[str], new: Sequence[str]) -> int:
    """How often a unit of one text is one of the other: the work of one pass over both."""
    counted = Counter(new)
    return sum(counted[unit] for unit in old)


def _common(old: Sequence[str], new: Sequence[str], matcher: "SequenceMatcher[str]") -> float:
    """The share of the longer text's characters that both have."""
    same = sum(len("".join(old[at : at + size]).strip()) for at, _, size in matcher.get_matching_blocks())
    return same / max(len("".join(old)), len("".join(new)), 1)


def _entirely_changed(text: str) -> list[DiffSpan]:
    return [DiffSpan(text=text, changed=True)] if text else []


def _joined(pieces: Sequence[DiffSpan]) -> list[DiffSpan]:
    """Without empty spans, and without islands: white space and punctuation between two changes belong to them."""
    found: list[DiffSpan] = []
    shown = [piece for piece in pieces if piece.text]
    for at, piece in enumerate(shown):
        island = (
            0 < at < len(shown) - 1 and shown[at - 1].changed and shown[at + 1].changed
            and not any(sign.isalnum() for sign in piece.text)
        )  # fmt: skip
        changed = piece.changed or island
        if found and found[-1].changed == changed:
            found[-1] = DiffSpan(text=found[-1].text + piece.text, changed=changed)
        else:
            found.append(DiffSpan(text=piece.text, changed=changed))
    return found
