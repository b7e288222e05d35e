"""Makes probes from the rows of a data set without its own. Pure.

trained: prompts of single-turn rows, word for word. paraphrase: the same in phrases that training never uses
(`toolkit.data.rephrasings`). out-of-scope: the shipped probes, without those that the rows train.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.core.errors import DataError
from toolkit.core.text import words
from toolkit.data.dataset import Row, prompt_key
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, PARAPHRASE, SCHEMA_VERSION, TRAINED, Probe
from toolkit.data.rephrasings import PROBES, rephrase

MOST = 24  # of trained probes, and of paraphrases
LONGEST_ANSWER_WORDS = 40  # what fits into 64 tokens: of a longer answer its beginning is expected
LEAST_MARKER_CHARS = 8  # a shorter answer, such as "Yes.", does not identify anything
HEADER = """\
# Made by "toolkit compare" from the rows that this run was trained on; edit a copy and name it with --probes.
# expect.answer: the answer needs 70 % of the words of one of these texts, also of those words that are not in the base
# model's answer, and of those that are not in the prompt.
# identity.new: complete trained answers; an answer out of scope leaks if only the tuned model's contains one.
"""


def made_probes(
    rows: Sequence[Row], outside: Sequence[Probe], reworded: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """The content of a probe file. Raises DataError if no row has a single turn.

    `reworded`: further wordings of a prompt, such as a model's.
    """
    answers: dict[str, list[str]] = {}
    for row in rows:
        if row.of_one_turn:
            answers.setdefault(row.prompt, []).append(row.answer)
    if not answers:
        raise DataError("No row of this data set is a question with an answer.", next="Name probes with --probes.")
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
    return {
        "schema_version": SCHEMA_VERSION,
        "identity": {"new": sorted(markers), "old": []},
        "thresholds": {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "residue"},
        "probes": [*trained, *paraphrases, *others],
    }


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
