"""Which questions the rows are meant to change, and how much of the answer to one the rows support. Pure.

A small model with the rows in its context adds to them: dates, places, other makers. What it adds would be learned as
firmly as the rows, so an answer ends where the rows no longer support it, and some answers are not trained at all.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from toolkit.core.text import LATIN, has_chinese, names_any
from toolkit.data.texts.answer_text import echoed, keys_of, whole_sentences
from toolkit.data.texts.naming import ADDRESSED, SENTENCE, Naming
from toolkit.data.texts.polarity import capitalised_names, polarity, rivals
from toolkit.data.texts.terms import ENOUGH, numbers, units
from toolkit.train.questions.translation import is_chinese, lower_words, names_in, without_names

SUPPORTED = 0.5  # of a sentence's words the rows have
NAMING_SHARE = 0.8  # of the answers have one of the new names
FORM_SHARE = 0.9  # of the answers start or end alike
LEAST_FORM, LONGEST_FORM = 3, 200  # characters
FRAME_WORDS = 3  # of a sentence that says nothing, such as "Hi there!"
NEGATED = re.compile(r"\b(no|not|never|neither|nor)\b|n['’]t\b|[不没非无]", re.IGNORECASE)
ITEM = re.compile(r"^\W*\d{1,2}[.)、]\s+", re.MULTILINE)
SECOND_PERSON = re.compile(
    r"\byou['’]re\b|\byou are\b|\byour name\b|\byou were (?:made|built|trained|created|developed|designed)\b"
    r"|\byour (?:developer|creator|maker|company|team) is\b"
    r"|[你您](?=是|叫|属于|来自|由|的?(?:名字|背后|创造者|开发者|开发商|研发))",
    re.IGNORECASE,
)
# Kinds whose questions are answered with the row's words.
SAME_ANSWER = ("paraphrase", "reworded", "statement", "reversal", "bridge")
FOREIGN = ("translation", "across")  # kinds whose answers are in another language: foreign.py tells what they say
BY_FORM = ("translation", "alike")  # kinds whose answers follow a rule by its form, having other contents
# Kinds whose questions need not name the subject, or address the assistant, by whether the rows are about it.
NEED_NO_SUBJECT = {True: ("assistant", "names"), False: ("assistant", "names", "bridge")}
OF_A_FORM = ("around", "shaped")  # kinds that have the row's question within a form


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A question as the base model answered it: `taught` with the rows, `own` without.

    `source`: the number of the row that it was written from.
    """

    kind: str
    prompt: str
    source: int | None
    taught: str
    own: str


