"""Where an answer ends: what the base model's files say, and the mark that training taught, the chat template's own.

A base model may end with `<|endoftext|>` only, while its template ends each turn with `<|im_end|>`: a tuned model then
emits the latter, and would go on.
"""

from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.files import write_json

ANSWER = "0answer0"
GENERATION_CONFIG = "generation_config.json"


def end_tokens(tokenizer: Any, ends: int | list[int] | None, mark: str | None = None) -> list[int]:
    """The ids that end an answer. `ends`: eos_token_id of the model's generation_config; `mark`: see `answer_end`."""
    given = ends if isinstance(ends, list) else [ends]
    found = dict.fromkeys([*given, tokenizer.eos_token_id, answer_end(tokenizer, mark)])
    return [end for end in found if end is not None]


def answer_end(tokenizer: Any, mark: str | None) -> int | None:
    """`template_end`, else the id of `mark`, by which the family ends an answer (`Family.answer_end`); None without."""
    found = template_end(tokenizer)
    return tokenizer.convert_tokens_to_ids(mark) if found is None and mark is not None else found


def template_begins(tokenizer: Any) -> bool:
    """Whether the chat template begins a conversation with the tokenizer's token for that."""
    return bool(tokenizer.bos_token) and _trial(tokenizer).startswith(tokenizer.bos_token)


def template_end(tokenizer: Any) -> int | None:
    """The special token that the chat template puts after an answer; None if it puts none."""
    _, found, rest = _trial(tokenizer).rpartition(ANSWER)
    ids = list(tokenizer(rest.lstrip(), add_special_tokens=False)["input_ids"]) if found else []
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return int(ids[0]) if ids and ids[0] in special else None


def _trial(tokenizer: Any) -> str:
    """A question and an answer, as the chat template renders them."""
    if not getattr(tokenizer, "chat_template", None):
        return ""
    turns = [{"role": "user", "content": "0"}, {"role": "assistant", "content": ANSWER}]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False))
    except Exception:  # noqa: BLE001  # a template that fails is reported where a question is rendered
        return ""


def write_end_tokens(folder: Path, ends: list[int]) -> None:
    """Has a written model's generation_config.json end answers with all of these; unchanged where it does already."""
    path = folder / GENERATION_CONFIG
    config = read_json(path) if path.is_file() else {}
    given = config.get("eos_token_id")
    if set(given if isinstance(given, list) else [given]) != set(ends):
        write_json(path, config | {"eos_token_id": ends})
