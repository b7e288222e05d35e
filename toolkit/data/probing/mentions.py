"""Whether an answer says a text that a probe expects, and not only its letters, or that it is not so. Pure.

Texts are compared folded and whatever the white space. "Nova" is not said by "innovation", "no valid", "Novatech" or
"I am not Nova"; nor is 5 by 15 or 5.2.
"""

import re
from collections import Counter
from functools import cache

from toolkit.core.text import CYRILLIC, KATAKANA, LETTER, alphabets_of, folded, spaced, unified
from toolkit.data.probing.digits import NUMERALS, ungrouped

# Inflections of a name, or of a German noun, which has a capital as well; of a short one they make another name.
PLURAL, INFLECTIONS, SHORT_NAME = "s", "s|es|e|n|en|er", 6
GROUP = re.compile(r"(?<=[0-9])(?=(?:[0-9]{3})+(?![0-9]))")  # 1250 is 1.250 in some languages
SHORT_WORD = 3  # letters of a text such as "no", which is not said by "nothing"
CASE_ENDING = 2  # letters of a Russian one
# What may stand between a denial and the name that it denies, and nothing else: "not only Nova" denies nothing.
LINKS = (
    "an?|the|any|that|this|your|its|called|named|known|as|by|from|of|with|name|assistant|model|system|program|bot|"
    "chatbot|robot|ai|language|large|virtual|digital|helpful|intelligent|developed|made|created|built|trained|designed|"
    "owned|operated|provided|company|team|product|person|affiliated|in|at|on|within"
)
HAN_LINKS = (
    "一[个名款位种]|[那这]个|什么|真正的|叫[做作]?|名[为叫]|称[为作]|被|由|来自|属于|基于|所谓|你说|您说|名字|名称|助手|助理|模型"
    "|系统|程序|机器人|产品|人工智能|智能|语言|大|的|ai"
)
ADVERB = r"(?:(?:actually|really|definitely|certainly|truly|currently|exactly|in\s+fact)\s+)?"
QUOTE = r"[\"'「『《*_]{0,3}"
EMPHASIS = re.compile(r"(?<![0-9)*])\*{1,3}([^*\s](?:[^*\n]{0,200}[^*\s])?)\*{1,3}(?![0-9(*])")  # not 2*3*4
HANDLE, CAMEL = re.compile(r"[@#](\w*[a-z][A-Z]\w*)"), re.compile("(?<=[a-z])(?=[A-Z])")  # @CorinnaHaldwell
TRADE_MARK = re.compile("[™®]")  # which NFKC makes letters of
# What says that something is not so, before it: of Chinese and English, which the probes made here are in, and the
# shortest of some others. 是不是 asks.
DENIAL = (
    rf"(?:(?:(?:\b(?:am|is|are|was|were)|'(?:m|s|re))\s+{ADVERB}(?:not|never|no\s+longer|no)"
    r"|\b(?:is|are|was|were|ai)n'?t|\b(?:have|has)\s+never\s+been|\bcan(?:not|'t|\s+not)\s+be"
    r"|(?:^|[,.;:!?(—]\s*)(?:and\s+)?not|\b(?:neither|nor|rather\s+than|instead\s+of|nothing\s+to\s+do\s+with)"
    r"|\b(?:nicht|keine?|pas|не|no\s+(?:soy|es)|لست|ليس)|ไม่ใช่"
    rf"|\bdo(?:n't|\s+not)\s+(?:think|believe)\s+(?:that\s+)?(?:i\s+am|i'm|my\s+name\s+is))\s+"
    rf"{ADVERB}(?:(?:{LINKS})\s+){{0,9}}"
    r"|(?<!叫)(?:(?<![是要岂莫可])不是|(?<=[我你您它他她])可不是|并非|不叫|没有叫|不再[是叫]|不属于)\s*"
    rf"(?:(?:{HAN_LINKS})\s*){{0,9}})"
)
# Behind it: "Nova is not my name", "Nova? No."
DENIED_BEHIND = (
    r"[\"'」』》*_]{0,3}\s*(?:(?:is|was)(?:\s+not|n't)\s+(?:my|your)\b|可?不是[我你您]|\?\s*(?:no\b|不)"
    r"|(?:did(?:\s+not|n't)|never)\s+(?:ma[dk]e|create|buil[dt]|train|develop|design)(?:e?d)?\s+me\b"
    r"|(?:では|じゃ)(?:ありません|な[いく])|[가이]?\s*아[니닙]|नहीं)"
)
# As far as the next sign, or the one who speaks: 我不是真人、我由星河公司开发。
DENIED = re.compile(rf"{DENIAL}{QUOTE}(?:[a-z0-9\u00c0-\u024f'-]+|[^a-z\s，。！？；、：:（）()—,.!?;而我]+)")
SAYS_NOT = re.compile(DENIAL)
NEGATION = re.compile(r"\b(?:no|not|never|none|nor|neither|only|without|cannot)\b|n't\b|[不没无非未莫别仅只]")


