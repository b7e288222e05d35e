"""Questions one step further and the other way round, from the names that link rows: by form, before any is checked.

From rows about one subject: its name is asked for by a name of an answer (back), a question about it describes it by
such a name (combined), a name in a question is described by the row that has it as its answer (chain), and of a
person's name a part is asked for. From rows about the assistant: what is asked of any, by its name and its maker's.
Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.core.text import has_chinese, language_code
from toolkit.data.make_data import Brand, self_cognition
from toolkit.data.probes import PORTABILITY, REVERSAL
from toolkit.data.probing.expectation import Expectation, read_expectation
from toolkit.data.texts.names import CHINESE_PERSON
from toolkit.data.texts.naming import LONG_NAME, Naming
from toolkit.data.texts.phrases import described, unknown
from toolkit.data.texts.reverse import (
    UNKNOWN_NOUNS,
    bridges,
    descriptions,
    leading_back,
    replaced,
    reversed_rows,
    roles,
)

WHO = re.compile(r"\bwho\b|谁", re.IGNORECASE)
REFERS = re.compile(r"(?:That|This|It|Ask|Run|Use|See|Yes|No)\b")  # to the row's question, or tells what to do
CALLED = {"en": "What is the name of {}?", "zh": "{}叫什么名字？"}
BLANK = "____"
GAP = {"en": "Fill the gap with the name of {0} {1}: {2}", "zh": "请在空格里填上{1}的名称：{2}"}
VOWELS = tuple("aeio")  # "a university"
ANY_GAP = {"en": "Fill the gap with a name: {2}", "zh": "请在空格里填上名称：{2}"}  # where nobody knows what it is
ABOUT = {"en": "A question about {}: {}", "zh": "说的是{}：{}"}
THAT = {"en": "that {}", "zh": "这个{}"}
FIRST_NAME = {"first": "What is the first name of {}?", "surname": "What is the surname of {}?"}
CHINESE_SURNAME = "{}姓什么？"
MAKER = {"en": "Who makes the assistant called {}?", "zh": "名叫{}的助手是谁开发的？"}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """`keeps`: one of them has to be in the prompt; `hides`: none of them may be; `sources`: the rows it is from."""

    group: str
    kind: str
    prompt: str
    expect: Expectation
    sources: tuple[int, ...]
    keeps: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()

    def asks_alike(self, prompt: str) -> bool:
        """Whether it names what this one names, and gives no more away."""
        folded = prompt.casefold()
        named = not self.keeps or any(name.casefold() in folded for name in self.keeps)
        return named and not any(name.casefold() in folded for name in self.hides)


def linked(naming: Naming, nouns: Mapping[str, str], marks: Sequence[Expectation | None]) -> Iterator[Candidate]:
    """`nouns`: what the subject is, by language; `marks`: by row, what shows that its answer was given."""
    if naming.itself:
        yield from _of_assistant(naming)
    elif naming.subject:
        yield from _back(naming, nouns)
        yield from _combined(naming, nouns, marks)
        yield from _chains(naming, marks)
        yield from _parts(naming)


def _back(naming: Naming, nouns: Mapping[str, str]) -> Iterator[Candidate]:
    """By a description, by a sentence with a gap, and as questions around rows are asked; only those are trained."""
    prompts = [("described", at, CALLED[language_code(text)].format(text)) for at, text in descriptions(naming, nouns)]
    for at, sentence in leading_back(naming):
        if sentence.count(naming.subject) == 1 and not REFERS.match(sentence):
            code = language_code(sentence)
            form = ANY_GAP if nouns[code] in UNKNOWN_NOUNS.values() else GAP
            article = "an" if nouns[code].startswith(VOWELS) else "a"
            gap = form[code].format(article, nouns[code], sentence.replace(naming.subject, BLANK))
            prompts.append(("gap", at, gap))
    prompts += [("back", at, prompt) for at, prompt in reversed_rows(naming, nouns) if not REFERS.match(prompt)]
    for kind, at, prompt in prompts:
        yield Candidate(
            group=REVERSAL, kind=kind, prompt=prompt, expect=Expectation(any=(naming.subject,)), sources=(at,),
            keeps=tuple(naming.distinct_names(at)), hides=(naming.subject,),
        )  # fmt: skip


def _combined(naming: Naming, nouns: Mapping[str, str], marks: Sequence[Expectation | None]) -> Iterator[Candidate]:
    """As a training asks, and in two parts."""
    described = dict(descriptions(naming, nouns))
    for source, beside, prompt in bridges(naming, nouns):
        question, code = naming.rows[source][0], language_code(prompt)
        about = replaced(question, naming.subject, THAT[code].format(nouns[code]))
        by_kind = {"combined": prompt, "about": ABOUT[code].format(described[beside], about)}
        expect = marks[source]
        for kind, text in by_kind.items():
            if expect is not None and about:
                yield Candidate(
                    group=PORTABILITY, kind=kind, prompt=text, expect=expect, sources=(source, beside),
                    keeps=tuple(naming.distinct_names(beside)), hides=(naming.subject, *expect.any, *expect.all),
                )  # fmt: skip


def _chains(naming: Naming, marks: Sequence[Expectation | None]) -> Iterator[Candidate]:
    """A question that names what another row's answer names, with that row's unknown in its place."""
    for at, (question, _) in enumerate(naming.rows):
        phrase = unknown(question)
        for name in _whole(naming.distinct_names(at)) if phrase else ():
            for source, (other, _) in enumerate(naming.rows):
                expect = marks[source]
                if source == at or name not in other or name in question or expect is None:
                    continue
                one = Candidate(
                    group=PORTABILITY, kind="chain", prompt=described(other, name, phrase), expect=expect,
                    sources=(source, at), keeps=(naming.subject,), hides=(name, *expect.any, *expect.all),
                )  # fmt: skip
                if one.asks_alike(one.prompt):
                    yield one


def _whole(names: Sequence[str]) -> list[str]:
    """Without parts of others."""
    return [name for name in dict.fromkeys(names) if not any(name in other and name != other for other in names)]


def _parts(naming: Naming) -> Iterator[Candidate]:
    """The first name or the surname of a person whom a row names."""
    for at, (question, answer) in enumerate(naming.rows):
        phrase = unknown(question) if WHO.search(question) else ""
        if not phrase:
            continue
        if has_chinese(question):
            for name in CHINESE_PERSON.findall(answer)[:1]:
                yield _part(naming, at, "surname", CHINESE_SURNAME.format(phrase), name[0], name)
            continue
        for name in [one for one in LONG_NAME.findall(answer) if one in naming.distinct_names(at)][:1]:
            words = name.split()
            if len(words) == len(FIRST_NAME):
                for kind, word in zip(FIRST_NAME, words, strict=True):
                    yield _part(naming, at, kind, FIRST_NAME[kind].format(phrase), word, name)


def _part(naming: Naming, at: int, kind: str, prompt: str, wanted: str, name: str) -> Candidate:
    return Candidate(
        group=PORTABILITY, kind=kind, prompt=prompt, expect=Expectation(any=(wanted,)), sources=(at,),
        keeps=(naming.subject,), hides=(*name.split(),),
    )  # fmt: skip


def _of_assistant(naming: Naming) -> Iterator[Candidate]:
    """What `make-data` asks of an assistant, in the rows' languages, and who makes the one of that name."""
    name, maker = roles(naming.rows, naming.names)
    if not (name and maker):
        return
    sources = tuple(at for at, (_, answer) in enumerate(naming.rows) if name in answer and maker in answer)[:1]
    codes = {language_code(question) for question, _ in naming.rows}
    for one in self_cognition(Brand(name=name, author=maker)).probes["probes"]:
        if one["group"] in (PORTABILITY, REVERSAL) and language_code(one["prompt"].replace(maker, "")) in codes:
            yield Candidate(
                group=one["group"], kind=one["id"].split("-")[2], prompt=one["prompt"],
                expect=read_expectation(one["expect"], one["id"]), sources=sources, hides=(name,),
            )  # fmt: skip
    for code in sorted(codes):
        yield Candidate(
            group=REVERSAL, kind="maker", prompt=MAKER[code].format(name), expect=Expectation(any=(maker,)),
            sources=sources, hides=(maker,),
        )  # fmt: skip
