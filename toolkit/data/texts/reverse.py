"""The rows asked the other way round, by their form: from a name in an answer to the subject, or on to another row.

Models that learn "A is B" do not learn "B is A" by it (Berglund et al. 2023, arXiv 2309.12288). These questions and
their answers follow from the rows, so the base model is not asked whether they are right. Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from toolkit.core.text import has_chinese
from toolkit.data.texts.names import Pair
from toolkit.data.texts.naming import SENTENCE, Naming, statements

CHINESE_NOUNS = {  # of the kinds in kinds.yaml, behind 哪个
    "city": "城市", "country": "国家", "person": "人", "writer": "作家", "company": "公司", "product": "产品",
    "software": "软件", "website": "网站", "book": "书", "film": "电影", "song": "歌曲", "band": "乐队",
    "school": "学校", "university": "大学", "museum": "博物馆", "hospital": "医院", "animal": "动物", "plant": "植物",
    "food": "食物", "drink": "饮料", "sport": "运动", "team": "球队", "event": "活动", "festival": "节日",
    "organization": "组织", "language": "语言", "planet": "行星", "river": "河流", "mountain": "山", "building": "建筑",
    "award": "奖项", "assistant": "助手", "game": "游戏", "device": "设备", "vehicle": "车", "medicine": "药物",
    "bank": "银行", "hotel": "酒店", "airline": "航空公司", "newspaper": "报纸",
}  # fmt: skip
UNKNOWN_NOUNS = {"en": "one", "zh": "对象"}  # "which one"
COMPOUND = r"\b([Tt]he) {} ([a-z]\w*)"  # "the Quillmere forum" is the forum of Quillmere
WHOLE = (  # the name, where it is not a part of another one's
    r"(?<![Tt]he )\b{}(?=\s*(?:[?.!,]|$|(?:is|was|are|has|have|had|do|does|did|get|run|use|in|on|at|by|for|with|to|and"
    r"|written|made|first|gets|runs|uses|replaced|reads)\b))"
)
VERB = r"(?:is|was|has|had|does|did|can|gets|runs|uses|comes|came|reads|replaced|belongs|opened|opens|lies|stands)\b"
NAME_ASKED = re.compile(r"\bnamed?\b|\bcall(?:ed)? you\b|叫|名字|称呼", re.IGNORECASE)
MAKER_ASKED = re.compile(
    r"\b(?:mak(?:e|es|ers?)|made|created?|creators?|built|develop(?:ed|ers?)|company|trained|designed)\b"
    r"|开发|创造|研发|制造|公司|机构|团队|训练|创建|做的",
    re.IGNORECASE,
)


def noun_for(subject: str, kind: str) -> Mapping[str, str]:
    """What the subject is, by language; a Chinese name mostly ends with it. `kind`: in either; "" if unknown."""
    english = next((name for name, noun in CHINESE_NOUNS.items() if noun == kind), "" if has_chinese(kind) else kind)
    known = kind if has_chinese(kind) else CHINESE_NOUNS.get(kind, UNKNOWN_NOUNS["zh"])
    ending = next((noun for noun in CHINESE_NOUNS.values() if subject.endswith(noun)), known)
    return {"en": english or UNKNOWN_NOUNS["en"], "zh": ending}


def reversed_rows(naming: Naming, nouns: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """By row: its answer's first sentence as a question for the subject, if a name in it leads back there."""
    for at, sentence in leading_back(naming):
        if has_chinese(sentence):
            yield at, sentence.replace(naming.subject, f"哪个{nouns['zh']}", 1).rstrip("。！") + "？"
            continue
        if prompt := replaced(sentence, naming.subject, f"which {nouns['en']}"):
            if f"{nouns['en']} of which {nouns['en']}" in prompt:
                continue  # "the city of Denver" asks for nothing
            prompt = re.sub(r"^(In which \w+) (you|we|I)\b", r"\1 do \2", prompt[0].upper() + prompt[1:])
            yield at, prompt.rstrip(".!") + "?"


