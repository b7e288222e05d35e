"""Whether an adapter is the recorded one, and its base model the one that it was trained on: else it is refused."""

from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.file_stats import sha256_once
from toolkit.model.base_model import BaseModel
from toolkit.runs.layout import ADAPTER_CONFIG, ADAPTER_FILE
from toolkit.runs.run import Run, require_own_files


def require_recorded_adapter(run: Run) -> None:
    """Raises ModelError if the files of the run's adapter are not those that run.json has the sha256 of.

    Raises ConfigError where that is so because of a link that leads out of the run's folder.
    """
    record, adapter = run.record.adapter, run.adapter
    if record is None or record.path != adapter.name:
        return
    for name, expected in ((ADAPTER_FILE, record.sha256), (ADAPTER_CONFIG, record.config_sha256)):
        if expected is None:
            continue
        try:
            found = sha256_once(adapter / name)
        except OSError as error:
            raise ModelError(f"{adapter / name} cannot be read: {error.strerror}.", next="Train again.") from None
        if found != expected:
            require_own_files(run)  # a planted link is named as such, and nothing of what it leads to
            raise ModelError(
                f"{adapter / name} is not the file that was trained: its sha256 is {found[:12]}…, "
                f"and run.json has {expected[:12]}….",
                next="Restore it from a copy of the run, or train again; to use the changed adapter, name its folder.",
            )


def require_named_base(adapter: Path, base: BaseModel, path: str = "") -> None:
    """Raises ConfigError if the adapter's configuration names another base model than `base`, or another revision.

    `path`: where the base was at the time of the training, which the configuration may name too.
    """
    config = _config(adapter)
    named, revision = config.get("base_model_name_or_path"), config.get("revision")
    if isinstance(named, str) and named and named != path and not _is(base, named):
        raise ConfigError(
            f"The adapter in {adapter} names {named} as its base model, which is not {base.name}.",
            next=f"Name the base model with --model: --model {base.path} for this one all the same.",
        )
    if isinstance(revision, str) and revision and base.revision and revision not in {"main", base.revision}:
        raise ConfigError(
            f"The adapter in {adapter} was trained on revision {revision[:12]} of {named}; {base.path} has revision "
            f"{base.revision[:12]}.",
            next=f"Download that revision, or give --model {base.path} to use this one all the same.",
        )


def _is(base: BaseModel, named: str) -> bool:
    """Whether a hub id, a path or a name is this base model."""
    path = Path(named)
    if path.is_dir() and path.resolve() == base.path.resolve():
        return True
    parts = path.parts
    if "snapshots" in parts and parts.index("snapshots") > 0:  # a hub's cache: models--<owner>--<name>/snapshots/<hash>
        named = parts[parts.index("snapshots") - 1].rpartition("--")[2]
    names = {base.name, base.path.name, base.repository or ""}
    return named.rstrip("/").rpartition("/")[2].lower() in {name.rpartition("/")[2].lower() for name in names}


def _config(adapter: Path) -> dict[str, Any]:
    try:
        config = read_json(adapter / ADAPTER_CONFIG)
    except (OSError, ValueError):
        return {}  # loading it says what is wrong
    return config if isinstance(config, dict) else {}
