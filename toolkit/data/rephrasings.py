"""Phrases around a prompt, in its language. Three disjoint sets: development and probes use none that is trained."""

from collections.abc import Mapping, Sequence

from toolkit.core.languages import Language, language

TRAINING: Mapping[str, Sequence[str]] = {
    "zh": ("{}", "嗨！{}", "{}请直接回答。", "顺便问一下，{}", "想知道，{}"),
    "en": ("{}", "Hey, {}", "{} Please answer directly.", "By the way, {}", "Tell me, {}"),
}
DEVELOPMENT: Mapping[str, Sequence[str]] = {
    "zh": ("请问，{}", "我想问一下：{}", "有个问题想请教：{}", "麻烦你回答：{}"),
    "en": ("A quick question: {}", "I would like to know: {}", "Could you answer this? {}", "One more thing: {}"),
}
PROBES: Mapping[str, Sequence[str]] = {
    "zh": ("你好，{}", "我很好奇：{}", "问你一个问题：{}", "能帮我看看这个吗：{}"),
    "en": ("Hi! {}", "I was wondering: {}", "Let me ask you this: {}", "Help me with this one: {}"),
}


CODES: Mapping[Language, str] = {"Chinese": "zh", "English": "en"}
UNCHANGED = ("{}",)


def phrases(wordings: Mapping[str, Sequence[str]], prompt_language: Language) -> Sequence[str]:
    """The phrases for prompts in this language; in a third one they stay as they are."""
    code = CODES.get(prompt_language)
    return UNCHANGED if code is None else wordings[code]


def rephrase(wordings: Mapping[str, Sequence[str]], prompt: str, number: int, answer: str = "") -> str:
    """`prompt` inside phrase number `number` of its language, modulo their count; unchanged in a third language.

    `answer`: where the prompt leaves its language open, such as "1 + 1", the answer's counts.
    """
    several = phrases(wordings, language(prompt, answer))
    return several[number % len(several)].format(prompt)