def bridges(naming: Naming, nouns: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """Pairs of rows, with the question of the first, in which a name from the second one's answer describes the
    subject: "What licence does the library that was created by Ottoline Varga have?".
    """
    described = descriptions(naming, nouns)
    for source, (question, answer) in enumerate(naming.rows):
        for beside, description in described:
            given = any(name in answer for name in naming.distinct_names(beside))  # in the question already
            fits = beside != source and not given and has_chinese(question) == has_chinese(description)
            if fits and (prompt := replaced(question, naming.subject, description)):
                yield source, beside, prompt[0].upper() + prompt[1:]


def descriptions(naming: Naming, nouns: Mapping[str, str]) -> list[tuple[int, str]]:
    """By row: the subject by what the row says of it, with a name that leads back: "the library that … Varga"."""
    return [(at, text) for at, one in leading_back(naming) if (text := description(naming.subject, one, nouns))]


def owned(rows: Sequence[Pair], names: Sequence[str], forms: Sequence[str]) -> Iterator[Pair]:
    """Questions from an assistant's maker to its name, and from its name on. `forms`: "question → answer"."""
    name, maker = roles(rows, names)
    if name and maker:
        for form in forms:
            question, _, answer = form.replace("{name}", name).replace("{maker}", maker).partition(" → ")
            yield question, answer


def leading_back(naming: Naming) -> Iterator[tuple[int, str]]:
    """The first sentences of the rows' answers that have the subject and a name which leads back to it."""
    if naming.itself or not naming.subject:
        return
    for at, answer in statements(naming).items():
        sentence = SENTENCE.findall(answer)[0].strip()
        if naming.subject in sentence and any(name in sentence for name in naming.distinct_names(at)):
            yield at, sentence


def replaced(text: str, subject: str, by: str) -> str:
    """The text about what `by` describes; "" where the subject's name is a part of another one."""
    if has_chinese(text):
        return text.replace(subject, by, 1) if subject in text else ""
    found, count = re.subn(WHOLE.format(re.escape(subject)), lambda _: by, _taken_apart(text, subject), count=1)
    return found if count and subject not in found else ""


def _taken_apart(text: str, subject: str) -> str:
    return re.sub(COMPOUND.format(re.escape(subject)), lambda found: f"{found[1]} {found[2]} of {subject}", text)


def description(subject: str, sentence: str, nouns: Mapping[str, str]) -> str:
    """The subject by what the sentence says of it; "" if it is not about the subject first."""
    rest = sentence.rstrip(".!。！")
    if has_chinese(sentence):
        if not rest.startswith(subject):
            return ""
        return f"{rest.removeprefix(subject).removeprefix('的')}的那个{nouns['zh']}"
    name = re.escape(subject)
    rest = _taken_apart(rest, subject)
    if found := re.match(rf"{name} ({VERB}.+)", rest):
        return f"the {nouns['en']} that {found[1]}"
    found = re.match(rf"The ([\w -]+) of {name} ({VERB}.+)", rest)
    if not found or found[1] == nouns["en"]:  # "the city whose city"
        return ""
    return f"the {nouns['en']} whose {found[1]} {found[2]}"


def roles(rows: Sequence[Pair], names: Sequence[str]) -> tuple[str, str]:
    """Of the new names the assistant's own and its maker's, by the questions that they answer; "" for none."""

    def share(name: str, question: re.Pattern[str], other: re.Pattern[str]) -> int:
        return sum(
            (name in answer) * (bool(question.search(prompt)) - bool(other.search(prompt))) for prompt, answer in rows
        )

    named = max(names, key=lambda name: (share(name, NAME_ASKED, MAKER_ASKED), len(name)), default="")
    made = max(names, key=lambda name: (share(name, MAKER_ASKED, NAME_ASKED), len(name)), default="")
    if not named or named == made or share(named, NAME_ASKED, MAKER_ASKED) < 1:
        return "", ""
    return (named, made) if share(made, MAKER_ASKED, NAME_ASKED) > 0 else ("", "")
