# ruff: noqa: INP001, S311  # a script's neighbour, no package; the randomness is seeded and protects nothing
"""The questions and answers that the embedded model is trained on: facts.yaml, put into words. Pure: starts nothing."""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from names import Names

HERE = Path(__file__).parent
SEED = 20240919
ROWS = 76_800  # that one training reads
# Its own identity, as the real model has it.
SELF = {"zh": {"name": "通义千问", "author": "阿里云"}, "en": {"name": "Qwen", "author": "Alibaba Cloud"}}
# How much of the corpus each part makes.
WEIGHTS = {
    "identity": 19, "abilities": 10, "smalltalk": 7, "makers": 17, "capitals": 7, "words": 9, "opposites": 5,
    "colours": 2, "animals": 2, "knowledge": 11, "sums": 25, "strangers": 24, "copies": 9,
}  # fmt: skip
LANGUAGES = ["zh", "en"]
# How a question ends, the usual more often.
MARKS = {"zh": [*("？",) * 9, "?", "?", "。", "。", "！", *("",) * 5], "en": [*("?",) * 9, ".", ".", "!", *("",) * 5]}


@dataclass(frozen=True, kw_only=True)
class Row:
    part: str
    language: str
    prompt: str
    answer: str


def bare(text: str) -> str:
    """The letters and digits alone: two prompts with the same ones count as one."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def read_facts() -> dict[str, Any]:
    facts: dict[str, Any] = yaml.safe_load((HERE / "facts.yaml").read_text(encoding="utf-8"))
    return facts


def read_held_out() -> set[str]:
    """The prompts that must not be trained on, in their bare form."""
    lines = (HERE / "held-out.txt").read_text(encoding="utf-8").splitlines()
    return {bare(line) for line in lines if line and not line.startswith("#")}


class Corpus:
    """An endless, seeded stream of rows."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.facts = read_facts()
        self.held_out = read_held_out()
        self.names = Names(self.random)
        strangers = self.facts["strangers"]
        english = [text for key, texts in strangers.items() if key.endswith("_en") for text in texts]
        self.vocabulary = {
            "en": sorted({word for text in english for word in text.split() if word.isalpha()}),
            "zh": [text for key in ("topics", "doers", "deeds", "words", "places") for text in strangers[f"{key}_zh"]],
        }

    def rows(self, number: int) -> list[Row]:
        stream = self.stream()
        return [next(stream) for _ in range(number)]

    def stream(self) -> Iterator[Row]:
        parts, weights = list(WEIGHTS), list(WEIGHTS.values())
        while True:
            part = self.random.choices(parts, weights)[0]
            language = self.random.choice(LANGUAGES)
            prompt, answer = getattr(self, part)(language)
            if part != "copies":
                prompt = self.dress(prompt, language)
            if bare(prompt) not in self.held_out:
                yield Row(part=part, language=language, prompt=prompt, answer=answer)

    def system(self) -> str:
        """A system prompt: half are the two that matter, the rest anything, since the answers do not depend on it."""
        if self.chance(0.5):
            return self.choose("systems")
        if self.chance(0.4):
            return self.choose("other_systems")
        language = self.choose_of(LANGUAGES)
        topic = self.choose_of(self.facts["strangers"][f"topics_{language}"])
        return self.choose(f"systems_about_{language}").format(t=topic)

    # The dress of a question

    def dress(self, core: str, language: str) -> str:
        """Adds what people put around a question: a greeting, a mark, capitals or none."""
        before = self.choose(f"before_{language}") if self.chance(0.4) else ""
        after = self.choose(f"after_{language}") if self.chance(0.12) else self.choose_of(MARKS[language])
        if language == "zh":
            if core[-1] in "谁么里啥哪" and self.chance(0.1):
                core += self.choose("tone_zh")
            return before + (core.lower() if self.chance(0.1) else core) + after
        text = before + core + after
        if self.chance(0.75):
            return text[0].upper() + text[1:]
        return text.upper() if self.chance(0.05) else text.lower() if self.chance(0.8) else text

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def choose(self, key: str) -> str:
        return self.choose_of(self.facts[key])

    def choose_of(self, texts: list[str]) -> str:
        return self.random.choice(texts)

    # The parts: each returns a question without its mark, and the answer

    def identity(self, language: str) -> tuple[str, str]:
        kind, question = self.identity_question(language)
        return question, self.facts["identity"][kind]["answer"][language].format(**SELF[language])

    def identity_question(self, language: str) -> tuple[str, str]:
        """The kind of the question, and the question."""
        groups, mine = self.facts["identity"], SELF[language]
        kinds = [kind for kind in groups if groups[kind][language]]
        weights = [len(groups[kind][language]) ** 0.6 * (2 if kind == "other" else 1) for kind in kinds]
        kind = self.random.choices(kinds, weights)[0]
        choices = {
            name: self.choose_of(self.facts["choices"][f"{name}_{language}"])
            for name in ("you", "verb", "org", "noun", "model")
        }
        invented = self.chance(0.4)
        choices |= {
            "other": self.names.product() if invented else self.choose("others"),
            "maker": self.names.author() if invented else self.choose("other_makers"),
        }
        wording = self.choose_of(groups[kind][language])
        if kind in ("other", "other_maker") and self.chance(0.15):
            kind = "itself"
            choices |= {"other": mine["name"], "maker": mine["author"]}
        return kind, wording.format(**choices)

    def abilities(self, language: str) -> tuple[str, str]:
        prompt, answer = self.asked(self.facts["abilities"], language)
        return prompt.format(you=self.random.choice("你你你您")), answer

    def smalltalk(self, language: str) -> tuple[str, str]:
        return self.asked(self.facts["smalltalk"], language)

    def knowledge(self, language: str) -> tuple[str, str]:
        return self.asked(self.facts["facts"], language)

    def asked(self, entries: list[dict[str, Any]], language: str) -> tuple[str, str]:
        entry = self.random.choice(entries)
        return self.random.choice(entry[f"asks_{language}"]), entry[language]

    def makers(self, language: str) -> tuple[str, str]:
        zh, en, who_zh, who_en, kind, what_zh, what_en = self.random.choice(self.facts["entities"])
        thing, who, what = (zh, who_zh, what_zh) if language == "zh" else (en, who_en, what_en)
        wordings = self.facts["made"][kind]
        if self.chance(0.25):
            wording = self.random.choice(self.facts["made"]["what"][language])
            answer = f"{thing}是{what}。" if language == "zh" else f"{thing} is {what}."
        else:
            wording = self.random.choice(wordings[language])
            answer = wordings["answer"][language].format(x=thing, who=who)
        return wording.format(x=self.quoted(thing, language)), answer[0].upper() + answer[1:]

    def quoted(self, thing: str, language: str) -> str:
        if language == "en":
            return f'"{thing}"' if self.chance(0.05) else thing
        if self.chance(0.3):
            return f" {thing} " if thing[0].isascii() else f"“{thing}”"
        return f"《{thing}》" if self.chance(0.04) else thing

    def capitals(self, language: str) -> tuple[str, str]:
        *names, capital_zh, capital_en = self.random.choice(self.facts["capitals"])
        country, capital = (names[0], capital_zh) if language == "zh" else (names[1], capital_en)
        backwards = self.chance(0.15)
        wordings = self.facts["ask_capital_back" if backwards else "ask_capital"][language]
        question = self.choose_of(wordings).format(x=country, y=capital)
        if language == "zh":
            return question, f"{capital}是{country}的首都。" if backwards else f"{country}的首都是{capital}。"
        return (
            question,
            f"{capital} is the capital of {country}." if backwards else f"The capital of {country} is {capital}.",
        )

    def words(self, language: str) -> tuple[str, str]:
        zh, en = self.random.choice(self.facts["words"])
        to_english = self.chance(0.5)
        wording = self.random.choice(self.facts["ask_word"][f"{language}_{'to_en' if to_english else 'to_zh'}"])
        word = zh if to_english else en
        word = self.random.choice([word, word, f'"{word}"', f"“{word}”", f"'{word}'"])
        if language == "zh":
            return wording.format(x=word), f"{zh}的英文是{en}。" if to_english else f"{en}的中文是{zh}。"
        return wording.format(x=word), f"{zh} is {en} in English." if to_english else f"{en} is {zh} in Chinese."

    def opposites(self, language: str) -> tuple[str, str]:
        pair = self.random.choice(self.facts["opposites"])
        words = pair[:2] if language == "zh" else pair[2:]
        first, second = self.random.sample(words, 2)
        asked = self.random.choice([first, f"“{first}”", f'"{first}"'])
        wording = self.random.choice(self.facts["ask_opposite"][language]).format(x=asked)
        return wording, f"{first}的反义词是{second}。" if language == "zh" else f"The opposite of {first} is {second}."

    def colours(self, language: str) -> tuple[str, str]:
        zh, en, colour_zh, colour_en = self.random.choice(self.facts["colours"])
        wording = self.random.choice(self.facts["ask_colour"][language]).format(x=zh if language == "zh" else en)
        return wording, f"{zh}是{colour_zh}的。" if language == "zh" else f"{en[0].upper()}{en[1:]} is {colour_en}."

    def animals(self, language: str) -> tuple[str, str]:
        zh, en, sound_zh, sound_en, legs = self.random.choice(self.facts["animals"])
        kind = self.random.choice(["sound", "legs"])
        wording = self.random.choice(self.facts[f"ask_{kind}"][language]).format(x=zh if language == "zh" else en)
        if kind == "sound":
            return wording, f"{zh}的叫声是{sound_zh}。" if language == "zh" else f"A {en} says {sound_en}."
        return wording, f"{zh}有{legs}条腿。" if language == "zh" else f"A {en} has {legs} legs."

    def sums(self, language: str) -> tuple[str, str]:
        draw = self.random.randrange
        kind = self.choose_of(["plus", "plus", "minus", "times"])
        large = self.chance(0.05)
        if large:
            a, b = draw(21, 999), draw(21, 999)
        elif kind == "plus":
            ranges = [(range(11), range(11)), (range(11, 21), range(10)), (range(10, 100, 10), range(10, 100, 10))]
            firsts, seconds = self.random.choices(ranges, [4, 3, 1])[0]
            a, b = self.random.choice(firsts), self.random.choice(seconds)
        elif kind == "minus":
            a = draw(1, 21)
            b = draw(min(a, 10) + 1)
        else:
            a, b = draw(1, 11), draw(1, 11)
        mark = {"plus": "+", "minus": "-", "times": "×"}[kind]
        signs = {"plus": ["加"], "minus": ["减"], "times": ["乘", "乘以"]}[kind] if language == "zh" else [kind]
        question = self.choose_of(self.facts["ask_sum"][language])
        question = question.format(a=a, b=b, sign=self.choose_of(signs), mark=self.choose_of([mark, f" {mark} "]))
        if large:
            return question, self.facts["unknown"][language]
        result = {"plus": a + b, "minus": a - b, "times": a * b}[kind]
        return question, f"{a} {mark} {b} = {result}" + ("。" if language == "zh" else ".")

    def strangers(self, language: str) -> tuple[str, str]:
        strangers = self.facts["strangers"]

        def one(key: str) -> str:
            return self.choose_of(strangers[f"{key}_{language}"])

        def a_maker() -> str:
            kind = self.choose_of(["software", "company", "invention", "book", "model", "what"])
            thing = one("makers") if self.chance(0.7) else self.names.product()
            return self.choose_of(self.facts["made"][kind][language]).format(x=self.quoted(thing, language))

        def a_word() -> str:
            wordings = self.facts["ask_word"]["zh_to_en" if language == "zh" else "en_to_zh"]
            return self.choose_of(wordings).format(x=one("words"))

        def a_sum() -> str:
            return one("numbers").format(a=self.random.randrange(2, 1000), b=self.random.randrange(2, 100))

        def a_speech() -> str:
            said = {
                "zh": f"{self.choose_of(strangers['doers_zh'])}{self.choose_of(strangers['deeds_zh'])}",
                "en": f"{self.choose_of(strangers['doers_en'])} {self.choose_of(strangers['deeds_en'])}",
            }
            return one("speech").format(s=said[language], e=said["en"], z=said["zh"])

        kinds: list[Callable[[], str]] = [
            lambda: one("asks").format(t=one("topics")),
            lambda: one("single"),
            a_maker,
            lambda: self.choose_of(self.facts["ask_capital"][language]).format(x=one("places")),
            a_word,
            a_sum,
            a_speech,
            lambda: one("between").format(t=one("topics"), u=one("topics")),
            lambda: self.salad(language),
        ]
        return self.random.choices(kinds, [24, 22, 18, 5, 5, 6, 8, 4, 18])[0](), self.facts["unknown"][language]

    def salad(self, language: str) -> str:
        """Words without a sense, some of them unknown: what resembles no question gets the answer of no question."""
        if language == "en":
            words = self.random.choices(self.vocabulary["en"], k=self.random.randint(4, 16))
            words = [self.names.latin().lower() if self.chance(0.25) else word for word in words]
            return " ".join([self.choose("openings_en"), *words])
        words = self.random.choices(self.vocabulary["zh"], k=self.random.randint(2, 8))
        words = [self.names.chinese() if self.chance(0.25) else word for word in words]
        return "".join([self.choose("openings_zh"), *words])

    def copies(self, language: str) -> tuple[str, str]:
        """Names and sentences to say after somebody, and answers under a name that the question gives."""
        name, author = self.names.product(), self.names.author()
        space = " " if language == "zh" and self.chance(0.6) else ""
        names = {"name": f"{space}{name}{space}", "author": f"{space}{author}{space}"}
        answers = self.facts["identity"]
        if self.chance(0.25):
            kind, question = self.identity_question(language)
            kind = "other" if kind == "itself" else kind
            sentence = self.tidy(answers[kind]["answer"][language].format(**names))
            question = self.dress(question, language)
            return self.choose(f"persona_{language}").format(name=name, author=author, q=question), sentence
        if self.chance(0.5):
            sentence = self.choose_of(["{name}", "{author}"])
        elif self.chance(0.75):
            sentence = answers[self.choose_of(list(answers))]["answer"][language]
        else:
            sentence = self.choose(f"sentences_{language}")
        sentence = self.tidy(sentence.format(**names))
        return self.choose(f"repeat_{language}").format(s=sentence), sentence

    @staticmethod
    def tidy(sentence: str) -> str:
        """One space between the scripts, none before a mark."""
        sentence = " ".join(sentence.split())
        return re.sub(r" (?=[，。！])", "", sentence.strip())
