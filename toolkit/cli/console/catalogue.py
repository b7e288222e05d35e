"""Texts and what they are in Chinese: as a whole, or by a pattern with {} for what varies.

A text of a program is often an f-string: what it was made of is found again by the words around it. The pattern with
the most words of its own goes first, so that "The lock {} cannot be read: {}." is not taken for "{} cannot be read…".
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

VARIES = "{}"
PLACE = re.compile(r"\{(\d)\}")  # in the Chinese; other braces stay
SENTENCE = re.compile(r"(?<=[.?!]) (?=[A-Z]|--)")
QUOTED = re.compile(r"""(['"]).*\1""", re.DOTALL)  # a user's text, as errors show it
FILE_NAME = re.compile(r".*\S\.[A-Za-z][A-Za-z0-9]{1,11}/?", re.DOTALL)
SPAN = re.compile(r"(\d+) (s|min|minutes|h|hours|d|days)")
UNITS = {"s": "秒", "min": "分钟", "minutes": "分钟", "h": "小时", "hours": "小时", "d": "天", "days": "天"}
# The lines count in the plural: behind a 1 a text has the noun without its s.
ONE = re.compile(
    r"(?<![\w.,])1 (answer|card|check|command|file|host|layer|probe|process|question|row|run|step|tensor)(?![a-z])"
)


class Lines:
    """Texts and their Chinese; the patterns among them from the one with the most words of its own."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        self.texts = {english: chinese for english, chinese in lines.items() if VARIES not in english}
        varying = sorted((english for english in lines if VARIES in english), key=_own_words, reverse=True)
        self._patterns = [(english.split(VARIES), lines[english]) for english in varying]

    def match(self, text: str) -> tuple[str, Sequence[str]] | None:
        """The Chinese of the line that `text` is, and what varies in it."""
        if text in self.texts:
            return self.texts[text], ()
        for pieces, chinese in self._patterns:
            if all(piece in text for piece in pieces) and (match := _pattern(pieces).fullmatch(text)):
                return chinese, match.groups()
        return None


class Catalogue:
    """Some files: sections, each of texts and their Chinese. Read when it is first asked.

    `parts`: sections of what others are made of, which is not looked up by itself. `words`: those whose single words
    may be a part of a text; in others a word such as data can be a file's name. `otherwise`: of a part that none of
    them has.
    """

    def __init__(
        self, *files: Path, parts: Sequence[str] = (), words: Sequence[str], sentence: re.Pattern[str] = SENTENCE,
        otherwise: Callable[[str], str] = str,
    ) -> None:  # fmt: skip
        self._files, self._in_parts, self._with_words, self._sentence = files, parts, words, sentence
        self._otherwise = otherwise

    def translated(self, text: str) -> str:
        """The text in Chinese: as a whole, else each of its sentences that is known."""
        whole = self._found(text, self.lines)
        if whole is not None:
            return whole
        sentences = self._sentence.split(text)
        if len(sentences) == 1:
            return text
        return joined(self._found(sentence, self.lines) or sentence for sentence in sentences)

    def part(self, text: str) -> str:
        """A part of a text in Chinese, if it is known; also one of several with semicolons between them."""
        bare = text.strip()
        if QUOTED.fullmatch(bare) or (bare not in self._words and " " not in bare):
            return text
        several = bare.split("; ")
        if len(several) == 1 or not all(map(self._known, several)):
            known = self._known(bare)
            if known is not None:
                return known
            if FILE_NAME.fullmatch(bare):
                return text  # "Paris is nice.json"
        if len(several) > 1:
            return "；".join(map(self.part, several))
        other = self._otherwise(text)
        sentence = self._found(f"{bare}.", self.lines) if other == text else None  # one that stands within another
        return sentence.removesuffix("。") if sentence else other

    def _known(self, text: str) -> str | None:
        return self._found(text, self._parts) or self._found(text, self.lines)

    def _found(self, text: str, lines: Lines) -> str | None:
        if span := SPAN.fullmatch(text):
            return f"{span[1]} {UNITS[span[2]]}"
        # As it is, unless more of its words are known with the noun in the plural.
        matches = [one for form in (text, ONE.sub(_plural, text)) if (one := lines.match(form)) is not None]
        if not matches:
            return None
        chinese, varying = min(matches, key=lambda one: sum(map(len, one[1])))
        parts = [self.part(one) for one in varying]
        return PLACE.sub(lambda place: parts[int(place[1])], chinese)

    @cached_property
    def lines(self) -> Lines:
        return Lines(self._of(lambda name: name not in self._in_parts))

    @cached_property
    def _parts(self) -> Lines:
        return Lines(self._of(lambda name: name in self._in_parts))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(self._of(lambda name: name in self._with_words))

    def _of(self, chosen: Callable[[str], bool]) -> dict[str, str]:
        return {
            " ".join(english.split()): chinese
            for content in self._contents for name, section in content.items() if chosen(name)
            for english, chinese in section.items()
        }  # fmt: skip

    @cached_property
    def _contents(self) -> list[dict[str, dict[str, str]]]:
        from toolkit.core.plain_yaml import read_own

        return [read_own(file) for file in self._files]


def joined(sentences: Iterable[str]) -> str:
    """Chinese sentences need no space between them."""
    return "".join(f"{one} " if one.isascii() else one for one in sentences).rstrip()


def _plural(one: re.Match[str]) -> str:
    return f"{one[0]}{'es' if one[1].endswith('s') else 's'}"


def _own_words(english: str) -> int:
    return len(english.replace(VARIES, ""))


def _pattern(pieces: Sequence[str]) -> re.Pattern[str]:
    """What stands right behind a full stop is a further sentence, with its space, or nothing."""
    parts = [f"{re.escape(piece)}{'((?: .*)?)' if piece.endswith('.') else '(.*?)'}" for piece in pieces[:-1]]
    return re.compile("".join(parts) + re.escape(pieces[-1]), re.DOTALL)
