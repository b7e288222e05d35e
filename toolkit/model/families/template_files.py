"""What a model's folder says of its chat templates before anything is loaded: whether they render, and what they take.

Each is tried in the limited child process, as `toolkit.model.chat_template` renders conversations.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ModelError
from toolkit.core.limited_process import RefusedError, limited_process
from toolkit.core.text import OPEN_THOUGHT
from toolkit.model.chat_template import SWITCH, TRIAL, render, takes_system, takes_tools, thinks
from toolkit.model.conversation import Messages

TOKENIZER_CONFIG = "tokenizer_config.json"
FILE = "chat_template.jinja"
LONGEST = 1_000_000  # characters of a template


class _FolderTemplate:
    """What is asked of a tokenizer. `special_tokens`: by their names in templates."""

    def __init__(self, template: str, special_tokens: Mapping[str, str]) -> None:
        self.chat_template, self.special_tokens = template, special_tokens

    def apply_chat_template(self, messages: Messages, *, tokenize: bool, **values: Any) -> str:
        assert not tokenize  # there are no tokens yet
        return render(self.chat_template, {**self.special_tokens, "messages": messages, **values})


def require_renderable(folder: Path, tokenizer_config: Mapping[str, Any]) -> None:
    """Raises ModelError unless each chat template of the model in `folder` renders a question within the limits."""
    for template in _templates(folder, tokenizer_config):
        if fault := _fault(template, _special_tokens(tokenizer_config)):
            raise ModelError(
                f"The chat template of {folder} cannot be used: {fault.rstrip('.')}.",
                next="Use another copy of the model.",
            )


def _templates(folder: Path, tokenizer_config: Mapping[str, Any]) -> Iterator[str]:
    """From its file, and from the tokenizer's configuration: a text, or a list of named ones."""
    if (folder / FILE).is_file():
        with (folder / FILE).open(encoding="utf-8", errors="replace") as file:
            yield file.read(LONGEST + 1)
    given = tokenizer_config.get("chat_template")
    for entry in given if isinstance(given, list) else [given]:
        template = entry.get("template") if isinstance(entry, dict) else entry
        if isinstance(template, str):
            yield template


def folder_takes_system(folder: Path, tokenizer_config: Mapping[str, Any]) -> bool:
    """Whether its chat template has a place for a system message; True where there is no template."""
    template = next(_of_folder(folder, tokenizer_config), None)
    return template is None or takes_system(template)


def folder_takes_tools(folder: Path) -> bool:
    """Whether a base model that was found here has a chat template with a place for tools; True if it has none."""
    templates = list(_of_folder(folder, read_json(folder / TOKENIZER_CONFIG)))
    return not templates or any(map(takes_tools, templates))


def folder_thinks(folder: Path, tokenizer_config: Mapping[str, Any]) -> bool:
    """Whether its chat template asks the model to think, or not to; False where there is no template."""
    template = next(_of_folder(folder, tokenizer_config), None)
    return (
        template is not None
        and any(one in template.chat_template for one in (SWITCH, OPEN_THOUGHT))
        and thinks(template)
    )


def _of_folder(folder: Path, tokenizer_config: Mapping[str, Any]) -> Iterator[_FolderTemplate]:
    special_tokens = dict(_special_tokens(tokenizer_config))
    return (_FolderTemplate(one, special_tokens) for one in _templates(folder, tokenizer_config))


def _special_tokens(tokenizer_config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What transformers hands to a template beside the messages: `bos_token` and the like, each with its text."""
    given = {name: tokenizer_config.get(f"{name}_token") for name in ("bos", "eos", "pad", "unk")}
    texts = {name: one.get("content") if isinstance(one, dict) else one for name, one in given.items()}
    return tuple((f"{name}_token", text if isinstance(text, str) else "") for name, text in texts.items())


@lru_cache(maxsize=16)
def _fault(template: str, special_tokens: tuple[tuple[str, str], ...] = ()) -> str | None:
    """Why the template cannot be used; None if it can."""
    if len(template) > LONGEST:
        return f"it has more than {LONGEST} characters"
    try:
        limited_process().ask("render", template=template, values={**TRIAL, **dict(special_tokens)})
    except RefusedError as error:
        return str(error)
    return None
