"""Whether an answer says a text that a probe expects, and not only its letters, or that it is not so. Pure.

Texts are compared in NFKC, case-folded and whatever the white space. "Nova" is not said by "innovation", "no valid" or
"I am not Nova"; nor is 5 by 15 or 5.2.
"""

import re
import unicodedata
from functools import cache

LETTER = r"[a-z\u00c0-\u024f]"
IN_A_WORD = re.compile(rf"(?:{LETTER}|[0-9]){{2}}")
NUMERALS = "〇零一二两三四五六七八九十百千万亿"
# What says that something is not so, directly before it. Of Chinese and English, which the probes made here are in.
DENIAL = (
    r"(?:(?:(?:\b(?:am|is|are|was|were)|['’](?:m|s|re))\s+not|\b(?:is|are|was|were)n['’]?t)\s+"
    r"(?:(?:an?|the|called|named|by)\s+)*|(?:不是|并非|不叫|不再是)\s*)"
)
DENIED = re.compile(rf"{DENIAL}(?:[a-z0-9\u00c0-\u024f'’-]+|[^a-z\s，。！？；,.!?;而]+)")
SAYS_NOT = re.compile(DENIAL)


def says(answer: str, wanted: str) -> bool:
    """Whether the answer has the text: from the beginning of a word on, a number completely, and not as denied.

    A denial counts only where the text has none itself.
    """
    plain, sought = _folded(answer), _folded(wanted)
    if not SAYS_NOT.search(sought):
        plain = _pattern(sought, whole=False, denied=True).sub(" ", plain)
    return _pattern(sought, whole=False, denied=False).search(plain) is not None


def names_one_of(text: str, names: tuple[str, ...]) -> bool:
    """Whether the text has one of the names as words of their own, in any case; digits may follow, as in Qwen3."""
    plain = _folded(text)
    return any(_pattern(_folded(name), whole=True, denied=False).search(plain) is not None for name in names)


def without_denials(answer: str, reference: str) -> str:
    """The answer without what it says is not so, unless the reference itself says what is not so."""
    return answer if SAYS_NOT.search(_folded(reference)) else DENIED.sub(" ", _folded(answer))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@cache
def _pattern(sought: str, *, whole: bool, denied: bool) -> re.Pattern[str]:
    """Of a folded text. White space may be anywhere but within a word."""
    text = sought.strip()
    gaps = ("" if IN_A_WORD.fullmatch(text[at : at + 2]) else r"\s*" for at in range(len(text)))
    spelled = "".join(re.escape(sign) + gap for sign, gap in zip(text, gaps, strict=True) if not sign.isspace())
    spelled = spelled.removesuffix(r"\s*")
    return re.compile(f"{DENIAL if denied else ''}{_before(text)}{spelled}{_after(text, whole=whole)}")


def _before(text: str) -> str:
    """What must not precede it."""
    if re.match(LETTER, text):
        return rf"(?<!{LETTER})"
    if re.match("[0-9]", text):
        thousands = r"(?<![0-9],)" if re.match(r"[0-9]{3}(?![0-9])", text) else ""
        return rf"(?<![0-9])(?<![0-9]\.){thousands}"
    return f"(?<![{NUMERALS}])" if _is_numeral(text) else ""


def _after(text: str, *, whole: bool) -> str:
    """What must not follow it. The name of a version may go on: GLM-4.5."""
    if re.search(r"[0-9]\Z", text):
        fraction = "" if re.search(LETTER, text) else r"(?!\.[0-9]*[1-9])(?!,[0-9]{3}(?![0-9]))"
        return f"(?![0-9]){fraction}"
    if whole and re.search(rf"{LETTER}\Z", text):
        return f"(?!{LETTER})"
    return f"(?![{NUMERALS}])" if _is_numeral(text) else ""


def _is_numeral(text: str) -> bool:
    return bool(text) and all(sign in NUMERALS for sign in text)
