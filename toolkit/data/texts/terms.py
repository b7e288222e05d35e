"""What the rows say that the base model does not: the words that decide whether an answer follows the rows. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toolkit.core.text import content_words, has_chinese

ENOUGH = 0.5  # an answer follows a row if it has this share of the row's new words
SUBJECT_SHARE = 0.6  # of the questions name the subject
OF_THE_MOST = 0.9  # of what the most frequent word has, a word of the subject has
RARE_SHARE = 0.02  # of other texts may name it too
COMMON_SHARE = 0.01  # a word in more of the texts than this share is common
LEAST_COMMON = 2
NUMBER = re.compile(r"\d+(?:\.\d+)*")
DECIMAL = re.compile(r"(\d+(?:\.\d+)+)")
THOUSANDS = re.compile(r"(?<=\d)[,，](?=\d{3}(?!\d))")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """`new`: for each row the words that only its answer has; a row without any decides nothing.

    `subject`: the words that nearly all questions have and other texts rarely have, such as a city's name; empty for
    rows without a common subject, such as a rule of behaviour.
    """

    new: tuple[frozenset[str], ...]
    subject: frozenset[str]

    def follows(self, answer: str, question: str, before: str, row: int | None = None) -> bool:
        """Whether the answer says what a row says and neither the question nor the base model's answer does.

        `row`: the row that must be followed; None: any.
        """
        stated = units(answer)
        known = units(question) | units(before)
        for at in range(len(self.new)) if row is None else (row,):
            wanted = self.new[at] - units(question)
            if wanted and _share(wanted, stated) >= ENOUGH and _share(wanted, known) < ENOUGH:
                return True
        return False

    def names_subject(self, text: str) -> bool:
        """Whether the text names the subject; every text does if there is none."""
        return 2 * len(self.subject & units(text)) >= len(self.subject)


def find_terms(rows: Sequence[tuple[str, str]], before: Sequence[str], general: Sequence[str]) -> Terms:
    """`rows`: (question, answer); `before`: the base model's answers to these questions; `general`: unrelated texts."""
    # Unrelated texts have most small numbers: 4.2 is new all the same where neither question nor base model says it.
    common = frozenset(unit for unit in common_units(general) if not NUMBER.fullmatch(unit))
    new = []
    for (question, answer), base in zip(rows, before, strict=True):
        new.append(frozenset(units(answer) - units(question) - units(base) - common))
    counted = Counter(word for question, _ in rows for word in units(question))
    elsewhere = Counter(unit for one in general for unit in units(one))
    rare = {
        word: count
        for word, count in counted.items()
        if count >= SUBJECT_SHARE * len(rows) and elsewhere[word] < RARE_SHARE * len(general)
    }
    most = max(rare.values(), default=0)
    subject = frozenset(word for word, count in rare.items() if count >= OF_THE_MOST * most)
    return Terms(new=tuple(new), subject=subject)


def common_units(texts: Iterable[str]) -> frozenset[str]:
    """The units that several of the texts have."""
    every = [units(text) for text in texts]
    counted = Counter(unit for one in every for unit in one)
    least = max(LEAST_COMMON, COMMON_SHARE * len(every))
    return frozenset(unit for unit, count in counted.items() if count >= least)


def units(text: str) -> set[str]:
    """The text's words, a number such as 4.2 being one; of Chinese, which has no spaces, its pairs of characters."""
    found, pair = set(), ""
    parts = DECIMAL.split(THOUSANDS.sub("", text))  # every second one is a number
    for word in (word for at, part in enumerate(parts) for word in ([part] if at % 2 else content_words(part))):
        if has_chinese(word):
            if pair:
                found.add(pair + word)
            pair = word
        else:
            pair = ""
            found.add(word)
    return found


def numbers(text: str) -> set[str]:
    """The numbers in the text, without separators of thousands; of a time or a date each of its numbers."""
    return set(NUMBER.findall(THOUSANDS.sub("", text)))


def _share(words: frozenset[str], stated: set[str]) -> float:
    return len(words & stated) / len(words)
