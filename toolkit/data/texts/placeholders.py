"""Finds placeholders that were left unreplaced, such as {{NAME}} or <AUTHOR>, and ignores code. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# What templates for identities and letters leave open. Other bracketed words are not suspicious by themselves.
WORDS = frozenset({
    "name", "author", "company", "model", "brand", "developer", "organization", "organisation", "team", "bot", "robot",
    "assistant", "product", "date", "city", "email", "phone", "user", "username", "title", "address", "country",
    "owner", "creator", "founder", "school", "your", "insert", "placeholder",
})  # fmt: skip
CHINESE_WORDS = (
    "名字", "姓名", "名称", "作者", "公司", "模型", "品牌", "开发者", "团队", "机器人", "助手", "产品", "日期",
    "用户名", "机构", "组织", "学校", "城市", "邮箱", "电话", "地址",
)  # fmt: skip
_HAN = "\u4e00-\u9fff"
_INNER = rf"[A-Za-z{_HAN}][A-Za-z0-9_{_HAN} \-]{{0,38}}"
DOUBLE = re.compile(rf"\{{\{{\s*({_INNER}?)\s*\}}\}}")
ANGLE = re.compile(rf"<([A-Z][A-Z_ \-]{{1,38}}|[{_HAN}]{{2,8}})>")
# Not after a letter, $, \ or %: ${name}, \author{name} and f{name} are code.
SINGLE = re.compile(rf"(?<![A-Za-z0-9_$\\%#{{])\{{({_INNER})\}}(?!\}})")
BRACKET = re.compile(rf"\[([A-Z][A-Za-z_ \-]{{1,38}}|[{_HAN}]{{2,8}})\](?!\()")  # [Name](…) is a link
DUNDER = re.compile(r"\b__([A-Z][A-Z_]{1,38}?)__\b")  # __name__ is Python
MARKS = ("{", "<", "[", "__")
CODE_SPAN = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
LOOKS_LIKE_CODE = re.compile(
    r"""\bf["']|\.format\(|\bprintf?\(|console\.log|\bdef \w+\(|\bimport \w|=>|\#include|\bfunction\b|</\w+>|;[ \t]*$"""
    r"""|f-string|format string|\btemplates?\b|placeholder|jinja|latex|html|xml|代码|格式化|模板|占位符""",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Placeholder:
    text: str  # as written, {{NAME}}
    certain: bool  # False if it may be intended


def placeholders(texts: Sequence[str]) -> list[Placeholder]:
    """Those of one conversation, each once, in order. Code spans are skipped; in talk about code, none is certain."""
    if not any(mark in text for text in texts for mark in MARKS):  # spares large data sets the slower patterns
        return []
    prose = [CODE_SPAN.sub(" ", text) for text in texts]
    about_code = any(LOOKS_LIKE_CODE.search(text) for text in texts)
    found = {each.text: each for text in prose for each in _find(text, about_code=about_code)}
    return list(found.values())


def _find(text: str, *, about_code: bool) -> Iterator[Placeholder]:
    for match in DOUBLE.finditer(text):
        known = _is_known(match[1])
        if known or not about_code:
            yield Placeholder(text=match[0], certain=known and not about_code)
    for match in ANGLE.finditer(text):
        if _is_known(match[1]):
            yield Placeholder(text=match[0], certain=" " not in match[1] and not about_code)
    if about_code:
        return
    for pattern in (SINGLE, BRACKET, DUNDER):
        for match in pattern.finditer(text):
            if _is_known(match[1]):
                yield Placeholder(text=match[0], certain=False)


def _is_known(inner: str) -> bool:
    words = re.split(r"[\s_\-]+", inner.casefold())
    return not WORDS.isdisjoint(words) or any(word in inner for word in CHINESE_WORDS)
