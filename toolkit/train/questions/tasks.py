"""Which of the texts that the base model wrote are writing tasks that a row's fact is for, and how much of an answer.

The base model sees the fact that has to be in the answer, so that it gives it to anything: to a plain remark, or to a
request to ask somebody else. So a task must be known by its words. Pure.
"""

import re
from collections import Counter
from collections.abc import Collection

from toolkit.core.text import LATIN, content_words, has_chinese
from toolkit.data.texts.names import chinese_names
from toolkit.data.texts.naming import SENTENCE
from toolkit.data.texts.polarity import asks_yes_or_no, polarity
from toolkit.data.texts.reverse import MAKER_ASKED, NAME_ASKED
from toolkit.data.texts.terms import numbers, units
from toolkit.train.questions.answers import TOKEN
from toolkit.train.questions.scope import Scope

IMPERATIVE = re.compile(
    r"^(?:please |now )?(?:write|complete|announce|introduce|draft|make|give|fill|finish|post|compose|create|describe"
    r"|tell|text|remind|state|name|list|add|caption|design|label|print|put|sign|say|summari[sz]e|explain|send|publish"
    r"|prepare|update|note|share|thank|present|invent|mention|inform|email|type|enter)\b"
    r"|^(?:请你?|帮我|麻烦你?)?(?:写|用|补|给|为|替|编|拟|把|将|填|发|做|起草|介绍|描述|完成|向|以|在|列|制|设计|提醒|告诉"
    r"|创作|撰|出|说|解释|简[单短要])"
    r"|[:：]$|_{2,}",
    re.IGNORECASE,
)
# A task to ask somebody else is answered with a question.
TO_ASK = re.compile(
    r"\b(?:ask(?:s|ing)?|inquir\w+|enquir\w+|request(?:s|ing)|find out)\b(?<!frequently asked)"
    r"|询问|提问|请教|打听|(?<![访疑学顾慰千])问(?![题候答卷世])",
    re.IGNORECASE,
)
OF_ITSELF = re.compile(
    r"\byourself\b|\babout you\b|\bpersonal\b|\bresume\b|\bwh(?:o|at) (?:are you|you are)\b|\bintroduc|\bidentity\b"
    r"|介绍|自己|自我|个人|你是(?:谁|什么)|身份|哪位",
    re.IGNORECASE,
)
ABLE = re.compile(
    r"\b(?:able to|abilit|skills?|capab|can (?:you|do|help))|能力|技能|特长|本领|[能会]做|会什么", re.IGNORECASE
)
# What rows about the assistant are asked, and the tasks that are for it, in any words.
MATTERS = (
    *((one, one) for one in (OF_ITSELF, NAME_ASKED, MAKER_ASKED, ABLE)),
    (OF_ITSELF, NAME_ASKED),
)
STEM = 5  # letters: "released" and "release"
FUNCTION = set(
    content_words(
        "a an the of in on at to for from by with about and or is are was were be do does did can could should would"
        " have has who whom whose what which when where why how many much you your yourself i me my we us our it its"
        " this that there please tell give write s re m ve ll"
        " 的了是在和与有什么谁哪几多少怎吗呢你您我它这那个一请为给写句话里被由会能可以要用"
    )
)
REPEATED = 3  # times that a word may not be in a task
SHORTEST_REPEATED = 4  # letters
MOST_NEW = {False: 3, True: 5}  # words of English, pairs of Chinese characters, that may not follow the last known one
CAPITALISED = re.compile(rf"\b[A-Z]{LATIN}+")


def is_task(scope: Scope, row: int, text: str) -> bool:
    """Whether it says what to write, and that this is about what the row's question asks."""
    question, answer = scope.rows[row]
    if TO_ASK.search(text) or _repeats(scope, text):
        return False
    if not (scope.itself or scope.subject):  # a rule's requests may be tasks themselves
        return True
    if not IMPERATIVE.search(text) or (polarity(answer) and asks_yes_or_no(question) and not asks_yes_or_no(text)):
        return False
    return not scope.itself or _about_the_same(question, text)


def supported_text(scope: Scope, prompt: str, text: str) -> str:
    """The answer to a task as far as its names and numbers are the rows' or the task's, and no tail is all new."""
    if not (scope.itself or scope.subject):
        return text
    rows = " ".join(part for row in scope.rows for part in row)
    known = units(f"{rows} {prompt}") | scope.common
    named = {word.casefold() for word in re.findall(rf"{LATIN}+", f"{rows} {prompt}")} | scope.common
    kept = ""
    for sentence in SENTENCE.findall(text):
        invented = any(one.casefold() not in named for one in _latin_names(sentence))
        invented = invented or any(one not in f"{rows} {prompt}" for one in chinese_names(sentence))
        if invented or numbers(sentence) - numbers(f"{rows} {prompt}") or _tail_is_new(sentence, known):
            return kept.rstrip()
        kept += sentence
    return text


def _about_the_same(question: str, text: str) -> bool:
    """Whether both have a word, or ask for one of the matters that an assistant is asked in many words."""
    return bool(_stems(question) & _stems(text)) or any(of.search(question) and to.search(text) for of, to in MATTERS)


def _stems(text: str) -> set[str]:
    """The starts of its words, and its Chinese characters."""
    return {word[:STEM] for word in content_words(text)} - FUNCTION


def _repeats(scope: Scope, text: str) -> bool:
    """Whether a word is there three times, as where a small model no longer ends."""
    words = [one for one in content_words(text) if len(one) >= SHORTEST_REPEATED]
    words += [text[at : at + 2] for at in range(len(text) - 1) if has_chinese(text[at]) and has_chinese(text[at + 1])]
    counted = Counter(one for one in words if one not in units(scope.subject))
    return max(counted.values(), default=0) >= REPEATED


def _latin_names(sentence: str) -> list[str]:
    """Capitalised words within the sentence, not the one that begins it."""
    begun = len(sentence) - len(sentence.lstrip(" \n*_\"'“"))
    return [found[0] for found in CAPITALISED.finditer(sentence) if found.start() > begun]


def _tail_is_new(sentence: str, known: Collection[str]) -> bool:
    """Whether several new words follow the last that is known."""
    tokens = list(TOKEN.finditer(sentence))
    new = 0
    for at in range(len(tokens) - 1, -1, -1):
        start = tokens[max(0, at - 1)] if has_chinese(tokens[at].group()) else tokens[at]
        found = units(sentence[start.start() : tokens[at].end()])
        if found & set(known):
            break
        new += bool(found)
    return new >= MOST_NEW[has_chinese(sentence)]
