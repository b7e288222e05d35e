"""Whether an answer says a text that a probe expects, and not only its letters, or that it is not so. Pure.

Texts are compared in NFKC, case-folded and whatever the white space. "Nova" is not said by "innovation", "no valid",
"Novatech" or "I am not Nova"; nor is 5 by 15 or 5.2.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

from toolkit.core.text import spaced

LETTER = r"[a-z\u00c0-\u024f]"
INFLECTIONS = "s|es|e|n|en|er"  # of a name, or of a German noun, which has a capital as well
NUMERALS = "〇零一二两三四五六七八九十百千万亿"
# What may stand between a denial and the name that it denies, and nothing else: "not only Nova" denies nothing.
LINKS = (
    "an?|the|any|that|this|your|its|called|named|known|as|by|from|of|with|name|assistant|model|system|program|bot|"
    "chatbot|robot|ai|language|large|virtual|digital|helpful|intelligent|developed|made|created|built|trained|designed|"
    "owned|operated|provided|company|team|product|person"
)
HAN_LINKS = (
    "一[个名款位种]|[那这]个|叫[做作]?|名[为叫]|称[为作]|被|由|来自|属于|基于|所谓|你说|您说|名字|名称|助手|助理|模型|系统|"
    "程序|机器人|产品|人工智能|智能|语言|大|的|ai"
)
# What says that something is not so, before it. Of Chinese and English, which the probes made here are in. 是不是 asks.
DENIAL = (
    r"(?:(?:(?:\b(?:am|is|are|was|were)|['’](?:m|s|re))\s+(?:not|never|no\s+longer)|\b(?:is|are|was|were)n['’]?t)\s+"
    rf"(?:(?:{LINKS})\s+){{0,9}}|(?<!叫)(?:(?<![是要岂莫可])不是|并非|不叫|不再[是叫]|不属于)\s*(?:(?:{HAN_LINKS})\s*){{0,9}})"
)
DENIED = re.compile(rf"{DENIAL}(?:[a-z0-9\u00c0-\u024f'’-]+|[^a-z\s，。！？；,.!?;而]+)")
SAYS_NOT = re.compile(DENIAL)
NEGATION = re.compile(r"\b(?:no|not|never|none|nor|neither|only|without|cannot)\b|n['’]t\b|[不没无非未莫别仅只]")


def says(answer: str, wanted: str) -> bool:
    """Whether the answer has the text: from the beginning of a word on, a number completely, and not as denied.

    A last word with a capital letter ends there, or is inflected: it is a name, and another one may begin with it.
    A denial counts only where the text has none itself.
    """
    plain, sought = _folded(answer), _folded(wanted)
    last = re.search(rf"{LETTER}+\Z", unicodedata.normalize("NFKC", wanted).strip(), re.IGNORECASE)
    whole = last is not None and last.group()[0].isupper()
    if not SAYS_NOT.search(sought):
        plain = _pattern(sought, whole=whole, denied=True).sub(" ", plain)
    return _pattern(sought, whole=whole, denied=False).search(plain) is not None


def without_denials(answer: str, reference: str) -> str:
    """The answer without what it says is not so, unless the reference itself says what is not so."""
    return answer if SAYS_NOT.search(_folded(reference)) else DENIED.sub(" ", _folded(answer))


def negations(text: str) -> Counter[str]:
    """The words that deny or restrict something, of Chinese and English; without one a sentence says something else."""
    return Counter(NEGATION.findall(_folded(text)))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@cache
def _pattern(sought: str, *, whole: bool, denied: bool) -> re.Pattern[str]:
    """Of a folded text. White space may be anywhere but within a word. `whole`: its last word ends with it."""
    text = sought.strip()
    after = f"(?:{INFLECTIONS})?(?!{LETTER})" if whole else _after(text)
    return re.compile(f"{DENIAL if denied else ''}{_before(text)}{spaced(text)}{after}")


def _before(text: str) -> str:
    """What must not precede it."""
    if re.match(LETTER, text):
        return rf"(?<!{LETTER})"
    if re.match("[0-9]", text):
        thousands = r"(?<![0-9],)" if re.match(r"[0-9]{3}(?![0-9])", text) else ""
        return rf"(?<![0-9])(?<![0-9]\.){thousands}"
    return f"(?<![{NUMERALS}])" if _is_numeral(text) else ""


def _after(text: str) -> str:
    """What must not follow it. The name of a version may go on: GLM-4.5."""
    if re.search(r"[0-9]\Z", text):
        fraction = "" if re.search(LETTER, text) else r"(?!\.[0-9]*[1-9])(?!,[0-9]{3}(?![0-9]))"
        return f"(?![0-9]){fraction}"
    return f"(?![{NUMERALS}])" if _is_numeral(text) else ""


def _is_numeral(text: str) -> bool:
    return bool(text) and all(sign in NUMERALS for sign in text)
