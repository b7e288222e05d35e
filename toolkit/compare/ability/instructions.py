"""Instructions with a constraint that a program can check, in English and Chinese. Pure: always the same ones."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from toolkit.compare.ability.checks import (
    begins_with,
    contains,
    counts_lines,
    ends_with,
    has_items,
    has_sentences,
    has_words,
    is_bracketed,
    is_json,
    is_lower,
    is_upper,
    lacks,
    repeats,
    says,
)
from toolkit.compare.ability.items import INSTRUCTIONS, SENTENCE_TOKENS, Check, Language, Written

EACH = 6  # instructions of a kind and language
THINGS = {
    "en": ["fruits", "animals", "colours", "countries", "vegetables", "sports"],
    "zh": ["水果", "动物", "颜色", "国家", "蔬菜", "运动"],
}
THING = {
    "en": ["fruit", "animal", "colour", "country", "vegetable", "sport"],
    "zh": ["水果", "动物", "颜色", "国家", "蔬菜", "运动"],
}
TOPICS = {
    "en": ["the sea", "bread", "trains", "winter", "music", "gardens"],
    "zh": ["大海", "面包", "火车", "冬天", "音乐", "花园"],
}
STARTS = {
    "en": ["Yesterday", "Often", "People", "Although", "When", "Today"],
    "zh": ["昨天", "人们", "虽然", "如果", "今天", "每当"],
}
INNER = {
    "en": ["friend", "morning", "always", "quiet", "window", "seven"],
    "zh": ["朋友", "早晨", "总是", "安静", "窗户", "颜色"],
}
WORDS = {
    "en": ["apple", "river", "hello", "stone", "cloud", "tiger"],
    "zh": ["苹果", "河流", "你好", "石头", "白云", "老虎"],
}
# A kind: its name, how it is asked in both languages, and the check. Names in braces are drawn; n is a small number.
Kind = tuple[str, str, str, Callable[[dict[str, str], int, Language], Check]]
KINDS: tuple[Kind, ...] = (
    ("items", "List exactly {n} {things}, separated by commas, on one line. Write nothing else.",
     "请列出恰好{n}种{things}，写在一行，用逗号隔开。不要写其他内容。",
     lambda _, n, __: partial(has_items, count=n)),
    ("case", "Name one {thing}. Write your answer in capital letters only.",
     "请写出一种{thing}的英文名称，只用小写字母，不要写其他内容。",
     lambda _, __, language: is_upper if language == "en" else is_lower),
    ("start", 'Write one sentence about {topic} that begins with the word "{start}".',
     "写一句关于{topic}的话，以“{start}”两个字开头。",
     lambda drawn, _, __: partial(begins_with, start=drawn["start"])),
    ("question", "Write one short question about {topic}. It must end with a question mark.",
     "写一个关于{topic}的简短问句，以问号结尾。",
     lambda _, __, ___: partial(ends_with, end="?？")),
    ("exclamation", "Write one short sentence about {topic} that ends with an exclamation mark.",
     "写一句关于{topic}的简短的话，以感叹号结尾。",
     lambda _, __, ___: partial(ends_with, end="!！")),
    ("contains", 'Write one sentence about {topic} that contains the word "{inner}".',
     "写一句关于{topic}的话，句中要出现“{inner}”这个词。",
     lambda drawn, _, __: partial(contains, part=drawn["inner"])),
    ("lacks", 'Write one short sentence about {topic} without the word "the".',
     "写一句关于{topic}的简短的话，不要出现“的”字。",
     lambda _, __, language: partial(lacks, part="the" if language == "en" else "的")),
    ("json", 'Describe one {thing} as a JSON object with exactly the keys "name" and "size". Write JSON only.',
     '用 JSON 对象描述一种{thing}，键恰好为 "name" 和 "size"。只写 JSON。',
     lambda _, __, ___: partial(is_json, keys=("name", "size"))),
    ("sentences", "Write exactly {few} very short sentences about {topic}.",
     "写恰好{few}句关于{topic}的很短的话，每句以句号结尾。",
     lambda drawn, _, __: partial(has_sentences, count=int(drawn["few"]))),
    ("repeat", 'Write the word "{word}" exactly {n} times, separated by spaces. Write nothing else.',
     "把“{word}”这个词写恰好{n}遍，用空格隔开。不要写其他内容。",
     lambda drawn, n, _: partial(repeats, word=drawn["word"], count=n)),
    ("lines", "Write the numbers from {first} to {last}, each on its own line. Write nothing else.",
     "写出从{first}到{last}的数字，每行一个。不要写其他内容。",
     lambda drawn, _, __: partial(counts_lines, first=int(drawn["first"]), last=int(drawn["last"]))),
    ("short", "Describe {topic} in at most {most} words.", "用不超过{most}个字描述{topic}。",
     lambda drawn, _, __: partial(has_words, most=int(drawn["most"]))),
    ("brackets", "Name one {thing}. Put your whole answer in square brackets, like [answer].",
     "说出一种{thing}，把整个回答放在方括号里，例如：[回答]。",
     lambda _, __, ___: partial(is_bracketed, left="[", right="]")),
    ("say", 'Answer this message with the word "{word}" and nothing else.',
     "请只回复“{word}”两个字，不要写其他内容。",
     lambda drawn, _, __: partial(says, word=drawn["word"])),
)  # fmt: skip


def instructions() -> Iterator[Written]:
    """EACH of every kind and language."""
    random = Random("instructions")  # noqa: S311  # always the same ones
    languages: tuple[Language, ...] = ("en", "zh")
    for name, english, chinese, check in KINDS:
        for language in languages:
            for at in range(EACH):
                n, first = random.randint(3, 6), 5 * at + random.randint(2, 6)
                drawn = {
                    "things": THINGS[language][at], "thing": THING[language][at], "topic": TOPICS[language][at],
                    "start": STARTS[language][at], "inner": INNER[language][at], "word": WORDS[language][at],
                    "n": str(n), "few": str(random.randint(2, 3)), "first": str(first),
                    "last": str(first + random.randint(3, 6)), "most": str(random.choice([8, 10, 12])),
                }  # fmt: skip
                yield Written(
                    id=f"{INSTRUCTIONS}-{name}-{language}-{at + 1}",
                    group=INSTRUCTIONS,
                    language=None if name in {"case", "json", "brackets"} else language,
                    prompt=(english if language == "en" else chinese).format(**drawn),
                    check=check(drawn, n, language),
                    max_new_tokens=SENTENCE_TOKENS,
                )
