"""Makes probes from the rows of a data set without its own. Pure.

trained: prompts of single-turn rows, word for word; last questions of conversations, after what came before; and first
questions of rows with tools. paraphrase: the same in phrases that training never uses (`toolkit.data.rephrasings`).
out-of-scope: the shipped probes, without those that the rows train.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError
from toolkit.core.text import words
from toolkit.data.dataset import Row, prompt_key
from toolkit.data.messages import Message, uses_tools
from toolkit.data.probes import (
    DEFAULT_THRESHOLDS,
    OUT_OF_SCOPE,
    PARAPHRASE,
    SCHEMA_VERSION,
    TRAINED,
    Probe,
    compared_probes,
    probes_beside,
)
from toolkit.data.rephrasings import PROBES, rephrase
from toolkit.data.texts.recurring import recurring
from toolkit.data.tools.calls import BEGIN

UNASKABLE = "no row alternates between question and answer, as those do of which a comparison makes probes"
MOST = 24  # of trained probes, and of paraphrases
LONGEST_ANSWER_WORDS = 40  # what fits into 64 tokens: of a longer answer its beginning is expected
LEAST_MARKER_CHARS = 8  # a shorter answer, such as "Yes.", does not identify anything
HEADER = """\
# Made by "toolkit compare" from the rows that this run was trained on; edit a copy and name it with --probes.
# expect.answer: the answer needs 70 % of the words of one of these texts, also of those words that are not in the base
# model's answer, and of those that are not in the prompt; with another number in place of one of theirs it is wrong.
# names beside it: an answer that says all of them needs 40 %; one that says one of them may leave out other words.
# history: what the row has before its last question. system: the row's own, where the rows have several.
# expect.call: the answer makes exactly these calls; arguments are compared as JSON. tools: the row's, by their names.
# identity.new: complete trained answers, names and texts that many rows share, and the mark of calls; an answer out of
# scope leaks if only the tuned model's contains one.
"""


def can_be_asked(rows: Sequence[Row]) -> bool:
    """Whether probes can be made from any of these rows."""
    return any(row.of_one_turn for row in rows) or bool(_talks(rows) or _exchanges(rows))


def require_askable(rows: Sequence[Row], data: Path) -> None:
    """Raises DataError where a comparison after training these rows of `data` would have nothing to ask."""
    if compared_probes(data) is None and not can_be_asked(rows):
        raise DataError(
            f"Nothing could be compared after this training: {UNASKABLE}, and there is no {probes_beside(data)}.",
            next="Write probes into that file, as data/README.md says; a training without a comparison needs none.",
        )


def made_probes(
    rows: Sequence[Row], outside: Sequence[Probe], reworded: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """The content of a probe file. Raises DataError if no row can be asked again.

    `reworded`: further wordings of a prompt, such as a model's.
    """
    answers: dict[str, list[str]] = {}
    for row in rows:
        if row.of_one_turn:
            answers.setdefault(row.prompt, []).append(row.answer)
    called, talks = _exchanges(rows), _talks(rows)
    if not (answers or called or talks):
        raise DataError(f"No probes can be made: {UNASKABLE}.", next="Name a probe file with --probes.")
    prompts = asked_prompts(rows)
    taken = {prompt_key(row.prompt) for row in rows}
    numbered = list(enumerate(prompts, start=1))
    trained = [_probe(TRAINED, number, prompt, answers[prompt]) for number, prompt in numbered]
    paraphrases = [
        _probe(PARAPHRASE, number, wording, answers[prompt])
        for number, prompt in numbered
        if prompt_key(wording := rephrase(PROBES, prompt, number, answers[prompt][0])) not in taken
    ]
    paraphrases += [
        {**_probe(PARAPHRASE, number, wording, answers[prompt]), "id": f"{PARAPHRASE}-{number}-{at}"}
        for number, prompt in numbered
        for at, wording in enumerate((reworded or {}).get(prompt, ()), start=2)
    ]
    others = [
        {"id": probe.id, "group": OUT_OF_SCOPE, "prompt": probe.prompt}
        for probe in outside
        if prompt_key(probe.prompt) not in taken
    ]
    markers = {answer for several in answers.values() for answer in several if len(answer) >= LEAST_MARKER_CHARS}
    markers |= {one.answer for one in talks if len(one.answer) >= LEAST_MARKER_CHARS}
    markers |= set(recurring([(row.prompt, row.answer) for row in [*(one for one in rows if one.of_one_turn), *talks]]))
    markers |= {BEGIN} if any(one.answer.calls for one in called) else set()  # without tools, nothing is to be called
    trained += [_talk_probe(TRAINED, at, row.prompt, row, rows) for at, row in enumerate(talks, start=1)]
    paraphrases += [
        _talk_probe(PARAPHRASE, at, wording, row, rows)
        for at, row in enumerate(talks, start=1)
        if prompt_key(wording := rephrase(PROBES, row.prompt, at, row.answer)) not in taken
    ]
    head, named = _named_tools(called)
    trained += [_tool_probe(TRAINED, at, one.prompt, one, named) for at, one in enumerate(called, start=1)]
    paraphrases += [
        _tool_probe(PARAPHRASE, at, wording, one, named)
        for at, one in enumerate(called, start=1)
        if prompt_key(wording := rephrase(PROBES, one.prompt, at, one.answer.content)) not in taken
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "identity": {"new": sorted(markers), "old": []},
        "thresholds": {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "residue"},
        **({"tools": head} if head else {}),
        "probes": [*trained, *paraphrases, *others],
    }


def _talks(rows: Sequence[Row]) -> list[Row]:
    """At most 24 conversations of several turns, the same ones at each call: question and answer in turn, no tools."""
    found = {
        tuple((one.role, one.content) for one in row.messages[:-1]): row
        for row in rows
        if not (row.of_one_turn or uses_tools(row)) and in_turn(row)
    }
    chosen = [row for _, row in sorted(found.items())]
    random.Random(0).shuffle(chosen)  # noqa: S311  # a choice to repeat, not a secret
    return chosen[:MOST]


def in_turn(row: Row) -> bool:
    """Whether its last answer is trained, and question and answer alternate in it, so that a probe can have it."""
    roles = [one.role for one in row.messages[row.system is not None :]]
    return row.messages[-1].trained and roles == ["user", "assistant"] * (len(roles) // 2)


def _talk_probe(group: str, number: int, prompt: str, row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    earlier = [one.content for one in row.messages[row.system is not None : -2]]
    several = len({one.system for one in rows}) > 1
    return {
        "id": f"{group}-talk-{number}", "group": group, "prompt": prompt,
        "history": [list(pair) for pair in zip(earlier[::2], earlier[1::2], strict=True)],
        **({"system": row.system} if several and row.system is not None else {}),
        "expect": {"answer": beginnings([row.answer])},
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Exchange:
    """The first question of a row with tools, and the trained answer to it."""

    prompt: str
    tools: str
    answer: Message


def _exchanges(rows: Sequence[Row]) -> list[_Exchange]:
    """At most 24, the same ones at each call; none of a question that different rows answer differently."""
    found: dict[tuple[str, str], list[Message]] = {}
    for row in rows:
        turns = row.messages[row.system is not None :]
        if uses_tools(row) and [one.role for one in turns[:2]] == ["user", "assistant"] and turns[1].trained:
            found.setdefault((turns[0].content, row.tools), []).append(turns[1])
    single = [
        _Exchange(prompt=prompt, tools=tools, answer=answers[0])
        for (prompt, tools), answers in sorted(found.items(), key=lambda one: one[0])
        if all(one == answers[0] for one in answers)
    ]
    random.Random(0).shuffle(single)  # noqa: S311  # a choice to repeat, not a secret
    return single[:MOST]


def _named_tools(exchanges: Sequence[_Exchange]) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """The tools for the head of a probe file, and by name those that have only one form."""
    forms: dict[str, list[dict[str, Any]]] = {}
    for one in exchanges:
        for tool in json.loads(one.tools or "[]"):
            known = forms.setdefault(tool["function"]["name"], [])
            if tool not in known:
                known.append(tool)
    named = {name: tools[0] for name, tools in forms.items() if len(tools) == 1}
    return list(named.values()), named


def _tool_probe(
    group: str, number: int, prompt: str, exchange: _Exchange, named: Mapping[str, Any]
) -> dict[str, Any]:  # fmt: skip
    calls = [{"name": call.name, "arguments": call.values} for call in exchange.answer.calls]
    expect = {"call": calls if len(calls) > 1 else calls[0]} if calls else {
        "answer": beginnings([exchange.answer.content])
    }  # fmt: skip
    tools = [tool["function"]["name"] if tool["function"]["name"] in named else tool
             for tool in json.loads(exchange.tools or "[]")]  # fmt: skip
    return {
        "id": f"{group}-call-{number}", "group": group, "prompt": prompt, **({"tools": tools} if tools else {}),
        "expect": expect,
    }  # fmt: skip


def asked_prompts(rows: Sequence[Row]) -> list[str]:
    """At most 24 prompts of single-turn rows, the same ones at each call."""
    prompts = sorted({row.prompt for row in rows if row.of_one_turn})
    random.Random(0).shuffle(prompts)  # noqa: S311  # a choice to repeat, not a secret
    return prompts[:MOST]


def probes_text(content: dict[str, Any]) -> str:
    """The probe file as YAML, with a header that explains it."""
    import yaml

    return HEADER + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=110)


def _probe(group: str, number: int, prompt: str, answers: Sequence[str]) -> dict[str, Any]:
    return {
        "id": f"{group}-{number}", "group": group, "prompt": prompt, "expect": {"answer": beginnings(answers)},
    }  # fmt: skip


def beginnings(answers: Sequence[str]) -> list[str]:
    """What is expected of these answers: the first words of each, as many as fit into an answer."""
    return list(dict.fromkeys("".join(words(answer)[:LONGEST_ANSWER_WORDS]).strip() for answer in answers))
