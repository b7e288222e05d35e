"""The files beside exported weights: tokenizer, licence, and the notice of changes that Apache-2.0 requires."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from toolkit.compare.sides import Side
from toolkit.core.files import now
from toolkit.runs.layout import adapter_sha256

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", "generation_config.json",
)  # fmt: skip
LICENCE_FILES = ("LICENSE", "NOTICE")


def copy_companions(folder: Path, side: Side, names: Sequence[str]) -> None:
    """Copies those of `names` that the base model's folder has, byte for byte."""
    for name in names:
        if (side.model.path / name).is_file():
            shutil.copyfile(side.model.path / name, folder / name)


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
