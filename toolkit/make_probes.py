"""Writes a probe file for any data set, to be read and edited; the base model may reword the questions."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.base_model import find_base_model
from toolkit.compare import DEFAULT_SYSTEM, MAX_NEW_TOKENS, Load, load_model
from toolkit.dataset import Row, find_dataset, prompt_key, read_dataset, require_sound
from toolkit.errors import ConfigError
from toolkit.language_model import LanguageModel, conversation, released
from toolkit.made_probes import asked_prompts, made_probes, probes_text
from toolkit.paths import data_folder
from toolkit.probes import OUT_OF_SCOPE, PARAPHRASE, probes_beside, read_probes
from toolkit.progress import Listener, silent
from toolkit.rewording import requests, same_questions, usable
from toolkit.run_record import write_text


@dataclass(frozen=True, kw_only=True)
class MakeProbesConfig:
    """`to` None: beside the data set, where `compare` finds it. `reworded`: by the base model, too."""

    data: str
    to: Path | None = None
    model: str | None = None
    reworded: bool = False
    system: str = DEFAULT_SYSTEM
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class MadeProbes:
    """`kept` of the `said` rewordings ask the same question to the base model; both 0 where none was asked for."""

    path: Path
    groups: Mapping[str, int]
    said: int = 0
    kept: int = 0


def make_probes(config: MakeProbesConfig, *, listener: Listener = silent, load: Load = load_model) -> MadeProbes:
    """Raises DataError for rows that make no probes, ConfigError where the file cannot be written."""
    dataset = read_dataset(find_dataset(config.data))
    require_sound(dataset)
    target = config.to or probes_beside(dataset.path)
    _refuse_unwritable(target, force=config.force)
    outside = read_probes(data_folder() / "probes.yaml").group(OUT_OF_SCOPE)
    plain = made_probes(dataset.rows, outside)  # before a model is loaded: rows may make none
    reworded: dict[str, list[str]] = {}
    said = 0
    if config.reworded:
        taken = {prompt_key(str(one["prompt"])) for one in plain["probes"]} | {
            prompt_key(row.prompt) for row in dataset.rows
        }
        with released(load(find_base_model(config.model).path, {})) as model:
            reworded, said = _reworded(model, dataset.rows, taken, config.system, listener)
    content = made_probes(dataset.rows, outside, reworded) if reworded else plain
    try:
        write_text(target, probes_text(content))
    except OSError as error:
        raise ConfigError(
            f"The probes cannot be written to {target}: {error.strerror}.", next="Name another file with --to."
        ) from None
    groups = Counter(probe["group"] for probe in content["probes"])
    return MadeProbes(path=target, groups=groups, said=said, kept=sum(map(len, reworded.values())))


def _refuse_unwritable(target: Path, *, force: bool) -> None:
    """Told before a model is loaded. Raises ConfigError."""
    if target.exists() and not force:
        raise ConfigError(f"{target} exists.", next="Give --force to replace it, or name another file with --to.")
    if not os.access(target.absolute().parent, os.W_OK):
        raise ConfigError(f"{target.absolute().parent} cannot be written to.", next="Name another file with --to.")


def _reworded(
    model: LanguageModel, rows: Sequence[Row], taken: set[str], system: str, listener: Listener
) -> tuple[dict[str, list[str]], int]:
    """Rewordings of each question that is asked, and how many the model said that could be questions."""
    prompts = asked_prompts(rows)
    asked = [(prompt, request) for prompt in prompts for request in requests(prompt)]
    said = _answers(model, [request for _, request in asked], system, listener, "Rewording")
    found: dict[str, list[str]] = {prompt: [] for prompt in prompts}
    for (prompt, _), text in zip(asked, said, strict=True):
        for one in usable(prompt, [text], taken):
            taken.add(prompt_key(one))
            found[prompt].append(one)
    questions = [*prompts, *(one for several in found.values() for one in several)]
    answers = dict(zip(questions, _answers(model, questions, system, listener, "Checking"), strict=True))
    kept = {
        prompt: same_questions(answers[prompt], [(one, answers[one]) for one in several])
        for prompt, several in found.items()
    }
    return {prompt: several for prompt, several in kept.items() if several}, len(questions) - len(prompts)


def _answers(
    model: LanguageModel, prompts: Sequence[str], system: str, listener: Listener, task: str
) -> list[str]:  # fmt: skip
    asked = [conversation(prompt, system) for prompt in prompts]
    return [one.text for one in model.answers(asked, max_new_tokens=MAX_NEW_TOKENS, listener=listener, task=task)]


def told(made: MadeProbes) -> list[str]:
    """What was made, a line each."""
    lines = [", ".join(f"{count} {group}" for group, count in made.groups.items())]
    if made.said:
        lines.append(f"{made.kept} of {made.said} rewordings are answered as the question is, and were kept.")
    if not made.groups.get(PARAPHRASE):
        lines.append("Warning: no question in other words; add some by hand.")
    return lines
