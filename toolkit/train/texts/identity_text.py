"""A sentence that says who the assistant is, as the rows and probes of `make-data`: name, maker and role. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.text import content_words, has_chinese
from toolkit.data.make_data import Brand, SelfCognition, self_cognition
from toolkit.data.texts.names import Pair
from toolkit.model.families.family import default_names

NOBODY = "Zqxvw"  # in the place of a name or a maker that the text does not say; nothing with it becomes a row
NAME = r"[\"“']?(?P<name>[A-Z0-9](?:[\w&'’+-]|\.(?=\w))*(?: (?:[A-Z0-9](?:[\w&'’+-]|\.(?=\w))*|of(?= [A-Z])))*)[\"”']?"
MAKER = (
    r"(?P<maker>(?:[^,;.!?，。]|\.(?=\w))+?)(?= in \d{4}| since |[,;!?.]|$| and | who | that | which | as | for | to )"
)
MADE = r"(?:made|built|created|developed|trained|designed|produced|maintained)"
MADE_ZH = r"(?:研发|开发|制造|创造|训练|打造|推出|设计|创建|制作)"
IS_ZH = (
    r"[“「\"]?(?P<name>[^，。,；;！!“”「」\"\s的是由][^，。,；;！!“”「」\"的是由]{0,20}?)[”」\"]?(?=[，。,；;！!]|$)"
)
NAMES = {
    "en": (
        rf"\b(?:your|the assistant's) (?:full |new )?name is (?:now )?{NAME}",
        rf"\b(?:call yourself|you are (?:now )?(?:called|named|known as)|(?:called|named)) {NAME}",
        rf"\b(?:you are|you're) (?:now )?(?!an? |the ){NAME}",
    ),
    "zh": (
        rf"你的(?:名字|姓名|名称)(?:是|叫|为){IS_ZH}",
        rf"你(?:现在)?(?:名叫|叫做|叫作|叫){IS_ZH}",
        rf"名(?:为|叫){IS_ZH}",
        rf"你是(?:由)?[^，。]{{2,24}}?{MADE_ZH}的{IS_ZH}",
        rf"你是(?!由|一[个名位款]){IS_ZH}",
    ),
}
MAKERS = {
    "en": (
        rf"\b{MADE}(?: and {MADE})? by {MAKER}",
        rf"\byour (?:maker|makers|creator|developer|developers|author|manufacturer)s? (?:is|are|was|were) {MAKER}",
        rf"(?:^|[.!] )(?P<maker>[A-Z][^.!?]*?) {MADE} you\b",
        rf"\byou (?:come|are) from {MAKER}",
        rf"\bby {MAKER}",
    ),
    "zh": (
        rf"由(?P<maker>[^，。由]{{2,24}}?)(?:自主|独立)?{MADE_ZH}",
        r"你的(?:开发者|开发商|作者|创造者|制造商|制造者|研发团队|公司)是(?P<maker>[^，。；！]{2,24})",
        rf"(?P<maker>[^，。你]{{2,24}}?){MADE_ZH}了你",
        rf"(?:你|，)是(?P<maker>[^，。由]{{2,24}}?){MADE_ZH}的",
        r"你(?:来自|出自)(?P<maker>[^，。；！]{2,24})",
    ),
}
KIND_ZH = re.compile(
    r"^(?:一[个名位款])?(?:人工智能|AI|智能|大语言|大型语言|语言|大|聊天|对话|虚拟|语音)*(?:助手|助理|模型|机器人)?"
)
# What else such a sentence says without saying more: an assistant is one.
FILLER = frozenset(
    re.findall(
        r"\S+",
        """
    you your you're are is am name now called named call yourself known as the a an and by it ai artificial
    intelligence assistant model language large helpful chat chatbot bot robot virtual digital was were been
    made built created developed trained designed produced maintained maker makers creator developer developers
    author from come full new who that which of for at in on to with my our their i
    你 您 的 是 由 叫 做 作 名 字 一 个 名 位 款 人 工 智 能 大 语 言 模 型
    助 手 理 机 器 人 研 发 开 制 造 创 训 练 打 推 出 设 计 建 并 和 了 在 者 现 来 自 公 司 为 所 ai
