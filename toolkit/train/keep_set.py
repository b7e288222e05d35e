"""The keep set: prompts whose answers must not change, and the base model's answers to them, cached in a file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import DataError
from toolkit.runs.cache import cache_file, read_lines, write_lines

PROMPT_KEYS = ("prompt", "query", "instruction", "question")


@dataclass(frozen=True, kw_only=True)
class KeepAnswer:
    """A keep prompt with its system prompt, and the base model's greedy answer as token ids without the end mark.

    `thinking`: the answer to a prompt that asks for a thought, which it begins with.
    """

    prompt: str
    system: str
    tokens: tuple[int, ...]
    thinking: bool = False


def read_keep_prompts(path: Path) -> list[str]:
    """The prompts of a JSON lines file such as data/general.jsonl; its answers are ignored. Raises DataError."""
    try:
        lines = read_text(path).split("\n")  # only \n: U+2028 and its like may stand inside a JSON string
    except OSError as error:
        raise DataError(f"No keep set {path}: {error.strerror}.", next="Name a file with --keep.") from None
    except UnicodeDecodeError:
        raise DataError(f"The keep set {path} is not UTF-8.", next="Save it as UTF-8.") from None
    except ValueError as error:
        raise DataError(f"The keep set {path} cannot be read: {error}.", next="Name another with --keep.") from None
    prompts = [_prompt(line, number, path) for number, line in enumerate(lines, start=1) if line.strip()]
    if not prompts:
        raise DataError(f"The keep set {path} is empty.", next="Name a file with prompts, or train with keep_weight 0.")
    return list(dict.fromkeys(prompts))


def _prompt(line: str, number: int, path: Path) -> str:
    try:
        value = parse_json(line, unique_keys=True)
    except ValueError as error:
        raise DataError(f"{path}, line {number}, is not JSON: {error}.", next='Each line is {"prompt": "…"}.') from None
    found = [value[key] for key in PROMPT_KEYS if isinstance(value, dict) and isinstance(value.get(key), str)]
    if not found or not found[0].strip():
        raise DataError(f"{path}, line {number}, has no prompt.", next='Each line is {"prompt": "…"}.')
    return str(found[0]).strip()


def asks_to_think(number: int, thought_tokens: int) -> bool:
    """Whether that keep prompt asks for a thought: every other pair of them, since system prompts alternate too."""
    return thought_tokens > 0 and number // 2 % 2 == 1


def cache_path(
    folder: Path, *, model: str, prompts: Sequence[tuple[str, str]], max_new_tokens: int, thought_tokens: int = 0
) -> Path:
    """The name depends on the model's fingerprint, the (prompt, system prompt) pairs and the answers' lengths."""
    thoughts = [thought_tokens] if thought_tokens else []
    return cache_file(folder, "keep", [model, [list(pair) for pair in prompts], max_new_tokens, *thoughts])


def read_cache(path: Path) -> list[KeepAnswer] | None:
    """The cached answers; None if the file is missing, incomplete or changed."""
    lines = read_lines(path)
    try:
        return None if lines is None else [
            KeepAnswer(prompt=one["prompt"], system=one["system"], tokens=tuple(one["tokens"]),
                       thinking=one.get("thinking", False))
            for one in lines
        ]  # fmt: skip
    except (KeyError, TypeError):
        return None


def write_cache(path: Path, answers: Sequence[KeepAnswer]) -> None:
    """Writes in one step; without a cache the answers are only made again, so errors are ignored."""
    write_lines(path, [asdict(one) | {"tokens": list(one.tokens)} for one in answers])


def draw_rows(count: int, draw: int, size: int, seed: int) -> list[int]:
    """The indices that the `draw`-th draw of `size` takes out of `count` rows: each once before any comes again.

    A pure function of its arguments, so that a resumed training draws the same rows as an uninterrupted one.
    """
    drawn: list[int] = []
    position = draw * size
    while len(drawn) < size:
        lap, at = divmod(position + len(drawn), count)
        drawn += _order(count, lap, seed)[at : at + size - len(drawn)]
    return drawn


@lru_cache(maxsize=64)  # a step draws from several sets, each a few rows of the same lap
def _order(count: int, lap: int, seed: int) -> tuple[int, ...]:
    import random

    order = list(range(count))
    random.Random(f"{seed}:{lap}").shuffle(order)  # noqa: S311  # a repeatable order, not a secret
    return tuple(order)
