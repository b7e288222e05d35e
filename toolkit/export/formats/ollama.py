"""A folder for `ollama create`: the GGUF file and a Modelfile whose template renders as the base model's does."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ExportError
from toolkit.export.formats.base import ExportJob
from toolkit.export.formats.gguf import Gguf
from toolkit.export.formats.ollama_tools import STOP, TURN, chatml, tool_texts
from toolkit.export.formats.ollama_tools import template as tools_template
from toolkit.export.formats.ollama_turns import template as turns_template
from toolkit.export.formats.ollama_turns import turns_of
from toolkit.model.conversation import DEFAULT, NONE, Messages
from toolkit.model.decoding.answer_end import template_begins
from toolkit.model.language_model import LanguageModel

Render = Callable[[Messages], str]  # the chat template, up to where the answer begins
STOPS = (TURN, STOP, "<|endoftext|>")
# generation_config.json's names and Ollama's.
SAMPLING = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "repetition_penalty": "repeat_penalty"}
TEMPLATE = (
    '{{- range $at, $message := .Messages }}{{ if and (eq $at 0) (ne $message.Role "system") }}%s{{ end }}'
    f"{TURN}{{{{ $message.Role }}}}\n{{{{ $message.Content }}}}{STOP}\n{{{{ end }}}}{TURN}assistant\n"
)
FIRST = {"role": "user", "content": "一 first"}
SYSTEM = {"role": "system", "content": "二 second"}
LATER = [{"role": "assistant", "content": "三\n third"}, {"role": "user", "content": " 四 fourth"}]
MODELFILE = "Modelfile"


class Ollama(Gguf):
    """The gate is that of GGUF; the Modelfile is only written if its template renders as training's did."""

    name = "ollama"

    @property
    def title(self) -> str:
        return f"Ollama model ({self.quantisation})"

    @property
    def folder(self) -> str:
        return f"ollama-{self.quantisation}"

    def write_companions(self, file: Path, model: LanguageModel, job: ExportJob) -> None:
        base = job.side.model.path
        begin = str(model.tokenizer.bos_token) if template_begins(model.tokenizer) else ""  # llama.cpp writes it itself
        text = modelfile(
            file.name, _without(model.prompt_text, begin), job.system,
            stops=_stops(model), generation=_json(base / "generation_config.json"),
            licence=(base / "LICENSE").read_text(encoding="utf-8") if (base / "LICENSE").is_file() else None,
        )  # fmt: skip
        (file.parent / MODELFILE).write_text(text, encoding="utf-8")


def _without(render: Render, begin: str) -> Render:
    return lambda messages: render(messages).removeprefix(begin)


def _stops(model: LanguageModel) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(model.tokenizer.convert_ids_to_tokens(end)) for end in model.end_tokens))


def _json(path: Path) -> dict[str, Any]:
    return dict(read_json(path)) if path.is_file() else {}


def modelfile(
    gguf: str, render: Render, system: str, *, generation: Mapping[str, Any], licence: str | None,
    stops: Sequence[str] = (),
) -> str:  # fmt: skip
    """The file's text. `gguf`: the name of the weights beside it; `system`: the training's prompt.

    `stops`: what ends an answer, for templates other than ChatML.
    Raises ExportError for a text that a Modelfile cannot express.
    """
    implied = [{"role": "system", "content": ""}] if system == NONE else []
    default = default_preamble(render, implied)
    if default is None:
        template = turns_template(turns_of(render, implied), _literal)
    else:
        tools = tool_texts(render, implied)
        template = TEMPLATE % _literal(default) if tools is None else tools_template(tools, default, _literal)
        stops = STOPS
    lines = [f"FROM ./{gguf}", f"TEMPLATE {_quoted(template, 'chat template')}"]
    if system not in {DEFAULT, NONE}:  # the template renders these two itself when there is no system message
        lines.append(f"SYSTEM {_quoted(system, 'system prompt')}")
    lines += [f'PARAMETER stop "{stop}"' for stop in stops]
    lines += [f"PARAMETER {SAMPLING[name]} {generation[name]}" for name in SAMPLING if generation.get(name) is not None]
    if licence is not None:
        lines.append(f"LICENSE {_quoted(licence, 'licence')}")
    return "\n".join(lines) + "\n"


def default_preamble(render: Render, implied: Messages) -> str | None:
    """What a chat template in ChatML puts before a conversation without a system message; None for another template.

    `implied`: the system message that training added to such a conversation, if any.
    """
    before = render([*implied, FIRST]).removesuffix(chatml([FIRST]))
    pairs = (
        ([*implied, FIRST], before + chatml([FIRST])),
        ([*implied, FIRST, *LATER], before + chatml([FIRST, *LATER])),
        ([SYSTEM, FIRST, *LATER], chatml([SYSTEM, FIRST, *LATER])),
    )
    return before if all(render(messages) == expected for messages, expected in pairs) else None


def _literal(text: str) -> str:
    """As a literal in a Go template: opening braces must be printed by an action."""
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str, what: str) -> str:
    """In three quotes. Raises ExportError, since a Modelfile drops unprintable characters and ends a text at quotes."""
    unprintable = next((letter for letter in text if not letter.isprintable() and letter not in "\n\t"), None)
    if unprintable is not None or '"""' in text:
        fault = "three quotes in a row" if unprintable is None else f"the character {json.dumps(unprintable)}"
        raise ExportError(
            f"The {what} contains {fault}, which a Modelfile cannot express.",
            next="Export --to gguf, and pass the text to Ollama.",
        )
    return f'"""{text}"""'
