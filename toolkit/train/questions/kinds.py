"""What kind of thing the rows are about, as a row, its name or else the base model says, and others of its kind."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from toolkit.core.text import has_chinese, language_code, names_any
from toolkit.data.texts.reverse import CHINESE_NOUNS, noun_for
from toolkit.model.conversation import conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.sampling import samples
from toolkit.train.questions.requests import request_messages

if TYPE_CHECKING:
    from torch import Tensor

Name = tuple[str, str]  # in English and in Chinese
KIND_QUESTION = "{question}\n\nIn one word: what kind of thing is {subject}? Choose one: {kinds}."
BEGUN = "{subject} is a"
NOTHING = "Example"  # what the likelihoods are compared with: a kind is likely by itself, too
MOST_QUESTIONS = 4
MOST_KINDS = 2
LEAST_LEAD = 1.2  # nats by which the likeliest kind is known: with less a 0.5 B model was wrong for 11 of 15 names
SHORTEST_ENDING = 2  # characters of a noun that a Chinese name ends with: 庐山 is a mountain, 中山 a person
# What else a row calls a thing of a kind.
OTHER_NOUNS = {
    "software": "library framework package tool program app application plugin compiler editor browser engine database "
    "toolkit system platform 程序库 工具 程序 应用 框架 系统 平台 插件 编辑器 浏览器 数据库",
    "website": "site forum blog portal 论坛 网页 社区",
    "city": "town village municipality capital port 小镇 镇 县城 村庄 首府 首都 港口城市",
    "country": "state kingdom republic nation island 王国 共和国 岛国",
    "person": "man woman politician mayor scientist painter singer actor engineer teacher doctor professor "
    "人物 科学家 画家 歌手 演员 工程师 教师 老师 医生 教授 政治家 企业家",
    "writer": "author novelist poet journalist 诗人 小说家 作者 记者",
    "company": "firm startup manufacturer business enterprise shop bakery restaurant cafe "
    "企业 厂家 工厂 商店 餐厅 咖啡馆",
    "product": "brand device toy 品牌",
    "book": "novel poem story magazine comic 小说 诗集 故事 漫画 杂志",
    "film": "movie series documentary 电视剧 影片 纪录片 动画片",
    "song": "tune ballad hymn 曲子 歌",
    "band": "orchestra choir 合唱团 乐团",
    "school": "academy kindergarten 小学 中学 高中 幼儿园 学院",
    "university": "college institute 学院",
    "museum": "gallery 美术馆 展览馆",
    "hospital": "clinic 诊所",
    "animal": "bird fish insect dog cat breed species 鸟 鱼 昆虫 犬",
    "plant": "tree flower herb 树 花 草药",
    "food": "dish cake bread snack 菜 小吃 点心 糕点",
    "drink": "beverage tea wine 饮品 茶 酒",
    "team": "club 俱乐部 队伍",
    "event": "conference war battle competition tournament 会议 大会 比赛 战役",
    "festival": "holiday 节 节庆",
    "organization": "foundation association society charity institute agency organisation "
    "基金会 协会 学会 机构 研究院 研究所",
    "building": "tower library bridge castle temple church 大楼 图书馆 桥 塔 寺庙 教堂",
    "award": "prize medal 奖",
    "game": "puzzle 桌游 手游",
    "device": "phone camera robot machine instrument laptop 手机 相机 机器人 机器 仪器 电脑",
    "vehicle": "car ship boat train aircraft bicycle 汽车 轮船 飞机 自行车",
    "medicine": "drug vaccine 药 疫苗",
    "hotel": "hostel inn 旅馆 民宿 宾馆",
}
LEAST_NAMED = 0.9  # of the questions name a subject of the list
NAME_TOKENS, NAME_SAMPLES, AGREEING_SAMPLES, MOST_NAMES = 24, 16, 3, 2


@cache
def read_kinds() -> Mapping[str, Sequence[Name]]:
    """Real things of each kind, from kinds.yaml."""
    from toolkit.core.plain_yaml import read_own

    content = read_own(Path(__file__).with_name("kinds.yaml"))
    return {kind: tuple((english, chinese) for english, chinese in names) for kind, names in content.items()}


def listed_subject(questions: Sequence[str]) -> str:
    """The listed name of what nearly all questions name in either language, as more of them do; "" if there is none."""
    least = LEAST_NAMED * len(questions)
    named = [
        max(pair, key=lambda name: sum(names_any(one, (name,)) for one in questions))
        for names in read_kinds().values()
        for pair in names
        if sum(names_any(one, pair) for one in questions) >= least
    ]
    return max(named, key=len, default="")


def is_listed(name: str) -> bool:
    """Whether it is a listed name, so that its name in the other language is known."""
    return any(name in pair for names in read_kinds().values() for pair in names)


class Kinds(NamedTuple):
    """`several`: what the subject may be, the likeliest first. `certain`: it is the first of them."""

    several: list[str]
    certain: bool


def kinds_of(model: LanguageModel, subject: str, questions: Sequence[str], noun: str = "") -> Kinds:
    """The kinds under which `subject` is listed, else those of the `noun` that a row has for it, or that its name ends
    with, else its likeliest; the `questions`, or what the row says, name it.
    """
    known = [kind for kind, names in read_kinds().items() if any(subject in pair for pair in names)]
    if known:
        return Kinds(known[:MOST_KINDS], certain=True)
    named = _kinds_called(noun) or _kinds_ending(noun) or _kinds_ending(subject)
    if len(named) == 1:
        return Kinds(named, certain=True)
    kinds = named or list(read_kinds())
    firsts = [model.tokenizer(f" {kind}", add_special_tokens=False)["input_ids"][0] for kind in kinds]
    several = questions[:MOST_QUESTIONS]
    scores = sum(
        _begun(model, subject, question) - _begun(model, NOTHING, question.replace(subject, NOTHING))
        for question in several
    )
    likely = {kind: float(scores[first]) / len(several) for kind, first in zip(kinds, firsts, strict=True)}  # type: ignore[index]
    order = sorted(kinds, key=lambda kind: -likely[kind])[:MOST_KINDS]
    close = [kind for kind in order if likely[order[0]] - likely[kind] < LEAST_LEAD]
    if named and len(close) > 1:
        return Kinds(named[:1], certain=True)  # the noun's usual kind comes first
    return Kinds(close, certain=len(close) == 1)


def nouns_for(subject: str, kinds: Kinds, noun: str = "") -> Mapping[str, str]:
    """What the subject is called, by language: the `noun` of a row, else its kind's; a guess would call it wrongly."""
    by_kind = noun_for(subject, kinds.several[0] if kinds.certain else "")
    return {**by_kind, language_code(noun): noun} if noun else by_kind