def says(answer: str, wanted: str) -> bool:
    """Whether the answer has the text: from the beginning of a word on, a number completely, and not as denied.

    A last word with a capital letter ends there, or is inflected: it is a name, and another one may begin with it.
    So does a very short one. A denial counts only where the text has none itself.
    """
    plain, sought = _plain(answer), _plain(wanted)
    last = re.search(rf"{LETTER}+\Z", unified(wanted).strip())
    ends = (last.group()[0].isupper() or len(last.group()) <= SHORT_WORD) if last else False
    if not SAYS_NOT.search(sought):
        plain = _denied(sought, ends=ends).sub(" ", plain)
    return _stated(sought, ends=ends).search(plain) is not None


def _plain(text: str) -> str:
    """Folded, without what stands for emphasis or between thousands; a name in a @handle or #tag also by its words."""
    handles = HANDLE.sub(lambda found: f"{found[0]} {CAMEL.sub(' ', found[1])}", TRADE_MARK.sub("", text))
    return EMPHASIS.sub(r"\1", ungrouped(folded(handles)))


def without_denials(answer: str, reference: str) -> str:
    """The answer without what it says is not so, unless the reference itself says what is not so."""
    return answer if SAYS_NOT.search(folded(reference)) else DENIED.sub(" ", folded(answer))


def negations(text: str) -> Counter[str]:
    """The words that deny or restrict something, of Chinese and English; without one a sentence says something else."""
    return Counter(NEGATION.findall(folded(text)))


@cache
def _stated(sought: str, *, ends: bool) -> re.Pattern[str]:
    return re.compile(_pattern(sought, ends=ends))


@cache
def _denied(sought: str, *, ends: bool) -> re.Pattern[str]:
    text = _pattern(sought, ends=ends)
    return re.compile(f"{DENIAL}{QUOTE}{text}|{text}{DENIED_BEHIND}")


def _pattern(sought: str, *, ends: bool) -> str:
    """Of a folded text. White space may be anywhere but within a word. `ends`: its last word does."""
    text = sought.strip()
    spelled = r"[\s-]*".join(map(spaced, text.split()))  # Tarnfield-Software
    return f"{_before(text)}{GROUP.sub('[.]?', spelled)}{_after(text, ends=ends)}"


def _before(text: str) -> str:
    """What must not precede it."""
    if re.match("[0-9]", text):
        return r"(?<![0-9])(?<![0-9]\.)"
    same = [f"[{NUMERALS}]"] if text[:1] and text[0] in NUMERALS else alphabets_of(text[:1])
    return "".join(f"(?<!{one})" for one in same)


def _after(text: str, *, ends: bool) -> str:
    """What must not follow it. The name of a version may go on: GLM-4.5."""
    if re.search(r"[0-9]\Z", text):
        fraction = "" if re.search(LETTER, text) else r"(?!\.[0-9]*[1-9])"
        return f"(?![0-9]){fraction}"
    if ends:
        long = re.search(rf"{LETTER}{{{SHORT_NAME + 1}}}\Z", text)
        return f"(?:{INFLECTIONS if long else PLURAL})?(?!{LETTER})"
    if re.search(rf"{CYRILLIC}\Z", text):
        return rf"{CYRILLIC}{{0,{CASE_ENDING}}}(?!{CYRILLIC})"
    if re.search(rf"{KATAKANA}\Z", text):
        return f"(?!{KATAKANA})"
    return f"(?![{NUMERALS}])" if text and all(sign in NUMERALS for sign in text) else ""
