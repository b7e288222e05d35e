"""The files beside exported weights: tokenizer, licence, and the notice of changes that Apache-2.0 requires."""

import os
from collections.abc import Sequence
from pathlib import Path

from toolkit.compare.sides import Side
from toolkit.core.errors import ConfigError
from toolkit.core.files import now
from toolkit.core.links import copy_regular_file
from toolkit.runs.layout import adapter_sha256

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", "generation_config.json",
)  # fmt: skip
LICENCE_FILES = ("LICENSE", "NOTICE")


def copy_companions(folder: Path, side: Side, names: Sequence[str]) -> None:
    """Copies those of `names` that the base model's folder has, byte for byte."""
    for name in names:
        if (source := find_companion(side.model.path, name)) is not None:
            copy_regular_file(source, folder / name)


def find_companion(model: Path, name: str) -> Path | None:
    """The regular file `name` of a model's folder; None where it has none.

    A link is followed only within the folder, or from a snapshot in a hub's cache (`models--*/snapshots/*`) to its
    `blobs`. Raises ConfigError for any other: else a model could have files of this machine published.
    """
    path = model / name
    if not os.path.lexists(path):
        return None
    try:
        found = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a broken link, a circle of links
        found = None
    if found is None or not found.is_file() or not any(found.is_relative_to(folder) for folder in _own_folders(model)):
        raise ConfigError(
            f"{path} is not a regular file of the model's folder.", next="Replace it by the file itself, or remove it."
        )
    return found


def _own_folders(model: Path) -> list[Path]:
    folder = model.resolve()
    in_cache = folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--")
    return [folder, folder.parents[1] / "blobs"] if in_cache else [folder]


def write_change_notice(folder: Path, side: Side, *further: str) -> None:
    """Writes CHANGES.md; `further`: what else was done to the weights, a sentence each."""
    (folder / "CHANGES.md").write_text(
        f"# Changes\n\nThese weights are those of {side.model.repository or side.model.name}"
        f"{f' at revision {side.model.revision}' if side.model.revision else ''}, changed:\n"
        f"a LoRA adapter (sha256 {adapter_sha256(side.adapter)}, run {side.name}) was merged into them on {now()}.\n"
        + "".join(f"{sentence}\n" for sentence in further)
        + "The base model's licence applies; its text is beside this file if the base model includes one.\n",
        encoding="utf-8",
    )
