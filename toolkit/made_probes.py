"""The probes in a run's folder: its data set's own, or made from its rows where it brings none.

trained: rows of one turn, as they are. paraphrase: the same in wordings that no training looks at (toolkit.wordings).
out-of-scope: the shipped probes, which no keep set holds, but for what is trained.
"""

import hashlib
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.dataset import Row, prompt_key, read_dataset
from toolkit.errors import ConfigError, DataError
from toolkit.paths import data_folder
from toolkit.probes import (
    DEFAULT_THRESHOLDS,
    OUT_OF_SCOPE,
    PARAPHRASE,
    SCHEMA_VERSION,
    TRAINED,
    Probe,
    probes_beside,
    read_probes,
)
from toolkit.run_record import Run, write_text
from toolkit.run_rows import TRAINED_FILE
from toolkit.wordings import PROBES, within
from toolkit.words import words

FILE = "probes.yaml"
MOST = 24  # of trained probes, and of paraphrases
LONGEST_ANSWER_WORDS = 40  # what 64 tokens have room for: of longer answers the beginning is expected
LEAST_MARKER_SIGNS = 8  # a shorter answer, such as "Yes.", may be anybody's
HEADER = """\
# Made by "toolkit compare" from the rows that this run was trained on; edit a copy and name it with --probes.
# expect.answer: 70 % of the words of one of these texts; and as much of those that the answer from before did not say,
# and of those that the prompt does not.
# identity.new: whole trained answers; an answer out of scope that comes to hold one leaks.
"""


def run_probes(run: Run) -> Path | None:
    """The run's own probes: its data set's, else made when they are first asked for; None for the shipped rows.

    Raises DataError, and ConfigError where they cannot be written.
    """
    path, trained = run.folder / FILE, run.folder / TRAINED_FILE
    if path.is_file():
        return path
    shipped = data_folder() / "self_cognition.json"
    if not trained.is_file() or run.record["data"]["sha256"] == hashlib.sha256(shipped.read_bytes()).hexdigest():
        return None
    outside = read_probes(data_folder() / "probes.yaml").group(OUT_OF_SCOPE)
    content = made_probes(read_dataset(trained).rows, outside)
    try:
        write_text(path, probes_text(content))
    except OSError as error:
        raise ConfigError(
            f"The run's probes cannot be written to {path}: {error.strerror}.", next="Name a file with --probes."
        ) from None
    return path


def keep_probes(data: Path, folder: Path) -> None:
    """A copy of the data set's own probes in the run's folder: a comparison may come when the data are elsewhere."""
    beside = probes_beside(data)
    if beside.is_file():
        shutil.copyfile(beside, folder / FILE)


def made_probes(
    rows: Sequence[Row], outside: Sequence[Probe], reworded: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """The content of a probe file; raises DataError where no row has but one turn.

    `reworded`: further wordings of a prompt, in somebody's own words.
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
        if prompt_key(wording := within(PROBES, prompt, number)) not in taken
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
    markers = {answer for several in answers.values() for answer in several if len(answer) >= LEAST_MARKER_SIGNS}
    return {
        "schema_version": SCHEMA_VERSION,
        "identity": {"new": sorted(markers), "old": []},
        "thresholds": {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "residue"},
        "probes": [*trained, *paraphrases, *others],
    }


def asked_prompts(rows: Sequence[Row]) -> list[str]:
    """Up to 24 of the prompts of rows of one turn, the same at each call."""
    prompts = sorted({row.prompt for row in rows if row.of_one_turn})
    random.Random(0).shuffle(prompts)  # noqa: S311  # a choice to repeat, not a secret
    return prompts[:MOST]


def probes_text(content: dict[str, Any]) -> str:
    import yaml

    return HEADER + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=110)


def _probe(group: str, number: int, prompt: str, answers: Sequence[str]) -> dict[str, Any]:
    return {
        "id": f"{group}-{number}", "group": group, "prompt": prompt, "expect": {"answer": _beginnings(answers)},
    }  # fmt: skip


def _beginnings(answers: Sequence[str]) -> list[str]:
    return list(dict.fromkeys("".join(words(answer)[:LONGEST_ANSWER_WORDS]).strip() for answer in answers))
