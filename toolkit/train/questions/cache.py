"""The cache of the questions that a base model wrote: used again only for the same rows, model, seed and method."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from toolkit.data import texts
from toolkit.data.texts.names import Pair
from toolkit.runs.cache import cache_file, read_lines, write_lines
from toolkit.train.questions.question import Question

METHOD_FILES = (".py", ".yaml")
METHOD_FOLDERS = (Path(__file__).parent, Path(texts.__file__).parent)


def questions_cache(
    folder: Path, *, model: str, rows: Sequence[Pair], system: str, seed: int, general: object,
    excluded: Collection[str], inside: bool,
) -> Path:  # fmt: skip
    """`model`: its fingerprint; `general`: what the unrelated pairs depend on; `inside`: also in scope."""
    key = [method(), model, [list(pair) for pair in rows], system, seed, general, sorted(excluded), inside]
    return cache_file(folder, "questions", key)


def read_cache(path: Path) -> list[Question] | None:
    """The cached questions; None if the file is missing, incomplete or changed."""
    lines = read_lines(path)
    try:
        return None if lines is None else [Question(**line) for line in lines]
    except TypeError:  # another version's
        return None


def write_cache(path: Path, questions: Sequence[Question]) -> None:
    """Writes in one step; errors are ignored, since the questions are only written again."""
    write_lines(path, [asdict(one) for one in questions])


@cache
def method() -> str:
    """The digest of the code and the lists that questions are written with: another version writes others."""
    digest = hashlib.sha256()
    for folder in METHOD_FOLDERS:
        for path in sorted(folder.rglob("*")):
            if path.suffix in METHOD_FILES:
                digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
