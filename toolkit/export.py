"""Writes a merged model, loads it afresh, and lets it out only when it answers as base and adapter did."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.base_model import find_base_model
from toolkit.compare import MAX_NEW_TOKENS, Load, load_model, probes_for
from toolkit.errors import ConfigError, ExportError, ModelError
from toolkit.language_model import Answer, LanguageModel, conversation, released
from toolkit.parity import Parity, judge_parity
from toolkit.probes import ProbeSet, read_probes
from toolkit.progress import Listener, silent
from toolkit.run_record import find_run, now, write_json
from toolkit.sides import EXPORT_MANIFEST, Side, adapter_sha256, run_side

DISK_MARGIN_BYTES = 100_000_000
# Copied byte for byte, so that the merged model reads and speaks exactly as its base.
CARRIED_FILES = (
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", "generation_config.json", "LICENSE", "NOTICE",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """`folder` None: merged/ in the run."""

    run: str | None = None
    model: str | None = None
    folder: Path | None = None
    probes: Path | None = None
    output: Path = Path("output")
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Exported:
    """`fresh` is False where the same adapter had been exported there before."""

    folder: Path
    parity: Mapping[str, Any]
    fresh: bool


def export_merged(config: ExportConfig, *, listener: Listener = silent, load: Load = load_model) -> Exported:
    """Raises ExportError when the parity gate fails: the result then stands in `….rejected`."""
    side = run_side(find_run(config.run, config.output), model=config.model)
    assert side.run is not None
    target = (config.folder or side.run.folder / "merged").absolute()
    digest = adapter_sha256(side.adapter)
    if (found := _existing(target, digest, force=config.force)) is not None:
        return found
    _require_disk(target, side.model.weight_bytes)
    probes = read_probes(config.probes or probes_for(side))
    partial = target.with_name(f"{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        parity = _merged_into(partial, side, probes, listener, load)
        return _let_out(partial, target, side, digest, parity)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if (told := _told(error, target)) is not None:
            raise told from error
        raise


def _merged_into(folder: Path, side: Side, probes: ProbeSet, listener: Listener, load: Load) -> Parity:
    assert side.run is not None
    assert side.adapter is not None
    assert side.key is not None
    system = str(side.run.record["recipe"]["system"])
    dtype = stored_dtype(side.model.config)
    with released(load(side.model.path, {side.key: side.adapter})) as model, model.side(side.key):
        expected = _answers(model, probes, system, listener, "With adapter")
        model.save_merged(side.key, folder, dtype=dtype)
    _complete(folder, side)
    with released(load(folder, {})) as merged:
        answered = _answers(merged, probes, system, listener, "Merged")
    return judge_parity([probe.prompt for probe in probes.probes], expected, answered, dtype)


def _told(error: BaseException, target: Path) -> ExportError | None:
    """The error as the user should read it; None where it already is, or is a bug."""
    if "No space left" in str(error):  # safetensors tells it in words of its own
        return ExportError(f"The disk of {target} is full.", next="Free some space, or name another --folder.")
    if isinstance(error, OSError):
        return ExportError(f"The export to {target} failed: {error.strerror or error}.", next="Name another --folder.")
    return None


def stored_dtype(config: Mapping[str, Any]) -> str:
    """The type that the base model's files hold, as config.json says it."""
    return str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix("torch.")


def _existing(target: Path, digest: str | None, *, force: bool) -> Exported | None:
    if not target.exists():
        return None
    try:
        manifest = json.loads((target / EXPORT_MANIFEST).read_text(encoding="utf-8"))
        exported, parity = manifest["adapter_sha256"], dict(manifest["parity"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{target} was not written by an export (it has no {EXPORT_MANIFEST}).",
            next="Move it away, or name another --folder.",
        ) from None
    if force:
        return None
    if exported != digest:
        raise ConfigError(
            f"{target} exists and is not this run's export.",
            next="Give --force to replace it, or name another --folder.",
        )
    try:
        find_base_model(str(target))
    except ModelError as error:
        raise ExportError(f"The earlier export is damaged: {error.what}", next="Give --force to replace it.") from None
    return Exported(folder=target, parity=parity, fresh=False)


def _require_disk(target: Path, weight_bytes: int) -> None:
    place = target.parent
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(place).free, weight_bytes + DISK_MARGIN_BYTES
    if free < needed:
        raise ExportError(
            f"{place} has {free / 1e9:.1f} GB free, the merged model needs {needed / 1e9:.1f} GB.",
            next="Free some space, or name another folder with --folder.",
        )


def _answers(
    model: LanguageModel, probes: ProbeSet, system: str, listener: Listener, task: str
) -> list[Answer]:  # fmt: skip
    prompts = [conversation(probe.prompt, system) for probe in probes.probes]
    return model.answers(prompts, max_new_tokens=MAX_NEW_TOKENS, listener=listener, task=task)


def _complete(folder: Path, side: Side) -> None:
    """Tokenizer, licence, and the statement of changes that Apache-2.0 asks for."""
    for name in CARRIED_FILES:
        if (side.model.path / name).is_file():
            shutil.copyfile(side.model.path / name, folder / name)
    (folder / "CHANGES.md").write_text(
        f"# Changes\n\nThese weights are those of {side.model.repository or side.model.name}"
        f"{f' at revision {side.model.revision}' if side.model.revision else ''}, changed:\n"
        f"a LoRA adapter (sha256 {adapter_sha256(side.adapter)}, run {side.name}) was merged into them on {now()}.\n"
        "The base model's licence applies; its text stands beside this file where the base model brings one.\n",
        encoding="utf-8",
    )


def _let_out(partial: Path, target: Path, side: Side, digest: str | None, parity: Parity) -> Exported:
    manifest = {
        "schema_version": 1,
        "format": "merged",
        "run_id": side.name,
        "base_model": side.model.to_dict(),
        "adapter_sha256": digest,
        "exported_at": now(),
        "parity": parity.to_dict(),
    }
    write_json(partial / EXPORT_MANIFEST, manifest)
    if not parity.holds:
        rejected = target.with_name(f"{target.name}.rejected")
        shutil.rmtree(rejected, ignore_errors=True)
        partial.rename(rejected)
        raise ExportError(f"The merged model answers differently: {_why(parity)}.", next=f"It stands in {rejected}.")
    old = target.with_name(f"{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return Exported(folder=target, parity=parity.to_dict(), fresh=True)


def _why(parity: Parity) -> str:
    drift = f"largest logit difference {parity.largest_logit_difference:.2g} (at most {parity.tolerance:g})"
    if not parity.mismatches:
        return drift
    first = parity.mismatches[0]
    return f"{len(parity.mismatches)} of {parity.probes} probes, the first {first.prompt!r}; {drift}"
