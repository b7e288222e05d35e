"""A question's unknown as a phrase: "Who is the mayor of Denver?" asks for "the mayor of Denver". Pure."""

import re

from toolkit.core.text import has_chinese

ENGLISH = (  # the groups are the phrase; of the last two, after an article and before "that" or "who"
    re.compile(
        r"(?:who|what)(?:'s|’s| is| are| was| were) (?:the name of )?((?:the |\w+(?:'s|’s) )[^?]+)\?", re.IGNORECASE
    ),
    re.compile(r"what is ((?:the )[^?]+) called\?", re.IGNORECASE),
    re.compile(r"which ((?:[a-z-]+ )?[a-z-]+) ((?!is\b|was\b|does\b|has\b)[a-z]+s [^?]+)\?", re.IGNORECASE),
    re.compile(r"(who) ((?:[a-z]+ed|wrote|made|built|leads|runs|holds) [^?]+)\?", re.IGNORECASE),
)
CHINESE = re.compile(
    r"(?:请问)?([^，。？]+?的[^，。？的]*?([^，。？的]))(?:是谁|是什么\2?|是哪[天里位个]|叫(?:做)?什么(?:名字)?|在哪里|在哪儿)？"
)
OWN = re.compile(r"\b(?:you|your|yours|me|my|i)\b|[你您我]", re.IGNORECASE)


def unknown(question: str) -> str:
    """The phrase; "" for a question that has none, or that speaks of who talks."""
    text = question.strip()
    if OWN.search(text):
        return ""
    if has_chinese(text):
        found = CHINESE.fullmatch(text)
        return found[1] if found else ""
    plain, called, which, who = (pattern.fullmatch(text) for pattern in ENGLISH)
    if found := called or plain:
        return found[1]
    if which:
        return f"the {which[1]} that {which[2]}"
    return f"the person who {who[2]}" if who else ""


def described(question: str, name: str, phrase: str) -> str:
    """The question about what the phrase describes, in place of the name and an article before it."""
    if has_chinese(name):
        return question.replace(name, phrase)
    found = re.sub(rf"(?:\b(?:the|an?) )?\b{re.escape(name)}\b", lambda _: phrase, question, flags=re.IGNORECASE)
    return found[:1].upper() + found[1:]
