"""Chat templates are programs that others wrote: they are rendered in the limited child process, and only there.

A model's templates are tried once when its folder is found, before anything is loaded; transformers is made to render
there too (`render_in_child`), since a template may behave until it meets a certain message.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.core.errors import ModelError
from toolkit.core.limited_process import RefusedError, limited_process

FILE = "chat_template.jinja"
LONGEST = 1_000_000  # characters of a template
TRIAL = {"messages": [{"role": "user", "content": "Hello"}], "add_generation_prompt": True}


class _ChildTemplate:
    """What transformers takes for a compiled template."""

    def __init__(self, template: str) -> None:
        self.template = template

    def render(self, **values: Any) -> str:
        return render(self.template, values)


def render(template: str, values: Mapping[str, Any]) -> str:
    """The template's text for these values (messages, add_generation_prompt, …). Raises ModelError."""
    try:
        return str(limited_process().ask("render", template=template, values=dict(values)))
    except RefusedError as error:
        raise ModelError(
            f"The model's chat template does not render this conversation: {str(error).rstrip('.')}.",
            next="Use another copy of the model, or ask something that its template takes.",
        ) from None


def render_in_child() -> None:
    """From here on transformers renders no chat template in this process."""
    from transformers.utils import chat_template_utils

    chat_template_utils._compile_jinja_template = _ChildTemplate  # noqa: SLF001  # docs/fragile.md


def require_renderable(folder: Path, tokenizer_config: Mapping[str, Any]) -> None:
    """Raises ModelError unless each chat template of the model in `folder` renders a question within the limits."""
    for template in _templates(folder, tokenizer_config):
        if fault := _fault(template):
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


@lru_cache(maxsize=16)
def _fault(template: str) -> str | None:
    """Why the template cannot be used; None if it can."""
    if len(template) > LONGEST:
        return f"it has more than {LONGEST} characters"
    try:
        limited_process().ask("render", template=template, values=TRIAL)
    except RefusedError as error:
        return str(error)
    return None