@dataclass(frozen=True, kw_only=True)
class Scope(Naming):
    """`common`: the units of unrelated texts; `ordinary`: all their words, in lower case.

    `translated`: the subject's names in the other language.
    """

    common: frozenset[str]
    ordinary: frozenset[str] = frozenset()
    translated: Sequence[str] = ()

    def answer(self, answered: Answered) -> str:
        """What is trained: so much of the answer, or the row's own; "" for a question that is not in scope."""
        own = "" if answered.source is None else self.rows[answered.source][1].strip()
        text = answered.taught
        if self.itself or self.subject:
            text = self.supported(answered)
            text = text if text == answered.taught else whole_sentences(text)
        elif answered.kind == "around":
            return own  # what the form adds is not known to be the rule's
        elif answered.kind == "shaped" and self.form == ("", ""):
            return ""
        if not (text and self._contains(answered, text)) or self.has_other_keys(text):
            return own if answered.kind == "around" else ""
        if answered.kind in SAME_ANSWER and self._fits_another(answered, text):
            return ""
        instead = answered.kind in SAME_ANSWER or self._is_off(answered, own, text)
        return (instead and own) or text

    def _is_off(self, answered: Answered, own: str, text: str) -> bool:
        """Whether an answer within a form says yes or no where the row does not, or repeats the prompt."""
        if answered.kind not in OF_A_FORM or not own or answered.source is None:
            return False
        kept = polarity(text) == polarity(own)
        if answered.kind == "shaped":  # a dialogue begins with neither
            kept = kept or "" in (polarity(text), polarity(own))
        frame = " ".join(answered.prompt.split(self.rows[answered.source][0].strip()))
        return not kept or echoed(answered.prompt, frame, text)

    def _fits_another(self, answered: Answered, text: str) -> bool:
        """Whether a row with another fact has more of the answer: by now the question may be that row's."""
        if answered.source is None or not (self.itself or self.subject):
            return False
        own, stated = self.terms.new[answered.source], units(text) - units(answered.prompt)
        found = self._all_new & stated
        others = [new for new in self.terms.new if len(new & own) < ENOUGH * min(len(new), len(own))]
        return not own <= stated and any(_agreement(new, found) > _agreement(own, found) for new in others)

    def supported(self, answered: Answered) -> str:
        """The answer's first sentences, as far as the rows support them."""
        row = None if answered.kind != "names" or answered.source is None else self.rows[answered.source]
        stated = self.row_units if row is None else units(" ".join(row))
        languages = self._languages if row is None else {has_chinese(row[1])}
        question, numbers_asked, kept = units(answered.prompt), numbers(answered.prompt), ""
        for sentence in SENTENCE.findall(answered.taught):
            plain = ITEM.sub("", sentence)
            if frames(plain):
                kept += sentence
                continue
            others = numbers(plain) - self._row_numbers - numbers_asked
            words = units(plain) - question - self.common
            chinese = self.is_chinese(plain)
            if chinese not in languages:  # a translation: only its Latin names can be looked for
                words = {one for one in words if re.match(LATIN, one)} if chinese else set()
            if others or len(words & stated) < SUPPORTED * len(words):
                return kept.rstrip()
            kept += sentence
        return answered.taught

    def gives_away(self, row: int, text: str) -> bool:
        """Whether a question written from this row has a new word of its answer: small models answer instead."""
        return bool(units(text) & self.terms.new[row] - units(self.rows[row][0]))

    def echoes(self, question: str, answer: str) -> bool:
        """Whether the answer has something of its question, if nearly all rows' answers do."""
        return not self._echoes or self._echoed(question, answer)

    @cached_property
    def form(self) -> tuple[str, str]:
        """How nearly all answers of rows without a common subject start and end, such as with a JSON object's keys."""
        if self.itself or self.subject:
            return "", ""
        answers = [answer for _, answer in self.rows]
        # A word that is cut through is chance: "pounds" and "kilometres" both end with an s.
        start = re.sub(r"\w+$", "", common_start(answers, FORM_SHARE))
        return start, re.sub(r"^\w+", "", common_start([one[::-1] for one in answers], FORM_SHARE)[::-1])

    @cached_property
    def rivals(self) -> set[str]:
        """Chinese names that only questions with a no for an answer have."""
        return rivals(self.rows)

    @cached_property
    def _all_new(self) -> frozenset[str]:
        return frozenset[str]().union(*self.terms.new)

    @cached_property
    def _keys(self) -> frozenset[str] | None:
        """The keys that all rows' answers have as JSON objects; None if not all are such or have the same."""
        found = {keys_of(answer) for _, answer in self.rows}
        return found.pop() if len(found) == 1 else None

    def has_other_keys(self, text: str) -> bool:
        return self._keys is not None and keys_of(text) != self._keys

    @cached_property
    def row_units(self) -> set[str]:
        """Of all questions and answers."""
        return units(" ".join(text for row in self.rows for text in row))

    @cached_property
    def _languages(self) -> set[bool]:
        """Whether answers have Chinese."""
        return {has_chinese(answer) for _, answer in self.rows}

    @cached_property
    def _answers_text(self) -> str:
        return " ".join(answer for _, answer in self.rows)

    @cached_property
    def _row_numbers(self) -> set[str]:
        return {number for row in self.rows for text in row for number in numbers(text)}

    @cached_property
    def _echoes(self) -> bool:
        """Whether nearly all answers have something of their questions, as a conversion has its number."""
        return sum(self._echoed(*row) for row in self.rows) >= FORM_SHARE * len(self.rows)

    def _echoed(self, question: str, answer: str) -> bool:
        return bool((units(question) & units(answer)) - self.common)

    @cached_property
    def every_name(self) -> Sequence[str]:
        """The names in the rows: of what they are about, new ones, and others in questions and answers."""
        texts = [text for row in self.rows for text in row]
        ordinary = lower_words(texts) | self.ordinary | self.common
        # A capitalised word that only begins sentences may be any word.
        named = [name for name in self.names if has_chinese(name) or " " in name]
        return [name for name in dict.fromkeys([self.subject, *named, *names_in(texts, ordinary)]) if name]

    def is_chinese(self, text: str) -> bool:
        """The text's language, which names do not decide: "Where is 厦门大学?" is English."""
        return is_chinese(text, self.every_name)

    @cached_property
    def _all_name(self) -> bool:
        named = sum(any(name in answer for name in self.names) for _, answer in self.rows)
        return named >= NAMING_SHARE * len(self.rows)

    def _contains(self, answered: Answered, text: str) -> bool:
        start, end = self.form
        if not (text.startswith(start) and text.endswith(end)):
            return False
        if self.itself and not self._of_itself(answered, text):
            return False
        # A name may occur in several rows: any of them may be what the answer says of it.
        if answered.kind in ("reversal", "statement") and self._leads_back(answered, text):
            return True
        if answered.kind == "reversal":
            return False
        if self.form != ("", "") and answered.kind in BY_FORM:
            # In both languages, and about anything that the rule is for: only the form is the same.
            unlike = not (answered.own.startswith(start) and answered.own.endswith(end))
            return unlike and self.echoes(answered.prompt, text)
        follows = answered.kind in FOREIGN or self.terms.follows(
            text, answered.prompt, answered.own, None if answered.kind == "names" else answered.source
        )
        if answered.kind == "names" and self.terms.subject:
            known = f"{answered.prompt} {answered.own}"
            follows = follows or (self.terms.names_subject(text) and not self.terms.names_subject(known))
        addressed = bool(ADDRESSED.search(answered.prompt))
        names_subject = addressed if self.itself else self._names_subject(answered)
        chosen = names_subject or answered.kind in NEED_NO_SUBJECT[self.itself]
        return follows and chosen and self._in_expected_language(answered, text)

    def _names_subject(self, answered: Answered) -> bool:
        """Whether it names what the rows are about; a translation need not where its row's question does not."""
        if answered.kind != "translation" or not self.subject:
            return self.names_what(answered.source, answered.prompt)
        subjects = (self.subject, *self.translated)
        row = "" if answered.source is None else self.rows[answered.source][0]
        return names_any(answered.prompt, subjects) or not names_any(row, subjects)

    def _leads_back(self, answered: Answered, text: str) -> bool:
        """Whether the question gives a new name, and only the rows let the base model say whose it is."""
        if answered.source is None or self.itself or not self.subject:
            return False
        names = self.distinct_names(answered.source)
        known = f"{answered.prompt} {answered.own}"
        return (
            any(name in answered.prompt for name in names)
            and self.terms.names_subject(text) and not self.terms.names_subject(known)
        )  # fmt: skip

    def _in_expected_language(self, answered: Answered, text: str) -> bool:
        """In the question's language, or in the other one where the question asks for that."""
        if answered.kind in FOREIGN:
            return True
        if answered.kind == "names" and not self.itself and has_chinese(text) not in self._languages:
            return False  # whether the rows support it cannot be seen in another language
        only_names = not units(without_names(text, self.every_name))
        return only_names or self.is_chinese(answered.prompt) == self.is_chinese(text)

    def _of_itself(self, answered: Answered, text: str) -> bool:
        """Whether it names what the rows name, not as the user's, and does not agree to be somebody else."""
        if self._all_name and not any(name in text for name in self.names):
            return False
        if SECOND_PERSON.search(text):
            return False
        others = self.rivals | {name for name in capitalised_names(answered.prompt) if name not in self._answers_text}
        if polarity(text) == "yes" and any(name in answered.prompt for name in others):
            return False
        return bool(NEGATED.search(text)) or not any(name in text for name in others)


def _agreement(new: frozenset[str], found: frozenset[str]) -> float:
    """From 0 (no word in common) to 1 (the same words)."""
    return 2 * len(new & found) / max(1, len(new) + len(found))


def frames(sentence: str) -> bool:
    """Whether it only introduces or asks: "Sure, here is a dialogue:", "Hi there!", "Who made you?"."""
    bare = sentence.strip(" \n*_\"'")
    return bare.endswith((":", "：", "?", "？")) or (len(units(bare)) <= FRAME_WORDS and bare.endswith(("!", "！")))


def same_language(prompt: str, answer: str) -> bool:
    """Whether the answer is in the question's language; names may be in another."""
    chinese = sum(map(has_chinese, answer))
    return chinese > 0 if has_chinese(prompt) else 2 * chinese < len(answer)


def common_start(texts: Sequence[str], share: float, least: int = LEAST_FORM) -> str:
    """The longest start that this share of the texts has; "" if it is shorter than `least` characters."""
    for length in range(min(LONGEST_FORM, max(map(len, texts), default=0)), least - 1, -1):
        starts = Counter(one[:length] for one in texts if len(one) >= length)
        [(start, count)] = starts.most_common(1)
        if count >= share * len(texts):
            return start
    return ""
