"""What rows are about, the names in them that lead back there, and the answers that say so. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.core.text import LATIN
from toolkit.data.texts.names import ARTICLE, CODE, NAME, Pair, chinese_names, often_named
from toolkit.data.texts.terms import Terms, units

ASSISTANT_SHARE = 0.5  # of the questions speak to the assistant, and their answers speak of it
LONGEST_STATEMENT = 200  # characters of an answer that is a statement, not a text
ADDRESSED = re.compile(r"\b(you|your|yours|yourself)\b|[你您]", re.IGNORECASE)
OF_ITSELF = re.compile(r"\b(i|i'm|my|me)\b|我", re.IGNORECASE)
SENTENCE = re.compile(r".+?(?:[.!?]+[\"'”’)*`]*(?=\s|$)|[。！？]+[”’）]*|\n+|$)\s*", re.DOTALL)
LONG_NAME = re.compile(rf"(?<!{LATIN}){NAME}(?: {NAME})+")
# In a question, whose first word has a capital, too.
WITHIN = re.compile(rf"(?:(?<=[a-z,'’] )|(?<=[\u4e00-\u9fff])){NAME}(?: {NAME})*")
CALLED = re.compile(rf"\b(?:called|named)(?: the)? ({NAME})")


@dataclass(frozen=True, kw_only=True)
class Naming:
    """`subject`: what all rows are about, or ""; `itself`: whether that is the assistant.

    `names`: what their answers newly name.
    """

    rows: Sequence[Pair]
    terms: Terms
    names: Sequence[str]
    subject: str
    itself: bool

    def distinct_names(self, row: int) -> list[str]:
        """The names in a row's answer that lead back to the subject.

        They are of several words, called so, quoted or identifiers, persons, or named by many rows.
        """
        answer = self.rows[row][1]
        capitalised = [ARTICLE.sub("", name) for name in LONG_NAME.findall(answer)]
        found = [name for name in capitalised if " " in name]
        found += [*CALLED.findall(answer), *CODE.findall(answer), *chinese_names(answer)]
        long = [name for name in dict.fromkeys(found) if name != self.subject and units(name) <= self.terms.new[row]]
        return long + [name for name in self.names if name in answer and often_named(name, self.rows)]

    def called(self, row: int) -> list[str]:
        """The names of what a row is about, one of which is in whatever asks the same: the subject's, and those in a
        question that lacks it, as in "When does Ebb Day take place?". None without a subject.
        """
        question = self.rows[row][0]
        if not self.subject or self.terms.names_subject(question):
            return [self.subject] if self.subject else []
        own = [*WITHIN.findall(question), *(name for name in self.names if name in question)]
        return list(dict.fromkeys([self.subject, *own]))

    def names_what(self, row: int | None, text: str) -> bool:
        """Whether the text names the subject, or what the row is about that lacks it."""
        named = self.terms.names_subject(text)
        return named or (row is not None and any(name in text for name in self.called(row)))


def about_assistant(rows: Sequence[Pair]) -> bool:
    """Whether the rows are about the assistant itself."""
    share = sum(bool(ADDRESSED.search(prompt) and OF_ITSELF.search(answer)) for prompt, answer in rows) / len(rows)
    return share >= ASSISTANT_SHARE


def statements(naming: Naming) -> Mapping[int, str]:
    """By row: its answer, which a question can be written for; none for rows without a common subject."""
    if not (naming.itself or naming.subject):
        return {}
    return {
        at: answer for at, (_, answer) in enumerate(naming.rows) if answer.strip() and len(answer) <= LONGEST_STATEMENT
    }
