"""The protocol of a format, and what a format is given: the export's settings, its run, the backends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from toolkit.compare.sides import Side
from toolkit.core.events import Listener
from toolkit.data.probes import ProbeSet
from toolkit.export import ms_swift
from toolkit.export.llama_converter import require_convertible
from toolkit.export.llama_cpp import LlamaModel, llama_version, quantise
from toolkit.export.ms_swift import QuantisationJob
from toolkit.export.parity import GateResult
from toolkit.model.conversation import MAX_NEW_TOKENS, Messages, conversation, tools_messages
from toolkit.model.language_model import Answer, LanguageModel, Load, load_model
from toolkit.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """`to`: a name in `FORMATS`. `folder` None: in the run, named after the format."""

    run: str | None = None
    to: str = "merged"
    model: str | None = None
    folder: Path | None = None
    probes: Path | None = None
    output: Path = Path("output")
    force: bool = False
    quantisation: str | None = None
    unchecked: bool = False


class Artifact(Protocol):
    """A file with weights, tokenizer and chat template, loaded (see `llama_cpp.LlamaModel`)."""

    def prompt_ids(self, messages: Messages) -> list[int]: ...

    def answers(
        self, prompts: Sequence[Messages], *, max_new_tokens: int, listener: Listener, task: str
    ) -> list[Answer]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Llama:
    """llama.cpp; `version` returns None where it is not installed."""

    require_convertible: Callable[[Path, str], None] = require_convertible
    version: Callable[[], str | None] = llama_version
    load: Callable[[Path], Artifact] = LlamaModel
    quantise: Callable[[Path, Path, str], None] = quantise


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """ms-swift's export."""

    missing_requirements: Callable[[str], tuple[str, ...]] = ms_swift.missing_requirements
    quantise: Callable[[QuantisationJob], None] = ms_swift.quantise


@dataclass(frozen=True, kw_only=True)
class Backends:
    """The libraries that an export calls; tests pass fakes."""

    load: Load = load_model
    llama: Llama = field(default_factory=Llama)
    quantiser: Quantiser = field(default_factory=Quantiser)


@dataclass(frozen=True, kw_only=True)
class ExportJob:
    """One export: the run's side, the probes of its gate, and the backends."""

    run: Run
    side: Side
    probes: ProbeSet
    listener: Listener
    backends: Backends = field(default_factory=Backends)

    @property
    def system(self) -> str:
        """The system prompt of the training."""
        return self.run.record.system

    @property
    def adapter(self) -> Path:
        assert self.side.adapter is not None
        return self.side.adapter

    @property
    def key(self) -> str:
        """The adapter's name in `load(base, {key: adapter})`."""
        assert self.side.key is not None
        return self.side.key

    @property
    def prompts(self) -> list[str]:
        return [probe.prompt for probe in self.probes.probes]

    @property
    def conversations(self) -> list[Messages]:
        return [
            [*tools_messages(probe.tools), *conversation(probe.prompt, self.system)] for probe in self.probes.probes
        ]

    def answers(self, model: LanguageModel, task: str) -> list[Answer]:
        """One answer a probe, in the probes' order."""
        return model.answers(
            self.conversations, max_new_tokens=MAX_NEW_TOKENS, listener=self.listener, task=task
        )  # fmt: skip

    def prompt_ids(self, model: LanguageModel | Artifact) -> list[list[int]]:
        """The token ids of each probe's prompt, in the probes' order."""
        return [model.prompt_ids(messages) for messages in self.conversations]


class Format(Protocol):
    """One format. `name`: its value of `--to`; `title`: its name in a sentence; `folder`: its default name in the run.

    `options`: what distinguishes two exports of one adapter in this format; part of the manifest.
    """

    name: str

    @property
    def title(self) -> str: ...

    @property
    def folder(self) -> str: ...

    @property
    def options(self) -> Mapping[str, Any]: ...

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:
        """Notes for the user. Raises ToolkitError, before anything is written, for what cannot be exported here."""

    def bytes_needed(self, side: Side) -> int:
        """The most that `write` occupies at any time, in bytes."""

    def write(self, folder: Path, job: ExportJob) -> GateResult:
        """Writes into `folder`, which is empty, loads the files again, and compares their answers to the probes."""


@runtime_checkable
class PortableFormat(Protocol):
    """A format made for other machines: its manifest contains no path of this one.

    `mutable_files`: files that follow the run, and so may change after the export while the weights stay.
    """

    mutable_files: frozenset[str]

    def refresh(self, folder: Path, side: Side) -> None:
        """Brings `mutable_files` up to date."""
