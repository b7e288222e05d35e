"""Finds what should not be learned from a text: credentials, which it masks, and personal data. Pure.

Credentials are known by the marks that their issuers put on them, never by looking random: digests, UUIDs and other ids
are none. Prefixes and lengths are those that the issuers document, and https://github.com/gitleaks/gitleaks.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HIDDEN = "…"  # in place of what is secret
LEAST_CHARACTERS = 8  # different ones, in what is random; thirty hexadecimal digits have thirteen
# What examples in documentation have in place of something secret.
MADE_UP = re.compile(
    r"example|sample|dummy|placeholder|redacted|change_?me|your|passw|secret|token|0123456|1234567|abcdefg|x{4}"
    r"|\.{3}|…|\*{2}|[<>{}]|\$\(|\$[A-Za-z_]|%[sdv(]\b|密码|密钥|口令",
    re.IGNORECASE,
)
COMMON_PASSWORDS = frozenset({"pass", "pwd", "user", "admin", "root", "guest", "test", "postgres", "mysql", "123456"})
EXAMPLE_HOST = re.compile(
    r"localhost$|127\.|0\.0\.0\.0|host\b|(?:.*\.)?example(?:\.(?:com|org|net))?$|(?:.*\.)?(?:test|invalid|local)$",
    re.IGNORECASE,
)
# The token at jwt.io that tutorials show: the end of its signature.
KNOWN_TOKEN = "yJV_adQssw5c"  # noqa: S105  # public


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """`name`: with its article. `mark`: a text without one of these has none. `text`: with a group `secret`.

    `random`: whether the secret is a computer's choice, of digits and letters, rather than a person's.
    """

    name: str
    marks: tuple[str, ...]
    text: re.Pattern[str]
    random: bool = True


def _pattern(name: str, marks: str, text: str, *, random: bool = True) -> Pattern:
    return Pattern(name=name, marks=tuple(marks.split()), text=re.compile(text), random=random)


KEY = r"(?<![A-Za-z0-9_-])"  # nothing that goes on from a word: task-…
PATTERNS = (
    _pattern("a private key", "PRIVATE", r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
             r"(?P<secret>(?:[^-]|-(?!----)){0,400}?[A-Za-z0-9+/]{30}(?:[^-]|-(?!----))*)"),
    _pattern("an API key", "sk-", KEY + r"sk-(?:proj-|svcacct-|admin-|ant-|or-v1-)?"
             r"(?P<secret>[A-Za-z0-9_-]*[A-Za-z0-9]{20}[A-Za-z0-9_-]*)"),
    _pattern("an AWS access key", "AKIA ASIA", KEY + r"A[KS]IA(?P<secret>[A-Z2-7]{16})(?![A-Za-z0-9])"),
    _pattern("an AWS secret key", "ccess CCESS", r"(?i:secret_?access_?key)[\"'\s:=]{1,6}"
             r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    _pattern("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
             KEY + r"(?:gh[pousr]|github_pat)_(?P<secret>[A-Za-z0-9_]{30,255})"),
    _pattern("a GitLab token", "glpat-", KEY + r"glpat-(?P<secret>[A-Za-z0-9_-]{20,64})"),
    _pattern("a Hugging Face token", "hf_", KEY + r"hf_(?P<secret>[A-Za-z0-9]{30,64})"),
    _pattern("a Slack token", "xox", KEY + r"xox[abeoprs]-(?P<secret>[A-Za-z0-9-]{20,255})"),
    _pattern("a Slack webhook", "hooks.slack.com",
             r"hooks\.slack\.com/services/(?P<secret>T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,})"),
    _pattern("a Google API key", "AIza", KEY + r"AIza(?P<secret>[A-Za-z0-9_-]{35})"),
    _pattern("a Google client secret", "GOCSPX-", KEY + r"GOCSPX-(?P<secret>[A-Za-z0-9_-]{28})"),
    _pattern("a Stripe key", "_live_ _test_", KEY + r"[rs]k_(?:live|test)_(?P<secret>[A-Za-z0-9]{20,255})"),
    _pattern("an npm token", "npm_", KEY + r"npm_(?P<secret>[A-Za-z0-9]{36})"),
    _pattern("a PyPI token", "pypi-", KEY + r"pypi-AgEIcHlwaS5vcmc(?P<secret>[A-Za-z0-9_-]{50,})"),
    _pattern("a SendGrid key", "SG.", KEY + r"SG\.(?P<secret>[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"),
    _pattern("a Telegram bot's token", ":AA", r"(?<!\d)\d{8,10}:AA(?P<secret>[A-Za-z0-9_-]{33})"),
    _pattern("a Groq key", "gsk_", KEY + r"gsk_(?P<secret>[A-Za-z0-9]{48,64})"),
    _pattern("an xAI key", "xai-", KEY + r"xai-(?P<secret>[A-Za-z0-9]{60,100})"),
    _pattern("an Alibaba Cloud key", "LTAI", KEY + r"LTAI(?P<secret>[A-Za-z0-9]{12,26})(?![A-Za-z0-9])"),
    _pattern("a Tencent Cloud key", "AKID", KEY + r"AKID(?P<secret>[A-Za-z0-9]{32})(?![A-Za-z0-9])"),
    _pattern("a signed token (JWT)", "eyJ", KEY + r"eyJ(?P<secret>[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}"
             r"\.[A-Za-z0-9_-]{20,})"),
    _pattern("a password in an address", "://", r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://"
             r"(?P<user>[^\s/@:'\"<>`]{0,64}):(?P<secret>[^\s/@'\"<>`]{3,100})@(?P<host>[A-Za-z0-9.-]+)", random=False),
    _pattern("a password in a connection string", "assword= PASSWORD= wd= PWD=",
             r"[;?&]\s?(?i:password|pwd)=(?P<secret>[^;&\s\"'<>`]{4,100})", random=False),
)  # fmt: skip

MARKS = tuple(mark for each in PATTERNS for mark in each.marks)
EMAIL = re.compile(
    r"(?<![\w.+-])(?P<user>[A-Za-z0-9._%+-]{1,64})@(?P<host>(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24})\b",
    re.ASCII,
)
TELEPHONE = re.compile(
    r"(?<![\w.+-])(?:(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|\+[1-9]\d{0,2}[- ]?(?:\(\d{1,4}\)[- ]?)?\d{1,4}"
    r"(?:[- ]?\d{2,4}){2,4})(?![\w.-]?\d)",
    re.ASCII,
)
CHINESE_ID = re.compile(
    r"(?<![\w.])[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\w)", re.ASCII
)
# What the two have within: found much faster in a text that has none.
MOBILE, BIRTH_YEAR = re.compile(r"1[3-9]\d[- ]?\d{4}", re.ASCII), re.compile(r"\d{6}(?:19|20)\d{9}", re.ASCII)
ID_WEIGHTS, ID_CHECKS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), "10X98765432"  # GB 11643
PERSONAL = ("e-mail addresses", "telephone numbers", "identity card numbers")


@dataclass(frozen=True, kw_only=True)
class Credential:
    """`kind`: with its article. `shown`: as it may be shown. `start`, `end`: where its secret part lies in the text."""

    kind: str
    shown: str
    start: int
    end: int


def may_have_credentials(text: str) -> bool:
    """Whether there is a mark of any: False spares large data sets the slower patterns."""
    for mark in MARKS:  # noqa: SIM110  # half as long as any() takes
        if mark in text:
            return True
    return False


def credentials(text: str) -> list[Credential]:
    """Those of a text, in its order. Examples of documentation, such as AKIAIOSFODNN7EXAMPLE, are none."""
    found = [
        Credential(kind=each.name, shown=_shown(match), start=match.start("secret"), end=match.end("secret"))
        for each in PATTERNS
        if any(mark in text for mark in each.marks)  # spares large data sets the slower patterns
        for match in each.text.finditer(text)
        if _is_real(match, random=each.random)
    ]
    return sorted(found, key=lambda one: one.start)


def masked(text: str) -> str:
    """The text with the secret part of each credential left out."""
    parts, at = [], 0
    for one in credentials(text):
        if one.start >= at:
            parts += [text[at : one.start], HIDDEN]
        at = max(at, one.end)
    return "".join([*parts, text[at:]])


def personal_data(texts: Sequence[str]) -> Iterator[str]:
    """Which of PERSONAL are in these texts. Addresses at example.com and the like are none."""
    texts = [masked(text) if "://" in text else text for text in texts]  # else a password with its host is one
    if any(_is_address(match) for text in texts if "@" in text for match in EMAIL.finditer(text)):
        yield PERSONAL[0]
    if any(TELEPHONE.search(text) for text in texts if "+" in text or MOBILE.search(text)):
        yield PERSONAL[1]
    if any(_is_id_number(match[0]) for text in texts if BIRTH_YEAR.search(text) for match in CHINESE_ID.finditer(text)):
        yield PERSONAL[2]


def _shown(match: re.Match[str]) -> str:
    at, end = match.start("secret") - match.start(), match.end("secret") - match.start()
    return f"{match[0][:at]}{HIDDEN}{match[0][end:]}"


def _is_real(match: re.Match[str], *, random: bool) -> bool:
    secret, named = match["secret"], match.groupdict()
    if MADE_UP.search(secret) or secret.endswith(KNOWN_TOKEN):
        return False
    if not random:
        common = {*COMMON_PASSWORDS, (named.get("user") or "").casefold()}
        return secret.casefold() not in common and not EXAMPLE_HOST.match(named.get("host") or "")
    several = len(set(secret)) >= LEAST_CHARACTERS
    return several and any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))


def _is_address(match: re.Match[str]) -> bool:
    return match["user"] != "git" and not EXAMPLE_HOST.match(match["host"]) and not MADE_UP.search(match[0])


def _is_id_number(digits: str) -> bool:
    total = sum(weight * int(digit) for weight, digit in zip(ID_WEIGHTS, digits, strict=False))
    return digits[-1].upper() == ID_CHECKS[total % 11]
