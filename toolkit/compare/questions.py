"""The probes to ask, and the system prompts to ask them under."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.compare.sides import Side
from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import SHIPPED_DATA, data_folder, file_sha256, write_text
from toolkit.data.dataset import Row, read_dataset
from toolkit.data.probes import DEPTH, OUT_OF_SCOPE, Probe, ProbeSet, probes_beside, read_probes
from toolkit.data.probes_from_rows import made_probes, probes_text
from toolkit.model.conversation import DEFAULT, NONE, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.layout import PROBES_FILE, TRAINED_FILE
from toolkit.runs.run import Run

BANK = "out_of_scope.jsonl"  # of which a comparison asks some beside the probe file's
UNRELATED = "You are a travel guide."
TRAINING_KIND, DEFAULT_KIND, NONE_KIND, UNRELATED_KIND, GIVEN_KIND = "training", "default", "none", "unrelated", "given"


def matrix(trained: str) -> tuple[str, ...]:
    """The system prompts to try; the first is the trained one, under which everything is measured."""
    return tuple(dict.fromkeys([trained, DEFAULT, NONE, UNRELATED]))


def kind(system: str, trained: str | None) -> str:
    """Its kind in report.json. `trained` None: there is no run whose system prompt is known."""
    if system == trained:
        return TRAINING_KIND
    return {DEFAULT: DEFAULT_KIND, NONE: NONE_KIND, UNRELATED: UNRELATED_KIND}.get(system, GIVEN_KIND)


def is_asked(option: bool | None, model: LanguageModel) -> bool:
    """Whether a comparison does what takes seconds on a card and minutes elsewhere; `option` None: on a card."""
    return model.on_card if option is None else option


def answer_tokens(probe: Probe, most: int) -> int:
    """How long the answer to a probe may be: `most`, or twice that, and so on, for the call that it expects."""
    limit, needed = most, 0 if probe.expect is None else probe.expect.call_bytes
    while limit < needed:
        limit *= 2
    return limit


def distinct(systems: Sequence[str], rendered: Sequence[object]) -> tuple[str, ...]:
    """The system prompts without duplicates: of two that the chat template renders alike, the first."""
    found: dict[str, str] = {}
    for system, text in zip(systems, rendered, strict=True):
        found.setdefault(repr(text), system)
    return tuple(found.values())


def run_probes(run: Run) -> Path | None:
    """The run's own probes: its data set's, else generated when first needed; None for the shipped rows.

    Raises DataError, and ConfigError if they cannot be written.
    """
    path, trained = run.folder / PROBES_FILE, run.folder / TRAINED_FILE
    if path.is_file():
        return path
    shipped = data_folder() / SHIPPED_DATA
    if not trained.is_file() or run.record.data.sha256 == file_sha256(shipped):
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


def trained_rows(run: Run) -> Sequence[Row]:
    """The rows that the run was trained on; none where its file of them is missing. Raises DataError."""
    path = run.folder / TRAINED_FILE
    return read_dataset(path).rows if path.is_file() else ()


def probes_for(after: Side) -> Path:
    """The probes beside the run's data set, else the run's own (see `run_probes`), else the shipped ones."""
    if after.run is not None:
        beside = probes_beside(Path(after.run.record.data.path))
        if os.path.isfile(beside):  # noqa: PTH113  # Path.is_file raises if the folders belong to another user
            return beside
        if (made := run_probes(after.run)) is not None:
            return made
    return data_folder() / "probes.yaml"


def training_system(*sides: Side) -> str | None:
    """The system prompt that the first run among these sides was trained under; None if none of them is a run."""
    return next((side.training_system for side in sides if side.run is not None), None)


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Every probe under every system prompt; drift, noise, depth and out-of-scope probes with tools only under some.

    These are the first `full_count`. `thought_tokens`: they are answered after a thought of at most so many; None:
    without one.
    """

    probes: ProbeSet
    systems: tuple[str, ...]
    full_count: int
    max_new_tokens: int
    thought_tokens: int | None = None

    def without_duplicates_for(self, model: LanguageModel) -> "Questions":
        """Without system prompts that this model's chat template renders alike; those that the user named all stay."""
        if self.full_count == len(self.systems):
            return self
        kept = distinct(self.systems, [model.prompt_ids(conversation("?", system)) for system in self.systems])
        return replace(self, systems=kept)

    @property
    def items(self) -> list[tuple[Probe, str]]:
        return [
            (probe, system)
            for system in self.systems
            for probe in self.probes.probes
            if system in self._full or not (probe.group in DEPTH or (probe.group == OUT_OF_SCOPE and probe.tools))
        ]

    @property
    def outside(self) -> list[int]:
        """Positions in `items` of the questions that drift and noise are measured on."""
        return [
            at for at, (probe, system) in enumerate(self.items)
            if probe.group == OUT_OF_SCOPE and not probe.tools and system in self._full
        ]  # fmt: skip

    @property
    def _full(self) -> tuple[str, ...]:
        return self.systems[: self.full_count]


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The shipped questions out of scope, in an order of which every beginning has all categories and both languages.

    `sha256`: of the file as it was when they were read.
    """

    path: Path
    sha256: str
    prompts: Sequence[str]


def read_bank() -> Bank:
    """Reads the file once, for its questions and its digest. Raises DataError."""
    path = data_folder() / BANK
    try:
        text = read_text(path)
        prompts = [str(parse_json(line)["prompt"]) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"The bank of questions {path} cannot be read: {error}.", next="Restore it.") from None
    return Bank(path=path, sha256=hashlib.sha256(text.encode()).hexdigest(), prompts=prompts)
