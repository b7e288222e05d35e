"""Writes a probe file for any data set, for the user to read and edit; the base model may reword the questions."""

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import ConfigError
from toolkit.core.events import Listener, silent
from toolkit.core.files import data_folder, write_text
from toolkit.core.text import folded, has_chinese, language_code, similarity
from toolkit.data.dataset import Row, find_dataset, prompt_key, read_dataset
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, probes_beside, read_probes
from toolkit.data.probes_from_rows import asked_prompts, made_probes, probes_text
from toolkit.data.probing.opposite import denies
from toolkit.data.soundness import require_sound
from toolkit.data.texts.naming import ADDRESSED, brings, turned
from toolkit.model.base_model import find_base_model
from toolkit.model.conversation import DEFAULT_SYSTEM, MAX_NEW_TOKENS, conversation
from toolkit.model.language_model import LanguageModel, Load, freeing, load_model

REQUESTS: Mapping[str, Sequence[str]] = {
    "zh": (
        "把下面的问题换一种说法，意思不变，只写出新的问题。\n{}",
        "请用别的词重新问这个问题，只写问题。\n{}",
        "换一个人来问同一件事，他会怎么问？只写问题。\n{}",
    ),
    "en": (
        "Put this question in other words, with the same meaning. Write only the new question.\n{}",
        "Rephrase this question. Write only the rephrased question.\n{}",
        "How would somebody else ask the same thing? Write only the question.\n{}",
    ),
}
ALIKE = 0.5  # share of the characters of two answers that are in both, in the same order
ECHO = 0.85  # a rewording that is this similar to its own answer is not a question
LENGTHS = (1 / 3, 3)  # allowed length of a rewording, relative to the question
QUOTES = "\"'“”‘’「」"
MARKS = ("?", "？")
PERSONS = {
    "first": re.compile(r"\b(i|me|my|mine|myself|we|us|our)\b|我", re.IGNORECASE),
    "second": ADDRESSED,
}
OF_ITSELF = re.compile("自己|自我")  # an assistant is asked to introduce itself without a word for it
CAUSE = re.compile(
    r"\b(?:why|how come|reasons?|caus(?:e[sd]?|ing)|because)\b|为什么|为何|为啥|怎么会|原因|因为", re.IGNORECASE
)
# What asks for one: not "when it is late", "take the time" and "to date".
TIME = re.compile(
    r"\bwhen (?:do|does|did|is|are|was|were|will|would|can|could|has|have|had|should)\b"
    r"|\b(?:know|tell (?:me|us)|say|since|(?:year|date|day|time)) when\b|\b(?:what|which) (?:day|times?)\b"
    r"|\btimes? (?:of|do|does|did|is|was)\b|\bopening times?\b|\bhow (?:long|soon|old)\b"
    r"|\b(?:hours?|year|(?<!to )date|age)\b"
    r"|时间|时候|何时|哪[年天日]|哪一[年天]|几[点号月年天]|多[久长大]|年龄|日期|年份",
    re.IGNORECASE,
)
CHOICE = re.compile(r"\bwhich\b|哪", re.IGNORECASE)
MAX_REWORDINGS = 2  # per question


@dataclass(frozen=True, kw_only=True)
class MakeProbesConfig:
    """`to` None: beside the data set, where `compare` finds it. `reworded`: add rewordings by the base model."""

    data: str
    to: Path | None = None
    model: str | None = None
    reworded: bool = False
    system: str = DEFAULT_SYSTEM
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class MadeProbes:
    """`kept` of the `suggested` rewordings ask the same question; both are 0 if none were requested."""

    path: Path
    groups: Mapping[str, int]
    suggested: int = 0
    kept: int = 0


def make_probes(config: MakeProbesConfig, *, listener: Listener = silent, load: Load = load_model) -> MadeProbes:
    """Raises DataError for rows that make no probes, ConfigError where the file cannot be written."""
    dataset = read_dataset(find_dataset(config.data))
    require_sound(dataset)
    target = config.to or probes_beside(dataset.path)
    _refuse_unwritable(target, force=config.force)
    outside = read_probes(data_folder() / "probes.yaml").group(OUT_OF_SCOPE)
    plain = made_probes(dataset.rows, outside)  # before a model is loaded: the rows may yield no probes
    reworded: dict[str, list[str]] = {}
    suggested = 0
    if config.reworded:
        taken = {prompt_key(str(one["prompt"])) for one in plain["probes"]} | {
            prompt_key(row.prompt) for row in dataset.rows
        }
        with freeing(load(find_base_model(config.model).path, {})) as model:
            reworded, suggested = _reworded(model, dataset.rows, taken, config.system, listener)
    content = made_probes(dataset.rows, outside, reworded) if reworded else plain
    try:
        write_text(target, probes_text(content))
    except OSError as error:
        raise ConfigError(
            f"The probes cannot be written to {target}: {error.strerror}.", next="Name another file with --to."
        ) from None
    groups = Counter(probe["group"] for probe in content["probes"])
    return MadeProbes(path=target, groups=groups, suggested=suggested, kept=sum(map(len, reworded.values())))


