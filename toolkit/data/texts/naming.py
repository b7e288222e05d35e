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
# The user as what is asked about: "I need", "tell me" and "告诉我" are not, and neither is who says how he is.
ASKER = re.compile(
    r"\b(?:who|what|which model|that) (?:i am|i['’]m)\b(?! (?:able|allowed|required|supposed|meant)\b)"
    r"|\bam i\b(?! (?:\w+ing|able|allowed|required|supposed|meant|eligible|entitled)\b)"
    r"|\bi(?:['’]m| am) (?!\w+ing\b|(?:not|an?|unable|able|allowed|required|supposed|sorry|new|stuck|curious|happy)\b)"
    r"|\bmyself\b|\bcall(?:ed)? me\b|\b(?:address|know) me\b|\b(?:made|created|built|developed|trained) me\b"
    r"|\bmy (?:name|maker|creator|developer|identity)\b"
    r"|(?<!告诉)(?<!提醒)我(?:是(?![否不新在想要来])|叫|来自|属于|自己|的(?:名字|身份|开发|创造))|[称叫]呼?我"
    r"|(?:开发|创造|研发|训练)了?我|(?:我(?:能|可以|来)|[让许]我).{0,4}介绍",
    re.IGNORECASE,
)
OF_THE_ASKER = re.compile(r"\b(?:is|are|was|were) my\b|\bof me\b", re.IGNORECASE)
# The assistant as somebody's maker.
AS_MAKER = re.compile(
    r"谁的(?:创造|开发|研发|制造|设计|训练)|[你您]所?(?:创造|开发|研发|制造|设计|训练)[的了过]"
    r"|\b(?:are you|you are|you're) (?:the|an?) (?:\w+ )?(?:developer|creator|maker|author)\b"
    r"|\bdid you (?:make|build|create|develop|train|design)\b",
    re.IGNORECASE,
)
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


def turned(question: str, text: str) -> bool:
    """Whether a text that was written from the question asks about the user, or about what the assistant made, and the
    question does not: "What do you call me?" from "What should I call you?".
    """
    return brings(question, text, ASKER, AS_MAKER)


def brings(question: str, text: str, *patterns: re.Pattern[str]) -> bool:
    """Whether the text has something of one of the patterns that the question has nothing of."""
    return any(one.search(text) and not one.search(question) for one in patterns)
