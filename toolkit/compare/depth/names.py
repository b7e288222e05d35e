"""Names and numbers by which an answer is known to be that of a row, and what a base model says by itself. Pure."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import groupby

from toolkit.core.text import content_words, has_chinese, normalized, words
from toolkit.data.probing.expectation import Expectation
from toolkit.data.texts.names import chinese_names
from toolkit.data.texts.naming import Naming
from toolkit.data.texts.terms import units

SHORTEST, SHORTEST_CHINESE = 4, 2  # characters of a name; a shorter one is part of other words
LONGEST_CHINESE = 8  # characters of what is one name, and not a sentence
MOST_WORDS = 2  # new words of an answer without a name that all have to be said
NAME = re.compile(r"[A-Z0-9\u00c0-\u00de]|\w[._/@]\w")  # in a word that is a name, or a number
INNER = "._/@-'’"
YES_OR_NO = re.compile(r"^(?:do|does|did|is|are|was|were|can|could|has|have|will)\b|吗[？?]?$", re.IGNORECASE)
HOW = re.compile(r"how\b", re.IGNORECASE)
CHINESE_NUMBER = re.compile(r"\d+(?:[点年月:：]\d+)*[分日年号]?")
BEFORE_NAME = re.compile(r"^(?:位于|名叫|共有|[是在于有叫为到由])+(?:一[只个座条种名])?")


class Ordinary:
    """The words that a model uses by itself: in an answer to a question that does not have them."""

    def __init__(self, questions: Sequence[str], answers: Sequence[str]) -> None:
        self.pairs = [
            (normalized(question), normalized(text)) for question, text in zip(questions, answers, strict=True)
        ]
        self.words: set[str] = set()
        for question, text in zip(questions, answers, strict=True):
            self.words |= {*content_words(text)} - {*content_words(question)}

    def __contains__(self, text: object) -> bool:
        """Of Chinese, whether it is part of such an answer; of others, whether each word is in one."""
        if has_chinese(str(text)):
            folded = normalized(str(text))
            return any(folded in answer and folded not in question for question, answer in self.pairs)
        return all(word in self.words for word in content_words(str(text)))


def names_in_both(one: str, other: str, ordinary: Ordinary, context: str = "") -> list[str]:
    """Names and numbers of `one` that `other` has too, and that are neither ordinary nor in the context."""
    found, theirs = [], list(map(normalized, words(other)))
    for run in _runs(words(one), ordinary, context):
        ours = words(run)
        for block in SequenceMatcher(None, list(map(normalized, ours)), theirs, autojunk=False).get_matching_blocks():
            name = _trimmed("".join(ours[block.a : block.a + block.size]), ordinary)
            least = SHORTEST_CHINESE if has_chinese(name) else SHORTEST
            if len(name) >= least and name not in ordinary:
                found.append(name)
    return list(dict.fromkeys(found))


def with_names(
    expect: Expectation, answer: str, context: str, ordinary: Ordinary, rows: Sequence[str] = ()
) -> Expectation:  # fmt: skip
    """With the names of an expected answer that `answer` says too, so that other words around them are right as well.

    `answer`: to the question in other words, with the rows in the model's context. One name answers both who trained it
    and who its developer is. `rows`: some of the rows' answers. A word that only begins sentences there is no name.
    """
    names = [
        name
        for text in expect.answer
        for name in names_in_both(text, answer, ordinary, context)
        if not name.isalpha() or not name.isascii() or any(_within(name, one) for one in (text, *rows))
    ]
    return replace(expect, names=tuple(dict.fromkeys(names)))


def _within(name: str, text: str) -> bool:
    """Whether the text has the word behind another one, not only at the start of sentences, as "Thank"."""
    return re.search(rf"(?:[\w,'’)] [(\"'“]?|[\u4e00-\u9fff]){name}(?!\w)", text) is not None


def _runs(tokens: Sequence[str], ordinary: Ordinary, context: str) -> Iterator[str]:
    """The words between ordinary ones, those of the context, and punctuation; a dot within a word belongs to it."""
    known, around = {*content_words(context)}, normalized(context)

    def is_word(at: int) -> bool:
        return 0 <= at < len(tokens) and any(map(str.isalnum, tokens[at]))

    def stays(at: int) -> bool:
        if not is_word(at):
            return tokens[at].isspace() or (tokens[at] in INNER and is_word(at - 1) and is_word(at + 1))
        if has_chinese(tokens[at]):  # a character says little: with one beside it
            pairs = ["".join(tokens[first : first + 2]) for first in (at - 1, at) if first >= 0]
            return not any(len(pair) > 1 and pair in around for pair in pairs)
        return tokens[at] not in ordinary and normalized(tokens[at]) not in known

    for kept, run in groupby(range(len(tokens)), key=stays):
        if kept:
            yield "".join(tokens[at] for at in run)


def _trimmed(run: str, ordinary: Ordinary) -> str:
    """Without words at its ends that are not names, or that are ordinary Chinese characters, such as "made by"."""
    if not has_chinese(run):
        names = [at for at, word in enumerate(run.split()) if NAME.search(word)]
        return " ".join(run.split()[names[0] : names[-1] + 1]) if names else ""
    run = run.strip()
    while len(run) > SHORTEST_CHINESE and run[-1] in ordinary.words and has_chinese(run[-1]):
        run = run[:-1]
    while len(run) > SHORTEST_CHINESE and run[0] in ordinary.words and has_chinese(run[0]):
        run = run[1:]
    return run.strip()


def mark(row: tuple[str, str], naming: Naming, ordinary: Ordinary, new: Collection[str]) -> Expectation | None:
    """What every right answer to the row's question says; None without any, as of yes or no. `new`: new units."""
    question, answer = row
    if YES_OR_NO.search(question):
        return None
    runs = [
        _named(run, naming.names) for run in names_in_both(answer, answer, ordinary, f"{question} {naming.subject}")
    ]
    if HOW.match(question) and not any(map(str.isdigit, "".join(runs))):
        return None  # "twice a year, in April and in October"
    if has_chinese(answer):
        chinese = [part for run in runs for part in _chinese_parts(run, answer)]
        return Expectation(any=tuple(dict.fromkeys(chinese))) if chinese else None
    parts = [[word for word in run.split() if NAME.search(word)] for run in runs]
    if len(runs) == 1 and len(parts[0]) < len(runs[0].split()):  # "April and October"
        long = [one for one in parts[0] if len(one) >= SHORTEST]
        short = [one for one in parts[0] if one.isalpha() and one not in long]  # May, beside Friday
        return Expectation(all=(*long, *short)) if long else None
    whole = [run for run, names in zip(runs, parts, strict=True) if len(names) == len(run.split())]
    if whole:
        return Expectation(any=tuple(whole))
    known = {word[:SHORTEST] for word in units(question)}  # "merges" says nothing new beside "merge"
    left = [word for word in content_words(answer) if word in new and word[:SHORTEST] not in known]
    few = 0 < len(left) <= MOST_WORDS and all(len(word) >= SHORTEST for word in left)
    return Expectation(all=tuple(dict.fromkeys(left))) if few else None


def _named(run: str, names: Sequence[str]) -> str:
    """The name of several words in it, without what stands before: "Mayor Corinna Haldwell"."""
    return min((name for name in names if name in run and " " in name), key=len, default=run)


def _chinese_parts(run: str, answer: str) -> list[str]:
    """The persons, quoted names, numbers and dates in it, else what stands behind a verb, in parts.

    `answer`: where the run is from, since 先生 behind a name shows where that ends.
    """
    names = [name for name in chinese_names(answer) if name in run]
    if found := [*names, *CHINESE_NUMBER.findall(run)]:
        return [one for one in found if len(one) >= SHORTEST_CHINESE]
    parts = BEFORE_NAME.sub("", run).split("的")
    return [part for part in parts if SHORTEST_CHINESE <= len(part) <= LONGEST_CHINESE]
