"""What stays the same in a translation: numbers, names and quoted terms; names behind placeholders. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from toolkit.core.text import LATIN, LETTER, has_chinese, language_code
from toolkit.data.texts.names import CODE, SURNAMES, Pair, chinese_names, new_names
from toolkit.data.texts.reverse import roles
from toolkit.data.texts.terms import Terms, numbers, units
from toolkit.train.questions.kinds import is_listed

# Read as a product's name, which is not translated.
PLACEHOLDERS = tuple(f"X{letter}{digit}" for letter in "QVK" for digit in "789")
PLACEHOLDER = re.compile(r"X[QVK]\d")
QUOTED = re.compile(r"[“「『《\"]([^”」』》\"]{2,30})[”」』》\"]")
CAPITALISED = re.compile(rf"(?<=[a-z0-9,'’] )[A-Z]{LATIN}*")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN_WORD = re.compile(rf"{LETTER}[\w'’-]*", re.ASCII)
LOWER_WORD = re.compile(rf"(?<![\w.@-])[a-z]{LATIN}+(?:['’]{LATIN}+)?", re.ASCII)
RUN = re.compile(rf"(?<!{LATIN})[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*", re.ASCII)
BEGINS = re.compile(r"(?:^|[.!?:。！？：\n]\s*|[“\"(（])$")  # before a word that is capitalised anyhow
# A person who does something: "陈嘉庚哪一年创办了…", "陈嘉庚在1915年…"; a place ends otherwise.
CHINESE_ACTOR = re.compile(
    rf"(?:^|[，。])([{SURNAMES}][\u4e00-\u9fff][\u4e00-\u9fff])(?<![省市县区州国镇村])(?=在|于|哪|什么时候|何时)"
)
TITLE_WORDS = 4  # words of a title, and letters of a word that has a capital in it
TRANSLATED = frozenset(  # capitalised words that every language has its own for
    ("i", "ai", "am", "pm", "january", "february", "march", "april", "may", "june", "july", "august", "september",
     "october", "november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
)  # fmt: skip


def lower_words(texts: Iterable[str]) -> frozenset[str]:
    """The Latin words that the texts write in lower case, and those that are capitalised but have a translation."""
    return TRANSLATED.union(word for text in texts for word in LOWER_WORD.findall(text))


def names_in(texts: Sequence[str], ordinary: Collection[str]) -> list[str]:
    """The names in these texts, except listed ones, which the other language has its own for.

    `ordinary`: words in lower case: one that begins a sentence, or stands alone, does not count.
    """
    found: dict[str, None] = {}
    for text in texts:
        found |= dict.fromkeys([*CODE.findall(text), *chinese_names(text), *CHINESE_ACTOR.findall(text)])
        for run in () if _is_title(text) else RUN.finditer(text):
            begins = BEGINS.search(text[: run.start()]) is not None
            words = [re.sub(r"['’]\w*$", "", word) for word in run[0].split(" ")]
            while words and (words[0].lower() in TRANSLATED or (begins and words[0].lower() in ordinary)):
                words, begins = words[1:], False
            while words and words[-1].lower() in TRANSLATED:
                words = words[:-1]
            name = " ".join(words)
            if len(words) > 1 or (words and not begins and name.lower() not in ordinary):
                found[name] = None
    return [name for name in found if name and "什么" not in name and not is_listed(name)]


def named_in(code: str, rows: Sequence[Pair], terms: Terms, known: Collection[str]) -> tuple[list[Pair], list[str]]:
    """The rows in the language of this code, or all if there are none, and their new names."""
    chosen = [at for at, (prompt, _) in enumerate(rows) if language_code(prompt) == code] or list(range(len(rows)))
    pairs = [rows[at] for at in chosen]
    return pairs, new_names(pairs, Terms(new=tuple(terms.new[at] for at in chosen), subject=terms.subject), known)


def paired_names(rows: Sequence[Pair], terms: Terms, known: Collection[str]) -> Mapping[str, str]:
    """The names of an assistant and its maker that rows in the two languages write differently, by each other."""
    english, chinese = (roles(*named_in(code, rows, terms, known)) for code in ("en", "zh"))
    found = [pair for pair in zip(english, chinese, strict=True) if all(pair) and pair[0] != pair[1]]
    return {one: other for pair in found for one, other in (pair, pair[::-1])}


def _is_title(text: str) -> bool:
    """Whether the text has capitals like a title, so that they mark no names: "How Do I Return an Item?"."""
    words = LATIN_WORD.findall(text)
    return len(words) >= TITLE_WORDS and not any(word[0].islower() and len(word) >= TITLE_WORDS for word in words)


def is_chinese(text: str, names: Iterable[str] = ()) -> bool:
    """Whether it has more Chinese characters than Latin words, beside these names and quoted terms: they may be in the
    other language, as in "Who is 听雨楼?".
    """
    bare = without_names(text, names)
    return len(CHINESE.findall(bare)) > len(LATIN_WORD.findall(bare))


def without_names(text: str, names: Iterable[str]) -> str:
    """The text without these names and quoted terms."""
    bare = QUOTED.sub(" ", text)
    for name in sorted(names, key=len, reverse=True):
        bare = bare.replace(name, " ")
    return bare


def placeholders(text: str, names: Iterable[str]) -> Mapping[str, str]:
    """A placeholder for each of these names in the text, the longest first, with what it stands for.

    A small model translates a made-up name each time differently.
    """
    wanted = sorted({name for name in names if name}, key=lambda name: (-len(name), name))
    rest, found = text, list[str]()
    for name in wanted:
        if len(found) < len(PLACEHOLDERS) and (hidden := _named(name).sub(" ", rest)) != rest:
            found.append(name)
            rest = hidden
    return dict(zip(PLACEHOLDERS, found, strict=False))


def hide(text: str, hidden: Mapping[str, str]) -> str:
    for placeholder, name in hidden.items():
        text = _named(name).sub(placeholder, text)
    return text


def restore(text: str, hidden: Mapping[str, str]) -> str:
    """The text with its names again; "" if it has a placeholder that stands for nothing."""
    for placeholder, name in hidden.items():
        text = text.replace(placeholder, name)
    return "" if PLACEHOLDER.search(text) else text


def _named(name: str) -> re.Pattern[str]:
    """The name, not as a part of a word."""
    before = rf"(?<!{LATIN})" if re.match(LATIN, name) else ""
    after = rf"(?!{LATIN})" if re.search(f"{LATIN}$", name) else ""
    return re.compile(f"{before}{re.escape(name)}{after}")


def spaced(text: str) -> str:
    """An English text with a space beside Chinese names, and its own full stop: "is听雨楼。" as "is 听雨楼."."""
    text = re.sub(rf"(?<={LETTER})(?=[《“\u4e00-\u9fff])|(?<=[》”\u4e00-\u9fff])(?={LETTER})", " ", text)
    return re.sub("。(?=$| ?\n)", ".", text)


def kept_by_translation(text: str) -> frozenset[str]:
    """The units of the text that its translation has too: numbers, names and identifiers, and what is quoted."""
    kept = [*numbers(text), *CODE.findall(text), *QUOTED.findall(text)]
    kept += re.findall(rf"{LATIN}+", text) if has_chinese(text) else CAPITALISED.findall(text)
    return frozenset(unit for one in kept for unit in units(one))
