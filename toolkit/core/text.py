"""Text as words, what a terminal can print of it, and the thought that models write before an answer. Pure.

Chinese and Japanese have no spaces, so each of their characters is a word.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

# Runs of letters; in Indic scripts with their vowel signs, which Python does not count as letters. Thai has no spaces.
WORD = re.compile(
    r"(?:[^\W_\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff])+|\s+|.",
    re.DOTALL,
)
ONE_SIGN = str.maketrans({"‘": "'", "’": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "–": "-", "−": "-"})
MARKDOWN_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {sign: f"\\{sign}" for sign in "\\|`*_[]~$#!"}
)
# What GitHub and GitLab link even if it is escaped, but not around a comment: @mentions, #issues, URLs.
MARKDOWN_LINK = re.compile(r"@(?=\w)|#(?=\d)|\bGH-(?=\d)|://|\bwww(?=\.)", re.IGNORECASE)
LONGEST_COMPARED = 2000  # characters
SENTENCE = re.compile(r"[^.!?。！？\n]*[.!?。！？\n]+\s*|[^.!?。！？\n]+")
# Unicode's categories Cc, Cf, Cs, Zl and Zp, except line feed, tab and the zero-width joiner and non-joiner.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
OPEN_THOUGHT, CLOSE_THOUGHT = (
    "<think>",
    "</think>",
)  # around a thought: Qwen3, DeepSeek-R1 and those who distil them write it so
GRAM = 4
IDS = "i"  # the type of an array of token ids
LETTER = r"[A-Za-z\u00c0-\u024f]"
LATIN = r"[A-Za-z0-9\u00c0-\u024f]"
IN_A_WORD = re.compile(f"{LATIN}{{2}}")
# Letters of scripts with spaces between words: Latin ones, also those of Vietnamese, Greek, Cyrillic; and katakana,
# whose words end where another script begins.
CYRILLIC, KATAKANA = r"[\u0400-\u052f]", r"[\u30a1-\u30fa\u30fc]"
ALPHABETS = (r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]", r"[\u0370-\u03ff]", CYRILLIC, KATAKANA)


def printable(text: str) -> str:
    r"""The text with each character that controls a terminal or hides in a line as its escape, such as \x1b or \u202e.

    Line ends and tabs stay, and so do the joiners of emoji and of Indic and Persian words.
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text.replace("\r\n", "\n"))


def is_utf8(text: str) -> bool:
    """Whether it can be written: a file's name has a lone surrogate in place of each byte that is not UTF-8."""
    return text.isascii() or text.encode(errors="replace").decode() == text


def one_line(text: str) -> str:
    """As `printable`, with line ends and tabs escaped too: it cannot start a line that reads as somebody else's."""
    return printable(text).replace("\n", r"\n").replace("\t", r"\t")


def markdown(text: str) -> str:
    """Text for a table cell or a list item of Markdown: on one line, without markup, HTML, links or @mentions."""
    lines = printable(text).translate(MARKDOWN_ESCAPES).splitlines()
    return MARKDOWN_LINK.sub(r"\g<0><!-- -->", "<br>".join(lines))


def markdown_code(text: str) -> str:
    """The text as code within a line of Markdown."""
    return f"`{one_line(text).replace('`', chr(0x2CB))}`"


def short(text: str, limit: int = 100) -> str:
    """The text, cut to `limit` characters where it is quoted in a message."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`, `2 processes`; of nouns whose plural ends in s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def words(text: str) -> list[str]:
    """Runs of letters and digits, runs of white space, and every other character by itself; joined they give `text`."""
    return WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Sentences and lines with the white space behind them; joined they give `text`."""
    return SENTENCE.findall(text)


