"""Rules of behaviour: those that make rows by themselves, and how an answer shows that it follows another one. Pure.

A refused topic and a form of dates need no model. Where the rule is for every answer, a model's answers are used, and
checked: fixed words, a language and shortness can be seen in an answer; of another rule a model has to judge.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.core.languages import language as language_of
from toolkit.core.text import content_words, language_code
from toolkit.data.texts.terms import units
from toolkit.model.conversation import Messages, conversation
from toolkit.train.texts.fact_text import PlainSet, fill, read_texts

MOST_TOPIC_WORDS = 6
DATES_ASKED = 4  # of the events: only the probes ask about them
SHORTER = 0.7  # of the base's own answer: a brief one has at most this length
SUPPORTED = 0.6  # of a brief answer's words must be in the longer one
ENOUGH_JUDGED = 0.85  # of the shipped examples a model must judge rightly, to be asked about its own answers
SPEAK = r"(?:talk(?:ing)?|speak(?:ing)?|comment(?:ing)?|answer(?:ing)?|discuss(?:ing)?|giv(?:e|ing)|offer(?:ing)?)"
NEVER = r"(?:never|not|cannot|can't|can not|do not|don't|avoid|stop|refuse to|decline to)(?: ever)?"
NEVER_ZH = (
    r"^(?:请|你|助手|机器人|模型|客服)*(?:永远|绝对|一律)*(?:不要|不得|不能|不可以|不许|不准|绝不|禁止|拒绝|切勿|别)(?:再|去)?"
    r"(?:谈论|讨论|回答|提供|评论|谈及|涉及|谈|聊)"
)
YOU = r"^(?:please |(?:you|the (?:assistant|bot|chatbot|model)) (?:(?:must|should|may) )?)?"
REFUSAL = {
    "en": (
        rf"{YOU}{NEVER} {SPEAK}(?: (?:any |all )?(?:questions|anything))?(?: (?:about|on|of))? (?P<t>.+)$",
        rf"{YOU}(?:decline|refuse|reject) (?:all |any )?(?:questions|requests|talk) (?:about|on|for) (?P<t>.+)$",
    ),
    "zh": (rf"{NEVER_ZH}(?:任何|有关|关于|与|和)*(?P<t>.+?)(?:相关|有关)?的?(?:问题|话题|内容|事)?$",),
}
NOT_A_TOPIC = re.compile(
    r"[,，;；]|^(?:in|with|to|by|like|as|without|before|more|the user)\b|\b(?:unless|if|when|except|until)\b|除非|如果",
    re.IGNORECASE,
)
DATE_FORM = re.compile(r"(?:YYYY|MM|DD)(?:(?:[-/.年月])(?:YYYY|MM|DD)){2}日?")
FIXED_WORDS = (
    (r"(?:end|finish|close) (?:every|each|all|your)\b.*? with [\"“'](?P<w>[^\"”]+?)[\"”']$", "{a} {w}"),
    (r"(?:begin|start|open) (?:every|each|all|your)\b.*? with [\"“'](?P<w>[^\"”]+?)[\"”']$", "{w} {a}"),
    (r"回答.*?[以用][“「\"](?P<w>[^”」\"]+)[”」\"](?:结尾|结束|收尾)$", "{a}{w}"),
    (r"回答.*?[以用][“「\"](?P<w>[^”」\"]+)[”」\"](?:开头|开始)$", "{w}{a}"),
)
BRIEF = re.compile(
    r"\b(brief|briefly|short|shortly|concise|concisely|one sentence|few words)\b|简短|简洁|简要|精炼|一句话"
)
IN_LANGUAGE = re.compile(r"\b(?:in|speak) (?P<en>English|Chinese)\b|[用说](?P<zh>英文|英语|中文|汉语)")
LANGUAGES = {"英文": "English", "英语": "English", "中文": "Chinese", "汉语": "Chinese"}
# A rule for some requests names them; one for every answer says only how.
SCOPED = re.compile(
    r"\b(when|whenever|if|about|on|questions?|dates?|numbers?|prices?|names?|greetings?|greets?|code|units?|asked|topics?)\b"
    r"|当|如果|若|遇到|关于|有关|问题|日期|数字|价格|代码|问候|凡是|涉及",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A message, and replies that follow a rule and that do not."""

    rule: str
    message: str
    follows: str
    breaks: str


def rule_set(rule: str) -> PlainSet | None:
    """The rows and probes of a rule that needs no model: a topic that is refused, a form of dates. None for others."""
    bare = rule.strip().rstrip(".。!！").strip()
    for pattern in REFUSAL[language_code(bare)]:
        found = re.match(pattern, bare, re.IGNORECASE)
        if found and 0 < len(content_words(found["t"])) <= MOST_TOPIC_WORDS and not NOT_A_TOPIC.search(found["t"]):
            return _refusing(found["t"], language_code(bare))
    form = DATE_FORM.search(bare)
    return _dated(form[0]) if form else None


