"""Neutral text: what the base model itself answers to shipped prompts, generated once and cached."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from toolkit.compare.questions import read_bank
from toolkit.core.documents import read_text
from toolkit.core.errors import DataError
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.files import data_folder
from toolkit.core.plain_yaml import parse_yaml
from toolkit.model.conversation import Messages, conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.runs.cache import cache_file, read_lines, write_lines

PROMPTS = "neutral_prompts.yaml"
TEXT_TOKENS, OPENING_TOKENS = 128, 24  # the longest text, and the longest beginning of an answer to a bank's question
OPENINGS = 0.3  # of the prompts are the bank's questions
AVERAGE_TOKENS = 80  # of a text or a beginning, to choose how many prompts a number of tokens takes
BATCHES = 4  # of the model's, at once


@dataclass(frozen=True, kw_only=True)
class NeutralText:
    """`tokens`: the base model's greedy answer, with the mark that ends it if it ended."""

    prompt: str
    system: str
    tokens: tuple[int, ...]

    @property
    def messages(self) -> Messages:
        return conversation(self.prompt, self.system)


def neutral_prompts(tokens: int) -> list[tuple[str, int]]:
    """Prompts for about so many tokens of text, each with its longest answer; always the same, mixed. Raises DataError.

    Every beginning of the list has both languages and all forms in proportion.
    """
    count = max(tokens // AVERAGE_TOKENS, 1)
    openings = [(prompt, OPENING_TOKENS) for prompt in read_bank().prompts[: round(count * OPENINGS)]]
    texts = [(prompt, TEXT_TOKENS) for prompt in _written_prompts()[: count - len(openings)]]
    return [*texts, *openings]


def _written_prompts() -> list[str]:
    path = data_folder() / PROMPTS
    try:
        parts, _ = parse_yaml(read_text(path))
        pairs = [pair for part in parts.values() for pair in product(part["forms"], part["subjects"])]
        prompts = [str(form).format(subject) for form, subject in pairs]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"The prompts for neutral text {path} cannot be read: {error}.", next="Restore it.") from None
    random.Random(0).shuffle(prompts)  # noqa: S311  # a repeatable mixture, not a secret
    return prompts


def neutral_texts(
    model: LanguageModel, tokens: int, system: str, *, fingerprint: str, cache: Path, listener: Listener = silent
) -> list[NeutralText]:
    """About so many tokens of the model's own text; `model` answers as the base. Empty answers are left out.

    `fingerprint`: of the base model, for the cache; `cache`: its folder. Raises DataError, and ModelError for logits
    that are not finite.
    """
    prompts = neutral_prompts(tokens)
    file = cache_file(cache, "neutral", [fingerprint, system, model.precision, prompts])
    found = _read(file)
    if found is None:
        found = _generated(model, prompts, system, listener)
        write_lines(file, [{"prompt": one.prompt, "system": system, "tokens": list(one.tokens)} for one in found])
    return found


def _read(file: Path) -> list[NeutralText] | None:
    lines = read_lines(file)
    try:
        return None if lines is None else [_text(one) for one in lines]
    except (KeyError, TypeError):
        return None


def _text(line: dict[str, Any]) -> NeutralText:
    return NeutralText(prompt=line["prompt"], system=line["system"], tokens=tuple(line["tokens"]))


def _generated(
    model: LanguageModel, prompts: Sequence[tuple[str, int]], system: str, listener: Listener
) -> list[NeutralText]:
    found: list[NeutralText] = []
    for longest in (TEXT_TOKENS, OPENING_TOKENS):
        chosen = [prompt for prompt, limit in prompts if limit == longest]
        at_once = BATCHES * model.batch_size
        for start in range(0, len(chosen), at_once):  # an answer brings logits of a vocabulary's width
            batch = chosen[start : start + at_once]
            answers = model.answers(
                [conversation(one, system) for one in batch], max_new_tokens=longest, batch_size=at_once
            )
            found += [
                NeutralText(prompt=prompt, system=system, tokens=_ended(model, answer, longest))
                for prompt, answer in zip(batch, answers, strict=True)
                if answer.tokens
            ]
            listener(Progress(task="Neutral text", done=len(found), total=len(prompts)))
    return found


def _ended(model: LanguageModel, answer: Answer, longest: int) -> tuple[int, ...]:
    """With the end mark, where it ended by itself: what a model adds behind an answer takes the mark's place."""
    end = model.template_end if model.template_end is not None else model.end_tokens[0]
    return (*answer.tokens, end) if len(answer.tokens) < longest else tuple(answer.tokens)