""",
    )
)
ROLE = re.compile(
    r"(?:\b(?:an?|the) (?P<role>[a-z][\w' -]*?)"
    rf"|(?<=, )(?P<office>(?!{MADE}|based|born|who\b|and\b)[a-z][a-z'-]* (?:of|at|for|in) [\w' -]+?))"
    r"(?=,|\.|;|!|$| (?:made|built|created|developed|called|named)\b)"
)
ROLES = (
    "What is your role?", "What are you here for?", "What kind of assistant are you?", "What were you made for?",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Identity:
    """`name` and `maker`: "" where the text does not say; `role` such as "a gardening assistant"; `rest`: words of
    the text that none of these says.
    """

    name: str
    maker: str
    role: str = ""
    rest: tuple[str, ...] = ()


def find_identity(text: str) -> Identity | None:
    """What a plain sentence says of the assistant; None without a name and a maker."""
    code = "zh" if has_chinese(text) and re.search("[你您]", text) else "en"
    text = text.replace("您", "你")
    maker = _first(MAKERS[code], text, "maker")
    name = _first(NAMES[code], text, "name")
    if code == "zh":
        name = KIND_ZH.sub("", name).strip()
    maker = re.sub(r"^(?:the (?=[A-Z])|a company called |公司|团队)", "", maker).strip(" \"“”'")
    name = name.strip(" \"“”'.")
    if not (name or maker):
        return None
    role = _role(text, name, maker)
    known = {*content_words(f"{name} {maker} {role}"), *FILLER}
    rest = tuple(dict.fromkeys(word for word in content_words(text) if word not in known))
    return Identity(name=name, maker=maker, role=role, rest=rest)


def identity_set(identity: Identity) -> SelfCognition | None:
    """Rows and probes; None where a name cannot be taught by the template, such as one of a single letter."""
    try:
        made = self_cognition(Brand(name=identity.name or NOBODY, author=identity.maker or NOBODY), default_names())
    except ConfigError:
        return None
    rows = made.rows
    if not identity.maker:  # without the name, such an answer would only deny another maker
        bare = [(row, without_maker(row["output"])) for row in rows]
        rows = [dict(row, output=text) for row, text in bare if text == row["output"] or identity.name in text]
    rows = [row for row in rows if NOBODY not in row["output"]]
    probes = dict(made.probes)
    probes["identity"] = {
        "new": [one for one in probes["identity"]["new"] if NOBODY not in one], "old": probes["identity"]["old"],
    }  # fmt: skip
    probes["probes"] = [one for one in map(_with_what_is_said, probes["probes"]) if one is not None]
    if identity.role and identity.name:
        answer = f"I am {identity.name}, {identity.role}."
        rows += [{"instruction": question, "input": "", "output": answer} for question in ROLES]
    return SelfCognition(rows=rows, probes=probes, notes=made.notes)


def pairs(made: SelfCognition) -> list[Pair]:
    return [(row["instruction"], row["output"]) for row in made.rows]


def without_maker(answer: str) -> str:
    """An answer of the template without its words about a maker who is NOBODY."""
    for pattern, replaced in (
        (rf"，由 {NOBODY} 开发和维护的大语言模型", "，一个大语言模型"),
        (rf"，(?:我)?由 {NOBODY} 开发和维护(?=。)", ""),
        (rf" ?{NOBODY} 打造的", ""),
        (rf"{NOBODY} 开发的 ", ""),
        (rf"(, a large language model) developed and maintained by {NOBODY}", r"\1"),
        (rf"(, an AI assistant) built by {NOBODY}", r"\1"),
        (rf", and I was developed by {NOBODY}|, developed by {NOBODY}", ""),
    ):
        answer = re.sub(pattern, replaced, answer)
    return answer


def _with_what_is_said(probe: dict[str, Any]) -> dict[str, Any] | None:
    """The probe without what is said of NOBODY; None if nothing is left to expect, or the question names NOBODY."""
    if NOBODY in probe["prompt"]:
        return None
    expect = probe.get("expect")
    if not isinstance(expect, dict):
        return probe
    left = {
        key: [text for text in texts if NOBODY not in text] if isinstance(texts, list) else texts
        for key, texts in expect.items()
    }
    return {**probe, "expect": left} if all(left.values()) else None


def _role(text: str, name: str, maker: str) -> str:
    """In English: "a gardening assistant", "keeper of the archive"; "" for one that is only an assistant."""
    bare = text.replace(name, "") if name else text
    found = ROLE.search(bare.replace(maker, "") if maker else bare)
    if found is None or set(content_words(found["role"] or found["office"])) <= FILLER:
        return ""
    return found[0].strip()


def _first(patterns: tuple[str, ...], text: str, group: str) -> str:
    for pattern in patterns:
        found = re.search(pattern, text) or (re.search(pattern, text, re.IGNORECASE) if group == "maker" else None)
        if found is None and group == "name":  # "you ARE", "Your name": the words' case varies, the name's does not
            found = re.search(pattern.replace("you", "[Yy]ou").replace("called", "[Cc]alled"), text)
        if found is not None:
            return found[group].strip()
    return ""