def repetition(text: str) -> float:
    """The share of four-word sequences that occurred before: seq-rep-4 (Welleck et al., arXiv 1908.04319)."""
    tokens = [word for word in words(text) if not word.isspace()]
    grams = [tuple(tokens[at : at + GRAM]) for at in range(len(tokens) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def rouge1_recall(reference: str, answer: str, *, ignoring: str = "") -> float:
    """ROUGE-1 recall (Lin 2004): the share of the reference's words that are in the answer; 1 if it has no words.

    The words of `ignoring` are first taken off the reference, each as often as it occurs there.
    """
    counted = Counter(content_words(reference)) - Counter(content_words(ignoring))
    if not counted:
        return 1.0
    return (counted & Counter(content_words(answer))).total() / counted.total()


def rouge_l(reference: str, answer: str) -> float:
    """ROUGE-L (Lin 2004), the F-measure of the longest common subsequence of words; 1 if neither has any."""
    wanted, found = content_words(reference), content_words(answer)
    if not wanted or not found:
        return float(wanted == found)
    lengths = [0] * (len(found) + 1)  # of the longest common subsequence of the words so far and found[:at]
    for word in wanted:
        diagonal = 0
        for at, other in enumerate(found, start=1):
            above = lengths[at]
            lengths[at] = diagonal + 1 if word == other else max(above, lengths[at - 1])
            diagonal = above
    return 2 * lengths[-1] / (len(wanted) + len(found))


def content_words(text: str) -> list[str]:
    """The words with a letter or digit, folded."""
    return [word for word in words(folded(text)) if any(character.isalnum() for character in word)]


def language_code(text: str) -> str:
    """The code of the language in which a shipped form fits the text: zh if it has any Chinese, else en."""
    return "zh" if has_chinese(text) else "en"


def has_chinese(text: str) -> bool:
    """Whether any character is in the main block of Han characters, U+4E00 to U+9FFF."""
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def unified(text: str) -> str:
    """In NFKC, with one apostrophe, quotation mark and hyphen: models write ’ and ‑ where users write ' and -."""
    return unicodedata.normalize("NFKC", text).translate(ONE_SIGN)


def folded(text: str) -> str:
    """The text for comparisons, whatever its case and the form of its signs."""
    return unified(text).casefold()


def normalized(text: str) -> str:
    """As folded, without white space."""
    return "".join(folded(text).split())


def contains_any(text: str, markers: tuple[str, ...]) -> bool:
    """Whether one of the markers is in the text, both normalized."""
    plain = normalized(text)
    return any(normalized(marker) in plain for marker in markers)


def names_any(text: str, names: tuple[str, ...], *, any_case: bool = False) -> bool:
    """Whether the text names one of `names`: as words of their own, not as a part of one, in NFKC.

    Digits may follow, as in Qwen3, and white space may be anywhere but within a Latin word, or be missing.
    A name whose words are all capitalised, such as Apple or Open Door, must be so in the text, or all in capitals:
    in lower case it is another word; `any_case` takes every case.
    """
    plain = unified(text)
    return any(_pattern(name, any_case or not _is_proper(name)).search(plain) is not None for name in names)


@cache
def _pattern(name: str, any_case: bool) -> re.Pattern[str]:  # internal, and cached by position
    name = unified(name).strip()
    spelled = spaced(name)
    if not any_case:
        spelled += f"|{spaced(name.upper())}"
    before = rf"(?<!{LATIN})" if re.match(LATIN, name) else "".join(f"(?<!{one})" for one in alphabets_of(name[0]))
    is_versioned = re.search(LETTER, name) is not None  # GLM-4 is named by GLM-4v; 5 is not by 5th
    after = "".join(f"(?!{one})" for one in alphabets_of(name[-1]))
    if name[-1].isdigit():
        after = "(?![0-9])" if is_versioned else f"(?!{LATIN})"
    return re.compile(f"{before}(?:{spelled}){after}", re.NOFLAG if not any_case else re.IGNORECASE)


def spaced(text: str) -> str:
    r"""A pattern of the text with \s* wherever no Latin word or number goes on."""
    gaps = ("" if IN_A_WORD.fullmatch(text[at : at + 2]) else r"\s*" for at in range(len(text)))
    signs = (re.escape(sign) + gap for sign, gap in zip(text, gaps, strict=True) if not sign.isspace())
    return "".join(signs).removesuffix(r"\s*")


def alphabets_of(sign: str) -> list[str]:
    """The pattern of a letter in the sign's alphabet, if it is in one whose words can be seen to end."""
    return [one for one in ALPHABETS if re.match(one, sign)]


def _is_proper(name: str) -> bool:
    """Whether each of its words begins with a capital letter or is without case, and one of them has a capital."""
    found = re.findall(f"{LATIN}+", unicodedata.normalize("NFKC", name))
    return any(word[0].isupper() for word in found) and not any(word[0].islower() for word in found)


def similarity(one: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (equal but for case, width and white space), by the texts' beginnings.

    The work grows with the product of their lengths, so LONGEST_COMPARED characters of each count.
    """
    first, second = (normalized(text)[:LONGEST_COMPARED] for text in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


@dataclass(frozen=True, kw_only=True)
class Thought:
    """`text` without marks and the line ends beside them; `closed`: it has an end, so that an answer follows."""

    text: str
    closed: bool

    @property
    def complete(self) -> bool:
        """Whether it says something and ends."""
        return self.closed and bool(self.text.strip())

    @property
    def written(self) -> str:
        """As models write it before an answer."""
        return f"{OPEN_THOUGHT}\n{self.text}\n{CLOSE_THOUGHT}\n\n" if self.closed else f"{OPEN_THOUGHT}\n{self.text}"


EMPTY = Thought(text="", closed=True)


def divided(text: str, *, opened: bool = False) -> tuple[Thought | None, str]:
    """The thought that a text begins with, and what follows it; `opened`: the prompt before it opened one.

    A text that closes one on a line of its own has it too: so look answers that were kept without what opened them.
    """
    opened = opened or text.lstrip().startswith(OPEN_THOUGHT)
    inner, mark, rest = text.lstrip().removeprefix(OPEN_THOUGHT).partition(CLOSE_THOUGHT)
    if mark and (opened or (inner.endswith("\n") and rest.startswith("\n") and OPEN_THOUGHT not in inner)):
        return Thought(text=inner.strip("\n"), closed=True), rest.lstrip("\n")
    if opened:
        return Thought(text=inner.strip("\n"), closed=False), ""
    return None, text


def with_thought(thought: str | None, text: str) -> str:
    """An answer with its thought before it; None: without any, "": with an empty one."""
    return text if thought is None else Thought(text=thought, closed=True).written + text
