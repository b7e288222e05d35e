"""The two sides of a comparison: the base model, a run, the folder of an adapter or a merged model, or a prompt.

A prompt is a side of its own, `system:TEXT`: the base model with instructions in place of a fine-tune.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.compare.matching import require_named_base, require_recorded_adapter
from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError, ModelError
from toolkit.data.tools.calls import ToolCall, json_text
from toolkit.data.tools.forms import HERMES, CallForm, form_of
from toolkit.model.base_model import BaseModel, find_base_model, find_recorded_base, find_trained_base
from toolkit.model.conversation import DEFAULT_SYSTEM
from toolkit.model.families.own_calls import ARGUMENTS, NAME
from toolkit.model.language_model import LanguageModel, Load
from toolkit.runs.layout import ADAPTER_CONFIG, ADAPTER_FILE, EXPORT_MANIFEST, adapter_sha256
from toolkit.runs.run import Run, find_run

BASE = "base"
PROMPT = "system:"
LONGEST_NAME = 60  # of a prompt, where sides are named
SCALED = re.compile(r"(.+)@(0(?:\.\d+)?|1(?:\.0+)?)")


@dataclass(frozen=True, kw_only=True)
class Side:
    """`model` answers, with `adapter` if there is one; `kind`: base, run, adapter, model or system.

    `scale`: how strongly the adapter is applied, from 0 to 1. `system`: the system prompt of every question to it.
    """

    kind: str
    name: str
    model: BaseModel
    adapter: Path | None = None
    run: Run | None = None
    scale: float = 1.0
    system: str | None = None

    @property
    def training_system(self) -> str | None:
        """The system prompt that the run was trained under; None for a side that is not a run."""
        return None if self.run is None else self.run.record.system

    @property
    def default_system(self) -> str:
        """The system prompt to ask it under when the user names none: the run's own, or the base model's usual one."""
        return DEFAULT_SYSTEM if self.training_system is None else self.training_system

    @property
    def key(self) -> str | None:
        """The adapter's name in a loaded model; None for the model without one."""
        return None if self.adapter is None else f"a{hashlib.sha256(str(self.adapter).encode()).hexdigest()[:12]}"

    @property
    def adapter_switch(self) -> str | None:
        """The argument of `LanguageModel.side` for this side."""
        return self.key if self.key is None or self.scale == 1 else f"{self.key}@{self.scale:g}"

    def scaled(self, scale: float) -> "Side":
        """The side with its adapter at this strength. Raises ConfigError if it has no adapter."""
        if self.adapter is None:
            raise ConfigError(f"{self.name} has no adapter to scale.", next="Name a run, or an adapter's folder.")
        return replace(self, scale=scale)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name if self.scale == 1 else f"{self.name}@{self.scale:g}",
            "model": self.model.to_dict(),
            "adapter": None if self.adapter is None else str(self.adapter),
            "adapter_sha256": adapter_sha256(self.adapter),
            "scale": self.scale,
            "system": self.system,
        }


def run_side(run: Run, *, model: str | None = None) -> Side:
    """A run on the base model that it was trained on, loaded as it was then; on `model` if that moved."""
    trained_on = run.record.base_model
    require_recorded_adapter(run)
    if model is None:
        base = find_trained_base(trained_on)
        require_named_base(run.adapter, base, trained_on.path)
    else:
        base = replace(find_base_model(model), in_4bit=trained_on.load_in_4bit)
    return Side(kind="run", name=run.run_id, model=base, adapter=run.adapter, run=run)


def find_side(text: str, output: Path, *, beside: BaseModel | None, model: str | None = None) -> Side:
    """`beside`: the base model of the other side; `base`, a prompt and an adapter's folder use it too.

    `NAME@0.5` is an adapter at half its strength. Raises ConfigError if nothing has that name.
    """
    folder = Path(text)
    if text == BASE or text.startswith(PROMPT):
        base = _base_for(beside, model)
        return Side(kind="base", name=base.title, model=base) if text == BASE else _prompt(text, base)
    if (scaled := SCALED.fullmatch(text)) and not folder.exists():
        return find_side(scaled[1], output, beside=beside, model=model).scaled(float(scaled[2]))
    if (folder / ADAPTER_CONFIG).is_file():
        _require_weights(folder)
        base = _base_for(beside, model or (_base_named_in(folder) if beside is None else None))
        if model is None:
            require_named_base(folder, base)
        return Side(kind="adapter", name=str(folder), model=base, adapter=folder.resolve())
    if (folder / "config.json").is_file():
        return Side(kind="model", name=str(folder), model=find_base_model(text))
    try:
        run = find_run(text, output)
    except ConfigError as error:
        raise ConfigError(
            f"No side {text!r}: neither base, nor system:TEXT, nor a run in {output}, "
            "nor a folder with an adapter or a model.",
            next=error.next,
        ) from None
    return run_side(run, model=model)


def _base_for(beside: BaseModel | None, model: str | None) -> BaseModel:
    """The other side's base, or `model` loaded in as many bits as that: else the comparison would show quantisation."""
    if beside is None:
        return find_base_model(model)
    return beside if model is None else replace(find_base_model(model), in_4bit=beside.in_4bit)


def _prompt(text: str, base: BaseModel) -> Side:
    system = text.removeprefix(PROMPT).strip()
    if not system:
        raise ConfigError("system: has no text behind it.", next='Write it in quotes: "system:You are Nova."')
    name = system if len(system) <= LONGEST_NAME else f"{system[: LONGEST_NAME - 1]}…"
    return Side(kind="system", name=name, model=base, system=system)


def base_of(side: Side) -> BaseModel | None:
    """The base model of a side; None for a merged model without a record of where it comes from."""
    if side.kind != "model":
        return side.model
    try:
        manifest = read_json(side.model.path / EXPORT_MANIFEST)
        name, path = str(manifest["base_model"]["name"]), str(manifest["base_model"]["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return find_recorded_base(name, path)


def _require_weights(adapter: Path) -> None:
    if not (adapter / ADAPTER_FILE).is_file():
        raise ConfigError(
            f"The adapter in {adapter} has no {ADAPTER_FILE}; pickled weights can run code and are not loaded.",
            next="Name the folder of a complete adapter.",
        )


def _base_named_in(adapter: Path) -> str:
    path = adapter / ADAPTER_CONFIG
    try:
        name = str(read_json(path)["base_model_name_or_path"] or "")
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{path} does not name its base model.", next="Name it with --model.") from None
    # Not Path.is_dir, which raises for a name that no disk can hold.
    return name if os.path.isdir(name) else name.rpartition("/")[2].lower()  # noqa: PTH112


def loaded(load: Load, base: BaseModel, adapters: Mapping[str, Path]) -> LanguageModel:
    """The base model, in 4 bits if it was trained so, with these adapters."""
    return load(base.path, adapters, in_4bit=True) if base.in_4bit else load(base.path, adapters)


def call_form(model: LanguageModel) -> CallForm:
    """The form of calls in the model's answers, which is what its chat template writes.

    Raises ModelError for one that is not known.
    """
    if (own := model.own_call) is None:
        return HERMES
    form = form_of(own, ToolCall(name=NAME, arguments=json_text(ARGUMENTS)))
    if form is None:
        raise ModelError(
            f"The base model's chat template writes a tool call in a form that nothing here reads: {own[:200]!r}.",
            next="Leave out the tools, or use a model that writes calls as JSON, such as Qwen2.5, Llama 3 or Mistral.",
        )
    return form