def _refuse_unwritable(target: Path, *, force: bool) -> None:
    """Before a model is loaded. Raises ConfigError."""
    if target.exists() and not force:
        raise ConfigError(f"{target} exists.", next="Give --force to replace it, or name another file with --to.")
    if not os.access(target.absolute().parent, os.W_OK):
        raise ConfigError(f"{target.absolute().parent} cannot be written to.", next="Name another file with --to.")


def _reworded(
    model: LanguageModel, rows: Sequence[Row], taken: set[str], system: str, listener: Listener
) -> tuple[dict[str, list[str]], int]:
    """Rewordings of each question, and how many usable ones the model suggested."""
    prompts = asked_prompts(rows)
    pairs = [(prompt, request) for prompt in prompts for request in requests(prompt)]
    suggested = _answers(model, [request for _, request in pairs], system, listener, "Rewording")
    found: dict[str, list[str]] = {prompt: [] for prompt in prompts}
    for (prompt, _), text in zip(pairs, suggested, strict=True):
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
    conversations = [conversation(prompt, system) for prompt in prompts]
    answers = model.answers(conversations, max_new_tokens=MAX_NEW_TOKENS, listener=listener, task=task)
    return [one.text for one in answers]


def summary_lines(made: MadeProbes) -> list[str]:
    """What was written, for the user."""
    lines = [", ".join(f"{count} {group}" for group, count in made.groups.items())]
    if made.suggested:
        lines.append(f"{made.kept} of {made.suggested} rewordings kept, which are answered as the question is.")
    if not made.groups.get(PARAPHRASE):
        lines.append("Warning: no question in other words; add some by hand.")
    return lines


def requests(prompt: str) -> list[str]:
    """The requests to the base model, in the prompt's language."""
    return [request.format(prompt) for request in REQUESTS[language_code(prompt)]]


def usable(prompt: str, suggested: Sequence[str], taken: Collection[str]) -> list[str]:
    """The model's answers that can be questions; none has a prompt key in `taken`."""
    found: dict[str, str] = {}
    for text in suggested:
        question = bare(text)
        if question and _fits(prompt, question) and prompt_key(question) not in taken:
            found.setdefault(prompt_key(question), question)
    return list(found.values())


def same_questions(answer: str, reworded: Sequence[tuple[str, str]]) -> list[str]:
    """The rewordings, of (rewording, its answer), that are answered as the question was: the two most similar."""
    alike = [
        (similarity(answer, other), question) for question, other in reworded if similarity(question, other) < ECHO
    ]
    kept = sorted((one for one in alike if one[0] >= ALIKE), key=lambda one: -one[0])
    return [question for _, question in kept[:MAX_REWORDINGS]]


def bare(text: str) -> str:
    """The last line without the quotation marks and the label that models add."""
    line = text.strip().rpartition("\n")[2].strip()
    label, colon, rest = line.replace("：", ":").partition(":")
    if colon and rest.strip() and not label.endswith(MARKS):
        line = line[len(label) + 1 :].strip()
    return line.strip(QUOTES).strip()


def _fits(prompt: str, question: str) -> bool:
    shortest, longest = (len(prompt) * factor for factor in LENGTHS)
    ends_alike = question.endswith(MARKS) or not prompt.rstrip().endswith(MARKS)
    plausible = shortest <= len(question) <= longest and ends_alike and has_chinese(question) == has_chinese(prompt)
    about_you = ADDRESSED.search(prompt) or OF_ITSELF.search(prompt)
    drifted = (about_you and turned(prompt, question)) or _asks_for_more(prompt, question)
    return plausible and _persons(prompt) <= _persons(question) and not drifted


def _asks_for_more(prompt: str, question: str) -> bool:
    """Whether it asks for a cause or a time, in the negative, or of a statement for a part: "Which part is missing?" of
    "A part is missing.".
    """
    states = not prompt.rstrip().endswith(MARKS)
    others = brings(prompt, question, CAUSE, TIME) or (states and brings(prompt, question, CHOICE))
    return others or denies(folded(prompt)) != denies(folded(question))


def _persons(text: str) -> set[str]:
    """The grammatical persons in a text: "Who am I?" is not the question "Who are you?"."""
    return {person for person, words in PERSONS.items() if words.search(text)}
