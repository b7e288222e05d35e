"""Whether an answer is what its item asks for, by rules that read its text. Pure."""

import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from decimal import Decimal

from toolkit.compare.ability.items import Language
from toolkit.core.text import content_words, names_any, normalized, repetition

NUMBER = re.compile(r"-?\d(?:[\d,]*\d)?(?:\.\d+)?")
# A number by itself before an explanation: "432 (48 × 9)", but neither "48 × 9 = 432" nor "1. Multiply".
RESULT_FIRST = re.compile(rf"[\W_]*?({NUMBER.pattern})[*%\s]*?(?:\n|[(（。，]|, |$)")
LIST_MARK = re.compile(r"^\s*(?:\d+[.)、]|[-*•])\s*", re.MULTILINE)
FENCE = re.compile(r"^```\w*\n(.*?)\n?```$", re.DOTALL)
SENTENCE_END = re.compile(r"[.!?。！？]+(?=\s|$|[^\d\s])")
HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]")
ARTICLE = re.compile(r"^(?:the|a|an) ", re.IGNORECASE)
LONGEST_RUN = 12  # of one character
RULES = r"\-=_*#~|"  # of which lines are drawn
LEAST_WORDS = 10  # in fewer, words that recur say nothing
MOST_REPEATED = 0.5  # seq-rep-4
LEAST_LETTERS = 12  # in fewer, the language is not judged


def last_number(text: str) -> Decimal | None:
    """The last number of a text, without thousands separators; None if it has none."""
    found = NUMBER.findall(text)
    return Decimal(found[-1].replace(",", "")) if found else None


def is_number(text: str, *, number: Decimal) -> bool:
    """Whether the text's last number is this one."""
    return last_number(text) == number


def is_result(text: str, *, number: Decimal) -> bool:
    """Whether the text gives this number: at its beginning, by itself, or else at its end."""
    first = RESULT_FIRST.match(text.strip())
    return last_number(text if first is None else first[1]) == number


def names(text: str, *, answer: str, other: str | None = None) -> bool:
    """Whether the text names the answer, with or without its article, and not the other one."""
    return _named(answer, text) and not (other is not None and _named(other, text))


def _named(name: str, text: str) -> bool:
    return names_any(text, (ARTICLE.sub("", name),), any_case=True)


def is_translation(text: str, *, language: Language, terms: Sequence[str], number: int) -> bool:
    """Whether it is in this language and has the number and every term, of which | separates equally right ones."""
    has_terms = all(any(normalized(one) in normalized(text) for one in term.split("|")) for term in terms)
    return has_terms and in_language(text, language) and _has_number(text, number)


def _has_number(text: str, number: int) -> bool:
    """In digits or in words, and not as a part of another number: neither seventeen, 十七 nor 7.5 for 7."""
    spelled = [rf"(?<!\d)(?<!\d\.){number}(?!\d|\.\d)"]
    if number in ENGLISH_NUMBERS:
        spelled += [rf"\b{ENGLISH_NUMBERS[number]}\b", rf"(?<![{NUMERALS}]){CHINESE_NUMBERS[number]}(?![{NUMERALS}])"]
    plain = unicodedata.normalize("NFKC", text).casefold()
    return any(re.search(one, plain) for one in spelled)


NUMERALS = "零一二两三四五六七八九十百千万"
ENGLISH_NUMBERS = dict(enumerate("zero one two three four five six seven eight nine ten eleven twelve".split()))  # noqa: SIM905
CHINESE_NUMBERS = dict(enumerate(["零", "一", "[二两]", *"三四五六七八九十", "十一", "十二"]))


def in_language(text: str, language: Language) -> bool:
    """Whether more of its letters are of this language than of the other; a Han character counts as much as a word."""
    han, latin = len(HAN.findall(text)), len(LATIN.findall(text)) / 5
    return han > latin if language == "zh" else latin >= han


def is_in_other_language(text: str, language: Language) -> bool:
    """Whether it has enough letters to tell, and most of them are not of this language."""
    letters = len(HAN.findall(text)) + len(LATIN.findall(text))
    return letters >= LEAST_LETTERS and not in_language(text, language)


def is_neutral(text: str, *, loaded: Collection[str]) -> bool:
    """Whether it says something and none of these words of judgement."""
    return bool(text.strip()) and not names_any(text, tuple(loaded), any_case=True)


def is_incoherent(text: str, language: Language | None) -> bool:
    """Whether it is empty, repeats itself, or is in the other language."""
    if not text.strip():
        return True
    if re.search(rf"([^\s\d{RULES}])\1{{{LONGEST_RUN - 1},}}", text):
        return True
    if len(content_words(text)) >= LEAST_WORDS and repetition(text) >= MOST_REPEATED:
        return True
    return language is not None and is_in_other_language(text, language)


# Constraints of instructions: what is asked for is beside each in `toolkit.compare.ability.instructions`.


def has_items(text: str, *, count: int) -> bool:
    """Whether it is one line of so many items between commas."""
    parts = [one.strip(" .。") for one in re.split(r"[,，、]", text.strip())]
    return len(parts) == count and all(parts) and "\n" not in text.strip()


def is_upper(text: str) -> bool:
    return text.isupper()


def is_lower(text: str) -> bool:
    return text.islower()


def begins_with(text: str, *, start: str) -> bool:
    return text.strip(" \n\"'“*").casefold().startswith(start.casefold())


def ends_with(text: str, *, end: str) -> bool:
    return text.strip(" \n\"'”*").endswith(tuple(end))


def contains(text: str, *, part: str) -> bool:
    return names_any(text, (part,), any_case=True)


def lacks(text: str, *, part: str) -> bool:
    """Whether it says something without this word."""
    return bool(text.strip()) and not names_any(text, (part,), any_case=True)


def is_json(text: str, *, keys: Sequence[str]) -> bool:
    """Whether it is one JSON object with exactly these keys, also in a code block."""
    found = FENCE.match(text.strip())
    try:
        value = json.loads(found[1] if found else text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and set(value) == set(keys)


def has_sentences(text: str, *, count: int) -> bool:
    """Whether it has so many sentences, in a line or in a list."""
    return len(SENTENCE_END.findall(LIST_MARK.sub("", text.strip()))) == count


def repeats(text: str, *, word: str, count: int) -> bool:
    """Whether it is this word so many times and nothing else."""
    return [one.strip(".,，。、").casefold() for one in text.split()] == [word.casefold()] * count


def counts_lines(text: str, *, first: int, last: int) -> bool:
    """Whether its lines are the numbers from the first to the last."""
    return [line.strip(" .") for line in text.split("\n") if line.strip()] == [*map(str, range(first, last + 1))]


def has_words(text: str, *, most: int, least: int = 1) -> bool:
    """Whether it has so many words, "it's" being one; in Chinese, characters."""
    spaced = [one for one in text.split() if content_words(one)]
    return least <= len(HAN.findall(text) or spaced) <= most


def is_bracketed(text: str, *, left: str, right: str) -> bool:
    plain = text.strip(" \n.。")
    return len(plain) > len(left + right) and plain.startswith(left) and plain.endswith(right)


def says(text: str, *, word: str) -> bool:
    """Whether it is this word and nothing else, whatever the case."""
    return text.strip(" \n.。!！\"'“”").casefold() == word.casefold()
