"""Depth probes for a probe file without them: conversations and tasks around its questions, and translations of them.

A conversation asks for what the question asks for, so it keeps the question's expectation. What a task or a translation
should be answered is what the base model answers with the rows in its context, and such a probe is kept only if that
says something of the rows that the base model does not say by itself. Portability and reversal take an author.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache
from itertools import cycle, groupby, islice
from pathlib import Path
from typing import Any

from toolkit.compare.make_probes import ECHO, MARKS, bare
from toolkit.compare.teacher import Row, plain_answers, taught_answers
from toolkit.core.languages import language
from toolkit.core.text import content_words, has_chinese, language_code, normalized, similarity, words
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import INDIRECT, MULTI_TURN, OTHER_LANGUAGE, PARAPHRASE, TRAINED, Probe, ProbeSet
from toolkit.data.probing.expectation import Expectation
from toolkit.model.language_model import LanguageModel

FORMS = Path(__file__).with_name("forms.yaml")
MOST = 12  # probes of a group
TRIED = 24  # tasks and translations, of which at most MOST are kept
SHORTEST, SHORTEST_CHINESE = 4, 2  # characters of a name; a shorter one is part of other words
NAME = re.compile(r"[A-Z0-9\u00c0-\u00de]|\w[._/@]\w")  # in a word that is a name, or a number
INNER = "._/@-'’"
LATIN = re.compile(r"[^\u0400-\u04ff\u3040-\u9fff\uac00-\ud7af]*[A-Za-z][^\u0400-\u04ff\u3040-\u9fff\uac00-\ud7af]*")
HAN = re.compile(r"[^\u3040-\u30ff]*[\u4e00-\u9fff][^\u3040-\u30ff]*")
SCRIPTS = {  # of the languages to translate into
    "French": LATIN, "Japanese": re.compile(r".*[\u3040-\u30ff].*"), "Chinese": HAN,
    "English": LATIN, "Spanish": LATIN, "Korean": re.compile(r".*[\uac00-\ud7af].*"), "German": LATIN,
    "Russian": re.compile(r".*[\u0400-\u04ff].*"),
}  # fmt: skip
TRANSLATE = "Translate this question into {language}. Write only the translation.\n{question}"


def depth_probes(
    model: LanguageModel, probes: ProbeSet, rows: Sequence[Row], *, others: Sequence[str], taken: Collection[str],
    system: str,
) -> list[Probe]:  # fmt: skip
    """At most MOST of each of three groups that the probe file lacks: multi-turn, and with rows the other two.

    `others`: questions about something else, to talk about before. `taken`: prompt keys that are not asked again.
    """
    sources = _sources(probes)
    lacking = [group for group in (INDIRECT, OTHER_LANGUAGE, MULTI_TURN) if sources and not probes.group(group)]
    found = _conversations(sources, others) if MULTI_TURN in lacking else []
    if not rows or not {INDIRECT, OTHER_LANGUAGE} & set(lacking):
        return found
    ordinary = Ordinary([probe.prompt for probe in sources], plain_answers(model, [p.prompt for p in sources], system))
    tasks = _tasks(sources) if INDIRECT in lacking else []
    translations = _translations(model, sources, system) if OTHER_LANGUAGE in lacking else []
    tried = [probe for probe in (*tasks, *translations) if prompt_key(probe.prompt) not in taken]
    kept = _answerable(model, tried, rows, system, ordinary)
    for _, group in groupby(kept, key=lambda probe: probe.group):
        found += islice(group, MOST)
    return found


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


def expectation(
    expect: Expectation, answer: str, *, before: str, prompt: str, ordinary: Ordinary
) -> Expectation | None:
    """Of a task or a translation: the names of the rows' answers in this one; else what the source expects, if met.

    None if the answer shows nothing that the answer before does not. `answer`: with the rows in the model's context.
    """
    context = f"{prompt}\n{before}"
    names = [name for text in expect.answer for name in names_in_both(text, answer, ordinary, context)]
    if names:
        return Expectation(any=tuple(dict.fromkeys(names)), none=expect.none)
    met = expect.met(answer, before=before, prompt=prompt) and not expect.met(before, prompt=prompt)
    return expect if met else None


def _answerable(
    model: LanguageModel, tried: Sequence[Probe], rows: Sequence[Row], system: str, ordinary: Ordinary
) -> Iterator[Probe]:
    prompts = [probe.prompt for probe in tried]
    answers = plain_answers(model, prompts, system), taught_answers(model, prompts, rows)
    for probe, before, answer in zip(tried, *answers, strict=True):
        if probe.expect is not None and (
            expect := expectation(probe.expect, answer, before=before, prompt=probe.prompt, ordinary=ordinary)
        ):
            yield replace(probe, expect=expect)


def _sources(probes: ProbeSet) -> list[Probe]:
    """Evenly over the trained questions, else over the paraphrases; not those of which the complete answer is known."""
    found = [
        probe
        for probe in probes.group(TRAINED) or probes.group(PARAPHRASE)
        if not probe.history and not probe.tools and probe.expect is not None and probe.expect.exact is None
    ]
    return found[:: max(1, -(-len(found) // TRIED))]


def _conversations(sources: Sequence[Probe], others: Sequence[str]) -> list[Probe]:
    talk = {code: cycle([one for one in others if language_code(one) == code] or others) for code in ("en", "zh")}
    made = []
    for source, name, form in _formed(sources, "multi_turn", MOST):
        other = talk[language_code(source.prompt)]
        turns = tuple(
            (text.format(question=source.prompt, other=next(other) if "{other}" in text else ""), None)
            for text in form["history"]
        )
        made.append(
            replace(
                _made(source, MULTI_TURN, name, form["prompt"].format(question=source.prompt)),
                history=turns, system=form.get("system"),
            )
        )  # fmt: skip
    return made


def _tasks(sources: Sequence[Probe]) -> list[Probe]:
    return [
        _made(source, INDIRECT, name, form.format(question=source.prompt))
        for source, name, form in _formed(sources, "indirect", TRIED)
    ]


def _translations(model: LanguageModel, sources: Sequence[Probe], system: str) -> list[Probe]:
    """Into languages that none of the sources is in."""
    known = {language(probe.prompt) for probe in sources}
    pairs = list(_pairs(sources, [name for name in SCRIPTS if name not in known], TRIED))
    requests = [TRANSLATE.format(language=name, question=source.prompt) for source, name in pairs]
    found = []
    for (source, name), text in zip(pairs, plain_answers(model, requests, system), strict=True):
        question = bare(text)
        a_question = question.endswith(MARKS) or not source.prompt.rstrip().endswith(MARKS)
        if a_question and SCRIPTS[name].fullmatch(question) and similarity(question, source.prompt) < ECHO:
            found.append(_made(source, OTHER_LANGUAGE, name.lower(), question))
    return found


def _made(source: Probe, group: str, name: str, prompt: str) -> Probe:
    return Probe(id=f"{group}-{name}-{source.id}", group=group, prompt=prompt, expect=source.expect)


def _formed(sources: Sequence[Probe], group: str, count: int) -> Iterator[tuple[Probe, str, Any]]:
    """Sources with the names and texts of their forms, each in its language."""
    forms = _forms()[group]
    for source, name in _pairs(sources, list(forms["en"]), count):
        yield source, name, forms[language_code(source.prompt)][name]


def _pairs(sources: Sequence[Probe], names: Sequence[str], count: int) -> Iterator[tuple[Probe, str]]:
    """`count` different pairs, or all there are: every source and every name as often as the others."""
    for at in range(min(count, len(sources) * len(names))):
        times, source = divmod(at, len(sources))
        yield sources[source], names[(source + times) % len(names)]


@cache
def _forms() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Group, language, name, form."""
    from toolkit.core.plain_yaml import read_own

    return dict(read_own(FORMS))
