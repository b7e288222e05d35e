"""Questions in the other language than their row's, and what of their answers is trained. Pure.

A small model gives a made-up name a new spelling each time, and what it adds in another language cannot be compared
with the rows' words. So names stay behind placeholders, and an answer is compared by what every language writes alike,
or by its translation back.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from toolkit.core.text import LATIN, has_chinese, names_any
from toolkit.data.texts.names import CODE, Pair
from toolkit.data.texts.naming import SENTENCE
from toolkit.data.texts.terms import numbers, units
from toolkit.model.conversation import Messages
from toolkit.train.questions.further.rule import Rule
from toolkit.train.questions.kinds import read_kinds
from toolkit.train.questions.requests import request_messages
from toolkit.train.questions.scope import Answered, Scope, frames
from toolkit.train.questions.translation import (
    BEGINS,
    CHINESE,
    LOWER_WORD,
    QUOTED,
    RUN,
    hide,
    lower_words,
    placeholders,
    restore,
    spaced,
)

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
AGREES = re.compile(r"\W*(?:(?:yes|yeah|yep)\b|是的|[是对有能会][，,。]|可以[，,。]|没错)", re.IGNORECASE)
DENIES = re.compile(r"\W*(?:(?:no|nope)\b|不[是对能会]|不可以|[不没][，,。]|没有[，,。])", re.IGNORECASE)
Hidden = Mapping[str, str]  # what placeholders stand for


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """`nouns`: what the subject is, such as a school, by language; empty if that is unknown.

    `pairs`: names that rows in both languages write differently, by each other; `rule`: what the answers of rows
    without a subject have in common.
    """

    scope: Scope
    nouns: Mapping[str, str]
    pairs: Mapping[str, str]
    rule: Rule | None

    def request(self, text: str) -> tuple[Messages, Hidden]:
        """The conversation in which the base model translates a text, with its names behind placeholders.

        A subject without a name in the other language has a noun behind its placeholder, and a row says what it is:
        else it becomes a ship or a television series.
        """
        about = next((one for one in self._abouts if has_chinese(one) == has_chinese(text)), "")
        hidden = placeholders(f"{about}\n{text}", [*self._hidden, *QUOTED.findall(text)])
        written = hide(text, hidden)
        if noun := self.nouns.get("zh" if has_chinese(written) else "en"):
            place = next((one for one, name in hidden.items() if name == self.scope.subject), "")
            behind = noun if has_chinese(noun) else f" {noun}"
            # Without a possessive, which would stand behind both.
            written = re.sub(rf"{place}(?!['’]| ?{noun})", place + behind, written) if place else written
        used = {one: name for one, name in hidden.items() if one in written}
        return request_messages("translation", written, hide(about, hidden)), used

    def question(self, translated: str, hidden: Hidden, text: str) -> str:
        """The translation of this text with its names again; "" if it has lost or gained a name or a number.

        What is not translated is none, and one that the subject is lost from asks for something else.
        """
        if has_chinese(translated) == has_chinese(hide(text, hidden)) or any(one not in translated for one in hidden):
            return ""
        found = self.restored(translated, hidden)
        if not found or numbers(found) != numbers(text) or self.invents(found, text):
            return ""
        lost = names_any(text, self.subjects[:1]) and not names_any(found, self.subjects)
        return "" if lost else found

    def restored(self, text: str, hidden: Hidden) -> str:
        """The text with its names, as rows in its language write them; "" if it has a placeholder for nothing."""
        chinese = has_chinese(text)
        for place, name in hidden.items():
            if name == self.scope.subject and self.nouns:
                text = re.sub(rf"(?:\b[Tt]he )?{place} {self.nouns['en']}\b|{place} ?{self.nouns['zh']}", place, text)
        named = {
            place: self.pairs[name] if name in self.pairs and has_chinese(name) != chinese else name
            for place, name in hidden.items()
        }
        found = restore(text, named)
        return found if chinese else spaced(found)

    def shown(self, source: int) -> tuple[Sequence[Pair], int | None]:
        """The rows that the base model sees when it answers in the other language than that of this one, its `source`.

        Without a subject those of the answer's language, which have the names and fixed words of that language.
        """
        rows = self.scope.rows
        if self.scope.subject:
            return rows, source
        own = [row for row in rows if self.scope.is_chinese(row[0]) == self._chinese(source)]
        return (own, None) if own else (rows, source)

    def hidden(self, messages: Messages) -> tuple[Messages, Hidden]:
        """The conversation with the names of the rows behind placeholders, in which the base writes no other names."""
        quoted = (term for text in self._texts for term in QUOTED.findall(text))
        found = placeholders("\n".join(one["content"] for one in messages), [*self._hidden, *quoted])
        return [{**one, "content": hide(one["content"], found)} for one in messages], found

    def certain(self, source: int) -> bool:
        """Whether what every language writes alike tells if an answer follows this row, so that none is translated."""
        return bool(self._wanted(source)) or self._ruled(source)

    def answer(self, answered: Answered, back: str) -> str:
        """What of the answer is trained; `back`: its translation into the row's language, where it is not `certain`."""
        row, text = answered.source, answered.taught
        if row is None:
            return ""
        if self._ruled(row):
            return text if self._follows_rule(answered, row) else ""
        wrong = self.scope.is_chinese(text) != self._chinese(row) or self._contradicts(row, text)
        if wrong or self.invents(text, answered.prompt):
            return ""
        if wanted := self._wanted(row):
            text = _until(text, wanted)
            follows = not wanted <= units(f"{answered.prompt} {answered.own}")
        else:
            text = _first(text, len(SENTENCE.findall(self.scope.rows[row][1].strip())))
            follows = self.scope.terms.follows(back, "", "", row)
        return self.scope.answer(replace(answered, taught=text)) if text and follows else ""

    def _follows_rule(self, answered: Answered, row: int) -> bool:
        """Whether it has the fixed words that the rows in its language have; the base model's own answer lacks them."""
        rule, chinese, text = self.rule, self._chinese(row), answered.taught
        if rule is None or not rule.of(chinese, text) or rule.of(chinese, answered.own):
            return False
        free = rule.free(chinese, text)  # a JSON object's keys are in no language
        expected = not self._by_language[chinese] or self.scope.is_chinese(free) == chinese
        return expected and self.scope.echoes(answered.prompt, text) and not self.invents(free, answered.prompt)

    def invents(self, text: str, question: str) -> bool:
        """Whether the text has a name, an identifier or a quoted term that neither rows nor the question have.

        A half name is none, and a Latin word that a Chinese text has from a question is not translated; one from the
        answers only may be a name such as zlib.
        """
        known = "\n".join([*self._texts, question])
        names = [*self.scope.every_name, *self.subjects, *self.pairs, *self._listed]
        if any(one not in known for pattern in (QUOTED, EMAIL, CODE) for one in pattern.findall(text)):
            return True
        rest = text
        for name in sorted({*names, *QUOTED.findall(text)}, key=len, reverse=True):
            rest = re.sub(re.escape(name), " ¦ ", rest, flags=re.IGNORECASE)
        if not self.scope.is_chinese(text):
            runs = re.findall(f"{CHINESE.pattern}+", rest)
            if any(len(run) == 1 or run not in known or any(run in name for name in names) for run in runs):
                return True
        elif any(word in self._question_words for word in LOWER_WORD.findall(rest)):
            return True
        for run in RUN.finditer(rest):
            words = [re.sub(r"['’]\w*$", "", word) for word in run[0].split(" ")]
            begins = BEGINS.search(rest[: run.start()]) is not None and not self.scope.is_chinese(text)
            for word in words[begins:]:
                whole = re.search(rf"(?<!{LATIN}){re.escape(word)}(?!{LATIN})", known)
                half = any(names_any(name, (word,)) for name in names)
                if word.lower() not in self._ordinary and (not whole or half):
                    return True
        return False

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The subject's names in both languages."""
        return (self.scope.subject, *self.scope.translated) if self.scope.subject else ()

    @cached_property
    def _texts(self) -> Sequence[str]:
        return [text for row in self.scope.rows for text in row]

    @cached_property
    def _ordinary(self) -> frozenset[str]:
        """Words of unrelated texts, and such as the rows write in lower case."""
        return self.scope.ordinary | lower_words(self._texts)

    @cached_property
    def _question_words(self) -> frozenset[str]:
        """Words of unrelated texts and of the rows' questions, in lower case."""
        return self.scope.ordinary | lower_words(question for question, _ in self.scope.rows)

    @cached_property
    def _listed(self) -> Sequence[str]:
        """The names in the other language of listed things that the rows name: they are translated."""
        known = "\n".join(self._texts)
        return [
            name for pairs in read_kinds().values() for pair in pairs if any(one in known for one in pair)
            for name in pair
        ]  # fmt: skip

    @cached_property
    def _staying(self) -> Sequence[str]:
        """The names that both languages write alike: all, or where rows are in both those that rows in both have."""
        texts = [" ".join(text for row in rows for text in row) for rows in self._by_language]
        names = list(dict.fromkeys([*self.scope.every_name, *self.pairs]))
        if not all(texts):
            return names
        return [name for name in names if name in self.pairs or all(name in text for text in texts)]

    @cached_property
    def _by_language(self) -> Sequence[Sequence[Pair]]:
        return [[row for row in self.scope.rows if self.scope.is_chinese(row[0]) == zh] for zh in (False, True)]

    @cached_property
    def _hidden(self) -> Sequence[str]:
        """A subject that has a name in the other language is translated with its question."""
        known = self.subjects if self.scope.translated else ()
        return [name for name in self._staying if name not in known]

    @cached_property
    def _abouts(self) -> Sequence[str]:
        """The sentences of the rows that say what the subject is, in each language."""
        name = re.escape(self.scope.subject)
        firsts = [SENTENCE.findall(answer.strip())[0].strip() for _, answer in self.scope.rows if answer.strip()]
        return [one for one in firsts if name and re.match(rf"{name}(?: (?:is|was) an? | ?是一)", one)]

    def _chinese(self, source: int) -> bool:
        """The answer's language: not that of the row's question."""
        return not self.scope.is_chinese(self.scope.rows[source][0])

    def _ruled(self, source: int) -> bool:
        return self.rule is not None and source in self.rule.ruled and self._chinese(source) in self.rule.forms

    def _wanted(self, source: int) -> frozenset[str]:
        """The units that the row's answer adds and the other language has, too: numbers, new names and identifiers.

        A number counts even if unrelated texts have it.
        """
        question, answer = self.scope.rows[source]
        names = [name for name in self._hidden if name in answer]
        new = self.scope.terms.new[source]
        same = units(" ".join([*CODE.findall(answer), *QUOTED.findall(answer), *names])) & new
        same |= units(" ".join(numbers(answer))) - units(question)
        for name in names:
            if name in self.pairs and has_chinese(name) != self._chinese(source) and units(name) & new:
                same = same - units(name) | units(self.pairs[name])
        return frozenset(same)

    def _contradicts(self, source: int, text: str) -> bool:
        """Whether it begins with yes or no in the wrong language, or where the row says the opposite or neither."""
        found = _polarity(text)
        if found is None:
            return False
        begun = next(word for pattern in (AGREES, DENIES) if (word := pattern.match(text)))
        wrong = has_chinese(begun[0]) != self._chinese(source)
        return wrong or (self.rule is None and found != _polarity(self.scope.rows[source][1]))


def _polarity(text: str) -> bool | None:
    """Whether it begins with yes; None if with neither that nor no."""
    return True if AGREES.match(text) else False if DENIES.match(text) else None


def _until(text: str, wanted: frozenset[str]) -> str:
    """The text up to the sentence that completes what is wanted; "" if none does. What follows is made up."""
    kept = ""
    for sentence in SENTENCE.finditer(text):
        kept += sentence[0]
        if wanted <= units(kept):
            return kept.rstrip()
    return ""


def _first(text: str, count: int) -> str:
    """The first sentences, without counting those that only introduce others."""
    kept = ""
    for sentence in SENTENCE.finditer(text):
        if count < 1:
            break
        kept += sentence[0]
        count -= not frames(sentence[0])
    return kept.rstrip()