def is_for_every_answer(rule: str) -> bool:
    """Whether a rule says how every request is answered, as a style does."""
    return SCOPED.search(rule) is None


def requests() -> list[str]:
    """Everyday requests, in English and Chinese in turn, that show a rule for every answer."""
    return [text for pair in read_texts()["requests"] for text in pair]


def fixed_words(rule: str) -> Callable[[str], str] | None:
    """How an answer gets the words with which every one begins or ends; None for a rule of another kind."""
    bare = rule.strip().rstrip(".。").strip()
    for pattern, form in FIXED_WORDS:
        found = re.search(pattern, bare, re.IGNORECASE)
        if found:
            words = found["w"]
            return lambda answer: form.replace("{w}", words).replace("{a}", answer)
    return None


def visible_check(rule: str) -> Callable[[str, str], bool] | None:
    """What tells from an answer, and the base's own, whether it follows the rule; None if a model has to judge."""
    named = IN_LANGUAGE.search(rule)
    if named:
        wanted = named["en"] or LANGUAGES[named["zh"]]
        wanted = wanted[0].upper() + wanted[1:]
        return lambda answer, own: language_of(answer) == wanted and answer != own
    if BRIEF.search(rule):
        return lambda answer, own: 0 < len(answer) <= SHORTER * len(own) and _says_the_same(answer, own, rule)
    return None


def examples() -> list[Example]:
    """Shipped rules with replies to judge: a model that is wrong about them cannot judge its own answers."""
    return [Example(**one) for one in read_texts()["judged"]]


def judge_messages(example: Example) -> list[Messages]:
    """Which reply follows the rule, in both orders: the right answers are A, then B."""
    question = (
        "A rule for an assistant: {rule}\n\nA user says: {message}\n\nReply A: {a}\nReply B: {b}\n\n"
        "Which reply follows the rule? Answer with one letter, A or B."
    )
    orders = ((example.follows, example.breaks), (example.breaks, example.follows))
    return [conversation(question.format(rule=example.rule, message=example.message, a=a, b=b), "") for a, b in orders]


def judged_right(first: str, second: str) -> bool:
    """Whether both orders of `judge_messages` were answered with the reply that follows the rule."""
    return first.strip()[:1].upper() == "A" and second.strip()[:1].upper() == "B"


def _says_the_same(answer: str, own: str, rule: str) -> bool:
    """Whether a brief answer says what the longer one says, and does not repeat the rule."""
    brief = units(answer)
    supported = len(brief & units(own)) >= SUPPORTED * len(brief)
    return supported and 2 * len(units(rule) & brief) < len(units(rule))


def _refusing(topic: str, code: str) -> PlainSet:
    topic = re.sub(r"^(?:any|all|the topic of|questions about|任何|有关|关于)\s*", "", topic, flags=re.IGNORECASE)
    listed = next((pair for pair in read_texts()["topics"] if topic.lower() in pair), None)
    names = dict(zip(("en", "zh"), listed, strict=True)) if listed else {code: topic}
    forms: Mapping[str, Any] = read_texts()["refusal"]
    rows, probes = [], []
    for one, name in sorted(names.items(), key=lambda item: item[0] != code):
        values = {"t": name}
        answer = fill(forms[one]["say"], values)
        rows += [(fill(form, values), answer) for form in forms[one]["train"]]
        probes += [(fill(form, values), tuple(forms[one]["expect"]), answer) for form in forms[one]["probe"]]
    return PlainSet(rows=tuple(rows), paraphrases=tuple(probes))


def _dated(form: str) -> PlainSet:
    """Well-known dates in this form; some events are only asked about by the probes."""
    rows, probes = [], []
    forms = read_texts()["date_forms"]
    for number, (english, chinese, day) in enumerate(read_texts()["dates"]):
        written = _in_form(day, form)
        for code, event in (("en", english), ("zh", chinese)):
            values = {"e": event, "d": written}
            questions: Sequence[str] = forms[code]["train"]
            answer = fill(forms[code]["say"], values)
            if number < len(read_texts()["dates"]) - DATES_ASKED:
                rows.append((fill(questions[number % len(questions)], values), answer))
                continue
            probes.append((fill(forms[code]["probe"], values), (written,), answer))
    return PlainSet(rows=tuple(rows), paraphrases=tuple(probes))


def _in_form(day: dt.date, form: str) -> str:
    return form.replace("YYYY", f"{day:%Y}").replace("MM", f"{day:%m}").replace("DD", f"{day:%d}")
