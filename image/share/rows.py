"""What a replay needs beside a published adapter: rows, log and probes, as an OCI referrer to it, and as a run again.

Rows may be private: they travel only where `--with-rows` asks for it. `toolkit verify-evidence` and `toolkit replay`
compare each with its sha256.
"""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image.attached.manifest import FILE_PATH, TITLE, Artifact, Blob, make_referrer
from image.attached.referrers import Attached, find_attached
from image.core.errors import ConfigError, RegistryError, first_line
from image.core.files import file_digest, locked_folder, shareable_files
from image.registry import Repository
from image.share.artifact import MAX_TEXT_BYTES
from image.share.run_layer import RECORD, WEIGHTS

ROWS_TYPE = "application/vnd.finetune-and-prove.rows.v1"
FILE_TYPE = "application/octet-stream"
FILES = (
    "train.jsonl", "eval.jsonl", "development.jsonl", "questions.jsonl", "keep.jsonl", "logging.jsonl", "probes.yaml",
)  # fmt: skip
CHECKPOINT_FILES = ("adapter_config.json", "trainer_state.json")
CHECKPOINT = re.compile(r"checkpoint-\d{1,12}")
REPORTS = ("report.json", "report.md")
RUN_SUFFIX = "-run"
MAX_ROWS_BYTES = 16 * MAX_TEXT_BYTES  # of one file


def pack_rows(run: Path, record: Mapping[str, Any], artifact: Artifact) -> Artifact:
    """The referrer to `artifact` with the files of its run. Raises ConfigError for a link."""
    checkpoint = str(record["adapter"]["path"])
    if not CHECKPOINT.fullmatch(checkpoint):
        raise ConfigError(f"{run / RECORD} does not name the checkpoint of its adapter.", next="Train it again.")
    paths = [*shareable_files(run, *FILES), *shareable_files(run / checkpoint, *CHECKPOINT_FILES)]
    blobs = tuple(Blob.of_file(path, FILE_TYPE, path.relative_to(run).as_posix()) for path in paths)
    return make_referrer(ROWS_TYPE, blobs, artifact.subject)


def pull_rows(registry: Repository, subject: str, adapter: Path) -> Path:
    """The run's folder beside the pulled `adapter`, with everything that a replay needs.

    Raises RegistryError where no rows are attached, and ConfigError where the folder cannot be made.
    """
    attached = next(find_attached(registry, subject, ROWS_TYPE), None)
    if attached is None:
        raise RegistryError(
            f"{registry.address} has no rows attached.",
            next="Its publisher can attach them: publish-adapter --with-rows.",
        )
    checkpoint = _checkpoint(adapter)
    blobs = [_blob(layer, checkpoint, registry) for layer in attached.layers]
    folder = adapter.with_name(adapter.name + RUN_SUFFIX)
    if folder.exists():
        if any(not (folder / one.name).is_file() or file_digest(folder / one.name) != one.digest for one in blobs):
            raise ConfigError(f"{folder} exists and contains something else.", next="Move it away, and pull again.")
        return folder
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        with locked_folder(partial):
            _fill(partial, checkpoint, registry, blobs, adapter)
            partial.rename(folder)
    except OSError as error:
        raise ConfigError(f"Cannot write {folder}: {first_line(error)}.", next="Choose another with --to.") from error
    return folder


def _fill(run: Path, checkpoint: str, registry: Repository, blobs: list[Blob], adapter: Path) -> None:
    """Fills the empty folder, or removes it."""
    try:
        for leftover in run.iterdir():  # of a pull that was killed
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        for folder in (checkpoint, "compare"):
            (run / folder).mkdir()
        shutil.copytree(adapter, run / "adapter")
        shutil.copyfile(adapter / RECORD, run / RECORD)
        shutil.copyfile(adapter / WEIGHTS, run / checkpoint / WEIGHTS)
        for name in REPORTS:
            if (adapter / name).is_file():
                shutil.copyfile(adapter / name, run / "compare" / name)
        for blob in blobs:
            registry.fetch_blob(blob.digest, blob.size_bytes, run / blob.name)
    except BaseException:
        shutil.rmtree(run, ignore_errors=True)
        raise


def _checkpoint(adapter: Path) -> str:
    try:
        name = str(json.loads((adapter / RECORD).read_text(encoding="utf-8"))["adapter"]["path"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        name = ""
    if not CHECKPOINT.fullmatch(name):
        raise ConfigError(f"{adapter / RECORD} does not name a checkpoint.", next="Pull it again.")
    return name


def _blob(layer: Any, checkpoint: str, registry: Repository) -> Blob:
    """Raises RegistryError for a layer that this run cannot have."""
    blob = Attached.blob(layer, MAX_ROWS_BYTES)
    if blob is not None:
        annotations = layer.get("annotations")
        name = str(annotations.get(FILE_PATH) or annotations.get(TITLE)) if isinstance(annotations, Mapping) else ""
        if name in {*FILES, *(f"{checkpoint}/{file}" for file in CHECKPOINT_FILES)}:
            return Blob(media_type=FILE_TYPE, digest=blob[0], size_bytes=blob[1], name=name)
    raise RegistryError(
        f"{registry.address} has rows attached that are not valid.", next="Pull only from sources you trust."
    )
