"""What a format is: a name, what it needs, and how it is written and asked. Values and protocols alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from toolkit.compare.sides import Side
from toolkit.core.events import Listener
from toolkit.data.probes import ProbeSet
from toolkit.export import ms_swift
from toolkit.export.llama_cpp import LlamaModel, llama_version, quantise
from toolkit.export.ms_swift import QuantisingJob
from toolkit.model.conversation import MAX_NEW_TOKENS, Messages, conversation
from toolkit.model.language_model import Answer, LanguageModel, Load, load_model
from toolkit.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """`to`: a name in `FORMS`. `folder` None: one named after the format, in the run."""

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
    """A file that answers by itself (see `llama_model.LlamaModel`)."""

    def prompt_ids(self, messages: Messages) -> list[int]: ...

    def answers(
        self, prompts: Sequence[Messages], *, max_new_tokens: int, listener: Listener, task: str
    ) -> list[Answer]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Llama:
    """llama.cpp; `version` is None where it is not installed."""

    version: Callable[[], str | None] = llama_version
    load: Callable[[Path], Artifact] = LlamaModel
    quantise: Callable[[Path, Path, str], None] = quantise


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """ms-swift's export; `lacking`: what this machine lacks for a method."""

    lacking: Callable[[str], tuple[str, ...]] = ms_swift.lacking
    quantise: Callable[[QuantisingJob], None] = ms_swift.quantise


@dataclass(frozen=True, kw_only=True)
class Backends:
    """The strangers that an export needs; tests hand in their own."""

    load: Load = load_model
    llama: Llama = field(default_factory=Llama)
    quantiser: Quantiser = field(default_factory=Quantiser)


class Gate(Protocol):
    """What the parity gate found."""

    @property
    def holds(self) -> bool: ...

    @property
    def why(self) -> str:
        """The reason in words, where it does not hold."""

    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """One export under way: the run's side, the probes of its gate, and the doors."""

    run: Run
    side: Side
    probes: ProbeSet
    listener: Listener
    backends: Backends = field(default_factory=Backends)

    @property
    def system(self) -> str:
        """The system prompt that the run was trained under."""
        return str(self.run.record["recipe"]["system"])

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
        return [conversation(prompt, self.system) for prompt in self.prompts]

    def answers(self, model: LanguageModel, task: str) -> list[Answer]:
        """One a probe, in the probes' order."""
        return model.answers(
            self.conversations, max_new_tokens=MAX_NEW_TOKENS, listener=self.listener, task=task
        )  # fmt: skip


class Form(Protocol):
    """One format. `name`: as in `--to`; `title`: as in a sentence; `folder`: its default name in the run.

    `options`: what else tells one export of an adapter from another; it stands in the manifest.
    """

    name: str

    @property
    def title(self) -> str: ...

    @property
    def folder(self) -> str: ...

    @property
    def options(self) -> Mapping[str, Any]: ...

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:
        """Refuses what cannot be made, before anything is written: raises ToolkitError. Returns notes for the user."""

    def bytes_needed(self, side: Side) -> int:
        """On the disk of the target, while it is being written."""

    def write(self, folder: Path, job: Job) -> Gate:
        """Writes into `folder`, which is empty, loads what was written afresh, and asks it the probes."""


@runtime_checkable
class Portable(Protocol):
    """A format whose folder leaves this machine: its manifest names no path of it.

    `following`: the files that follow the run, and so may change beside the weights of an earlier export.
    """

    mutable_files: frozenset[str]

    def refresh(self, folder: Path, side: Side) -> None:
        """Brings these files up to date."""