def _kinds_called(noun: str) -> list[str]:
    """Those that have the noun, which may be more than one: a library is software, or a building."""
    return [kind for kind in read_kinds() if noun and noun in _nouns_of(kind)]


def _kinds_ending(subject: str) -> list[str]:
    """Those with the noun that the name ends with, such as 青禾学校 or Quill Mere University: the longest one."""
    name = subject if has_chinese(subject) else subject.lower().partition(" ")[2]
    ending = {
        noun: kind
        for kind in read_kinds()
        for noun in _nouns_of(kind)
        if (name.endswith(noun) and len(noun) >= SHORTEST_ENDING if has_chinese(noun) else name.split()[-1:] == [noun])
    }
    return _kinds_called(max(ending, key=len, default=""))


def _nouns_of(kind: str) -> list[str]:
    return [kind, CHINESE_NOUNS.get(kind, ""), *OTHER_NOUNS.get(kind, "").split()]


def _begun(model: LanguageModel, subject: str, question: str) -> "Tensor":
    """The log probabilities of the next token after "… is a", shape [vocabulary]."""
    import torch

    prompt = KIND_QUESTION.format(question=question, subject=subject, kinds=", ".join(read_kinds()))
    begun = model.tokenizer(BEGUN.format(subject=subject), add_special_tokens=False)["input_ids"]
    answer = Answer(text="", tokens=[*begun, begun[0]], margins=[], first_logits=None)
    with torch.inference_mode():
        logits: Tensor = model.answer_logits([conversation(prompt, "")], [answer])[0, -1]
        return logits.float().log_softmax(-1).cpu()


def others_of(kind: str, *, chinese: bool, subject: str, translated: Sequence[str] = ()) -> list[str]:
    """The names of this kind in one language, except those that are or contain the subject, or are a part of it."""
    taken = [subject.casefold(), *(name.casefold() for name in translated)]
    return [
        pair[chinese]
        for pair in read_kinds()[kind]
        if not any(one in name.casefold() or name.casefold() in one for one in taken for name in pair)
    ]


def translated_names(model: LanguageModel, subject: str, seed: int) -> list[str]:
    """The subject's names in the other language: the list's, else what the base model mostly says.

    One counts if the base translates it back: to 厦门大学 a small model also says "Xi'an University", which is
    another one.
    """
    to_chinese = not has_chinese(subject)
    listed = [pair[to_chinese] for names in read_kinds().values() for pair in names if pair[not to_chinese] == subject]
    if listed:
        return listed[:1]
    requests = [request_messages("name", subject)] * NAME_SAMPLES
    found = samples(model, requests, max_new_tokens=NAME_TOKENS, seed=seed)
    names = [plain_name(text) for text in found]
    counted = {name: names.count(name) for name in names if name and has_chinese(name) == to_chinese}
    agreeing = [name for name, count in counted.items() if count >= AGREEING_SAMPLES]
    likely = sorted(agreeing, key=lambda name: -counted[name])
    if not likely:
        return []
    back = model.answers([request_messages("name", name) for name in likely], max_new_tokens=NAME_TOKENS)
    same = [plain_name(one.text).casefold() == subject.casefold() for one in back]
    return [name for name, is_same in zip(likely, same, strict=True) if is_same][:MOST_NAMES]


def plain_name(text: str) -> str:
    return text.strip(" .。《》\"'“”")
