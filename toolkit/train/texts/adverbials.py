"""What stands around a plain sentence without being its subject: since when it holds, and what denies it. Pure.

A question about "Since May, the bar opens at 9" is when the bar opens; its answer stays the complete sentence. What is
no subject makes no question: "When does since May, the bar open?" would be trained as it stands.
"""

import re

SINCE = {
    "en": re.compile(r"^(?:(?:Since|As of|Starting|From|Until|Till) [^,]{1,40}|From now on|Now|Currently), (?=\S)"),
    # A word such as 自行车 or 自助 is none: behind 从 and 自 stands a time.
    "zh": re.compile(
        r"(?:从|自)(?:今|明|去|下|本|这|\d|[一二三四五六七八九十]{1,3}[月年日号])[^，。从自]{0,10}?(?:起|开始)，?|^(?:现在|目前|如今)，"
    ),
}
NEGATION = re.compile(
    r"\b(?:not|never|no longer|n't|cannot)\b|n['’]t\b"
    r"|不(?!锈|丹|列颠)|没|无(?!线|锡|人机|障碍|花果|论)|非(?!洲|常|凡)"  # not 无线, 非洲 …
)
# Of no subject: who speaks or is spoken to, and a word of Chinese that belongs to what follows.
NO_SUBJECT = re.compile(
    r"[,，;；]|^(?:you|we|they|i|he|she|it|there|this|that|these|those)$|^[你您我他她它们这那]{1,2}$|^[你您我]|[不没每从自改在将于都]$|n['’]t$",
    re.IGNORECASE,
)


def without_since(sentence: str, code: str) -> str:
    """The sentence without the time since which it holds: "From May on, the bar opens at 9" is "The bar opens …"."""
    bare = SINCE[code].sub("", sentence)
    return bare if bare == sentence else bare[:1].upper() + bare[1:]


def is_denied(sentence: str) -> bool:
    """Whether something in it is denied, so that it may not be asked as if it were so."""
    return NEGATION.search(sentence) is not None


def is_subject(text: str) -> bool:
    """Whether a question can name it: no pronoun, and not half a clause."""
    return NO_SUBJECT.search(text.strip()) is None
