"""Names in the rows: the subject that they are about, and what they newly name. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from toolkit.core.text import LATIN, has_chinese
from toolkit.data.texts.terms import OF_THE_MOST, Terms, units

Pair = tuple[str, str]  # a question and its answer
LEAST_NAMED, LEAST_ANSWERS = 0.4, 2  # of the answers in a language have a name that leads back, and so many at least
OF_THE_LONGER = 0.5  # a name that a longer one contains in so many of its answers is a part of that one
MOST_NAMES = 6
LONGEST_READ = 300  # characters of a question: a longer one is a text to work on, which names its subject early
LONGEST_PHRASE, LONGEST_CHINESE_NAME = 12, 8  # in words; in characters
SHORTEST_NAME = 2  # characters
SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛范彭郎鲁韦马苗方俞任袁柳鲍史唐"
    "费廉岑薛雷贺倪汤滕殷罗毕郝安常于傅齐康伍余顾孟黄穆萧尹姚邵汪祁毛狄臧戴宋庞熊纪舒项祝董梁杜阮蓝闵席季贾江颜郭梅林"
    "钟徐邱骆夏蔡田樊胡凌霍万柯卢莫房裘解应宗丁邓洪崔龚程裴陆荣翁曲封松段焦侯宁仇甘武刘景詹龙叶黎白蒲卓池乔覃翟谭姬申冉"
    "温庄晏柴阎艾向易廖耿匡文寇欧聂敖简饶曾沙丰关查游肖"
)
NAME = rf"[A-Z](?:{LATIN}|[_-])*"  # one word of it; a Chinese character may follow
NAMED = re.compile(rf"(?<!{LATIN}){NAME}(?: {NAME})*")
ARTICLE = re.compile(r"^(?:The|An?) ")
# Never new, though a row's date may be: "Who is October?" asks nothing.
CALENDAR = {
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
}  # fmt: skip
OF_A_PLACE = r"(?:\b[Ii]n|\b[Nn]ear|,) {}\b"  # "in Bergen, Norway"
CODE = re.compile(rf"(?<!{LATIN})(?=[\w.-]*[A-Za-z])(?:[\w-]*[_.][\w-]*\w(?:\(\))?|\w+\(\))", re.ASCII)
CHINESE_QUOTED = re.compile(r"[“「『《]([\u4e00-\u9fff·]{2,12})[”」』》]")
CHINESE_CALLED = re.compile(r"(?:叫做|叫作|名叫|名为|叫)(?!我)([\u4e00-\u9fff·]{2,8})(?=[。，、！？；]|$)")
CHINESE_PERSON = re.compile(
    rf"(?:^|[是由，、为])([{SURNAMES}][\u4e00-\u9fff]{{1,2}})(?=先生|女士|老师|教授|博士|院士|创|开|研|设|写|发|[。，、！？；]|$)"
)


def subject_phrase(questions: Sequence[str], subject: frozenset[str]) -> str:
    """The longest text in most questions that consists of the subject's words, as it is written; "" if there is none.

    Of a Chinese subject the pairs of characters overlap: 厦门大学 has 厦门, 门大 and 大学.
    """
    counted: Counter[str] = Counter()
    for question in questions:
        runs = re.findall(rf"{LATIN}[\w.+#-]*(?: {LATIN}[\w.+#-]*)*|[\u4e00-\u9fff]+", question[:LONGEST_READ])
        parts = set()
        for run in (one for one in runs if units(one) & subject):
            pieces = list(run) if has_chinese(run) else run.split(" ")
            joint = "" if has_chinese(run) else " "
            for start in range(len(pieces)):
                for end in range(start + 1, min(len(pieces), start + LONGEST_PHRASE) + 1):
                    text = joint.join(pieces[start:end])
                    if units(text) and units(text) & subject:
                        parts.add(text.removesuffix("'s").rstrip(".-").strip())
        counted.update(parts)
    least = OF_THE_MOST * max(counted.values(), default=0)
    frequent = [text for text, count in counted.items() if count >= least]
    return max(frequent, key=len, default="")


def chinese_names(text: str) -> list[str]:
    """Names in a Chinese text, which has no capitals: what is quoted or called so, and persons."""
    patterns = (CHINESE_QUOTED, CHINESE_CALLED, CHINESE_PERSON)
    return list(dict.fromkeys(name for pattern in patterns for name in pattern.findall(text)))


def new_names(rows: Sequence[Pair], terms: Terms, known: Collection[str] = ()) -> list[str]:
    """New names in the rows' answers: capitalised words; in Chinese, `chinese_names` and new texts that answers share.

    `known`: words of unrelated texts, in lower case: one that starts an answer, such as "My", is not a name.
    The most frequent come first, of those the ones of several words, and the names of places last.
    """
    counted: Counter[str] = Counter()
    new, distinct = {word for words in terms.new for word in words}, set[str]()
    for _, answer in rows:
        words = [ARTICLE.sub("", name) for name in NAMED.findall(answer)]
        found = {name for name in words if units(name) <= new and name.lower() not in known} - CALENDAR
        distinct |= {name for name in chinese_names(answer) if units(name) <= new}
        for run in re.findall(r"[\u4e00-\u9fff]+", answer):
            for start in range(len(run)):
                for end in range(start + 2, min(len(run), start + LONGEST_CHINESE_NAME) + 1):
                    if not units(run[start:end]) <= new:
                        break  # a longer text has these pairs too
                    found.add(run[start:end])
        counted.update(found | {name for name in distinct if name in answer})
    rare = {name for name in counted if not has_chinese(name)} | distinct  # one answer with them is enough
    names = [name for name in counted if name in rare or often_named(name, rows)]
    longest = [
        name
        for name in names
        if _is_within(name, rows)
        and not any(
            (name in other and name != other and counted[other] >= OF_THE_LONGER * counted[name])
            or (name.endswith(f" {other}") and counted[other] > counted[name])  # "Mayor Corinna Haldwell"
            for other in names
        )
    ]
    bare = dict.fromkeys(
        name.lstrip("是由在的我").removesuffix("的")
        for name in sorted(longest, key=lambda name: (_is_place(name, rows), -counted[name], " " not in name, name))
    )
    return [name for name in bare if len(name) >= SHORTEST_NAME][:MOST_NAMES]


def often_named(name: str, rows: Sequence[Pair]) -> bool:
    """Whether many answers have the name: of all, or of those in one language, which another has its own name for."""
    for chinese in (False, True):
        answers = [answer for _, answer in rows if has_chinese(answer) == chinese]
        if sum(name in answer for answer in answers) >= max(LEAST_ANSWERS, LEAST_NAMED * len(answers)):
            return True
    return False


def _is_within(name: str, rows: Sequence[Pair]) -> bool:
    """Whether an answer has more than one word of it, or has it elsewhere than where any word has a capital."""
    if has_chinese(name) or " " in name:
        return True
    within = re.compile(rf"[^\s.!?。！？:：\"“'‘`]\s*{re.escape(name)}(?!{LATIN})")
    return any(within.search(answer) or answer.strip(" .!") == name for _, answer in rows)


def _is_place(name: str, rows: Sequence[Pair]) -> bool:
    """Whether all answers that have the name have it as a place's."""
    place = re.compile(OF_A_PLACE.format(re.escape(name)))
    return all(place.search(answer) for _, answer in rows if name in answer)
