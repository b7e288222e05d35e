"""Depth probes for a probe file without them: conversations and tasks around its questions, translations, and steps on.

A conversation asks for what the question asks for, so it keeps the question's expectation. What a task or a translation
should be answered is what the base model answers with the rows in its context, and such a probe is kept only if that
says something of the rows that the base model does not say by itself. Portability and reversal: `linked`.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import cycle, groupby, islice
from pathlib import Path
from typing import Any

from toolkit.compare.depth.linked import linked_probes
from toolkit.compare.depth.names import Ordinary, names_in_both
from toolkit.compare.make_probes import ECHO, MARKS, bare
from toolkit.compare.teacher import Row, plain_answers, taught_answers
from toolkit.core.languages import language
from toolkit.core.text import language_code, similarity
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import (
    INDIRECT,
    MULTI_TURN,
    OTHER_LANGUAGE,
    PARAPHRASE,
    PORTABILITY,
    REVERSAL,
    TRAINED,
    Probe,
    ProbeSet,
)
from toolkit.data.probing.expectation import Expectation
from toolkit.model.language_model import LanguageModel

FORMS = Path(__file__).with_name("forms.yaml")
MOST = 12  # probes of a group
TRIED = 24  # tasks and translations, of which at most MOST are kept
LATIN = re.compile(r"[^\u0400-\u04ff\u3040-\u9fff\uac00-\ud7af]*[A-Za-z][^\u0400-\u04ff\u3040-\u9fff\uac00-\ud7af]*")
HAN = re.compile(r"[^\u3040-\u30ff]*[\u4e00-\u9fff][^\u3040-\u30ff]*")
SCRIPTS = {  # of the languages to translate into
    "French": LATIN, "Japanese": re.compile(r".*[\u3040-\u30ff].*"), "Chinese": HAN,
    "English": LATIN, "Spanish": LATIN, "Korean": re.compile(r".*[\uac00-\ud7af].*"), "German": LATIN,
    "Russian": re.compile(r".*[\u0400-\u04ff].*"),
}  # fmt: skip
TRANSLATE = "Translate this question into {language}. Write only the translation.\n{question}"


def depth_probes(
    model: LanguageModel, probes: ProbeSet, rows: Sequence[Row], *, others: Sequence[str], bank: Sequence[str],
    taken: Collection[str], system: str,
) -> list[Probe]:  # fmt: skip
    """At most MOST of each group that the probe file lacks: multi-turn, and with rows the others.

    `others`: questions about something else, to talk about before; `bank`: all such questions. `taken`: prompt keys
    that are not asked again.
    """
    sources = _sources(probes)
    lacking = [group for group in (INDIRECT, OTHER_LANGUAGE, MULTI_TURN) if sources and not probes.group(group)]
    found = _conversations(sources, others) if MULTI_TURN in lacking else []
    if rows:
        linking = [group for group in (PORTABILITY, REVERSAL) if sources and not probes.group(group)]
        if linking:
            found += linked_probes(
                model, rows, linking, others=bank, taken=taken, system=system, most=MOST
            )  # fmt: skip
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
