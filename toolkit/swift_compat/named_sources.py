"""Finds what a command names that is not on this disk: a wrong path, or a model or data set of a hub. Pure."""

import re
from dataclasses import dataclass

from toolkit.core.errors import DataError, ModelError, ToolkitError
from toolkit.swift_compat.command_line import CommandLine
from toolkit.swift_compat.surroundings import Surroundings

DATA_FILES = (".json", ".jsonl", ".csv", ".txt", ".parquet", ".arrow")
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
MODELSCOPE, HUGGING_FACE = "ModelScope", "Hugging Face"


@dataclass(frozen=True, kw_only=True)
class HubName:
    name: str
    kind: str  # model, data set
    hub: str


def hub_names(line: CommandLine, surroundings: Surroundings) -> list[HubName]:
    """Models and data sets to fetch from a hub. Raises ModelError or DataError for a path that does not exist."""
    hub = (
        HUGGING_FACE
        if line.is_on("use_hf") or (surroundings.prefers_hugging_face and not line.find("use_hf"))
        else MODELSCOPE
    )
    adapters = (value.rpartition("=")[2] for value in line.values("adapters"))  # name=path, for several at once
    models = line.values("model", "ref_model", "reward_model")
    data = (_data_set(named, hub, surroundings) for named in line.values("dataset", "val_dataset"))
    return [
        *(_model(name, hub, _no_adapter(name, surroundings)) for name in adapters if not surroundings.exists(name)),
        *(_model(name, hub, _no_model(name)) for name in models if not surroundings.exists(name.replace(":", "/", 1))),
        *(name for name in data if name is not None),
    ]


def unreachable(names: list[HubName], host: str, reason: str) -> ToolkitError:
    kinds = {name.kind for name in names}
    sources = " and ".join(
        f"the {kind}{'s' if len(of) > 1 else ''} {', '.join(of)}"
        for kind in sorted(kinds) if (of := [name.name for name in names if name.kind == kind])
    )  # fmt: skip
    failure = ModelError if "model" in kinds else DataError
    here = "folders" if "model" in kinds else "files"
    return failure(
        f"Cannot reach {host} ({names[0].hub}) for {sources}: {reason}.",
        next=f"Name local {here} instead, or allow the network (the image runs without it unless asked).",
    )


def _model(name: str, hub: str, missing: ToolkitError) -> HubName:
    """Parses owner/name[:subfolder]; raises `missing` for anything else."""
    name = name.partition(":")[0]
    if not HUB_NAME.fullmatch(name):
        raise missing
    return HubName(name=name, kind="model", hub=hub)


def _no_model(name: str) -> ModelError:
    return ModelError(f"No model folder {name} here.", next="Name the folder with its config.json.")


def _no_adapter(name: str, surroundings: Surroundings) -> ModelError:
    checkpoints = surroundings.checkpoints()
    next_step = f"The last one is {checkpoints[-1]}." if checkpoints else "Train first: there is none in output/ yet."
    return ModelError(f"No adapter {name} here.", next=next_step)


def _data_set(named: str, hub: str, surroundings: Surroundings) -> HubName | None:
    """Parses [hf::|ms::]name-or-path[:subset][#rows] as ms-swift does; None if it is on this disk."""
    if surroundings.exists(named):
        return None
    prefix, mark, rest = named.partition("::")
    if mark:
        hub, named = {"hf": HUGGING_FACE, "ms": MODELSCOPE}.get(prefix.lower(), hub), rest
    path = named.rpartition("#")[0] or named
    if surroundings.exists(named) or surroundings.exists(path):
        return None
    name = path.partition(":")[0].strip()
    if surroundings.exists(name):
        return None
    if name.startswith(("/", "./", "../", "~")) or name.endswith(DATA_FILES):
        raise DataError(f"No data set {name} here.", next="Name an existing file, or owner/name on a hub.")
    return HubName(name=name, kind="data set", hub=hub)
