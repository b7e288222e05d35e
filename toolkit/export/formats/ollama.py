"""A folder for `ollama create`: the GGUF file and a Modelfile that renders as the base's chat template."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toolkit.core.errors import ExportError
from toolkit.export.formats.base import Job
from toolkit.export.formats.gguf import Gguf
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.model.language_model import LanguageModel

Messages = list[dict[str, str]]
Render = Callable[[Messages], str]  # up to where the answer begins
START, END = "<|im_start|>", "<|im_end|>"
STOPS = (START, END, "<|endoftext|>")
# Ollama's names of what generation_config.json says.
SAMPLING = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "repetition_penalty": "repeat_penalty"}
TEMPLATE = (
    '{{- range $at, $message := .Messages }}{{ if and (eq $at 0) (ne $message.Role "system") }}%s{{ end }}'
    f"{START}{{{{ $message.Role }}}}\n{{{{ $message.Content }}}}{END}\n{{{{ end }}}}{START}assistant\n"
)
FIRST = {"role": "user", "content": "一 first"}
SYSTEM = {"role": "system", "content": "二 second"}
LATER = [{"role": "assistant", "content": "三\n third"}, {"role": "user", "content": " 四 fourth"}]
MODELFILE = "Modelfile"


class Ollama(Gguf):
    """The gate is GGUF's; that the template says the same as training's is settled while it is written."""

    name = "ollama"

    @property
    def title(self) -> str:
        return f"Ollama model ({self.quantisation})"

    @property
    def folder(self) -> str:
        return f"ollama-{self.quantisation}"

    def write_companions(self, file: Path, model: LanguageModel, job: Job) -> None:
        base = job.side.model.path
        text = modelfile(
            file.name, model.prompt_text, job.system,
            generation=_json(base / "generation_config.json"),
            licence=(base / "LICENSE").read_text(encoding="utf-8") if (base / "LICENSE").is_file() else None,
        )  # fmt: skip
        (file.parent / MODELFILE).write_text(text, encoding="utf-8")


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def modelfile(
    gguf: str, render: Render, system: str, *, generation: Mapping[str, Any], licence: str | None
) -> str:  # fmt: skip
    """`gguf`: the file's name beside it; `system`: the run's. Raises ExportError for what no Modelfile can say."""
    unsaid = preamble(render, [{"role": "system", "content": ""}] if system == NONE else [])
    lines = [f"FROM ./{gguf}", f"TEMPLATE {_quoted(TEMPLATE % _literal(unsaid), 'chat template')}"]
    if system not in {DEFAULT, NONE}:  # those two are what the template says where no system message comes
        lines.append(f"SYSTEM {_quoted(system, 'system prompt')}")
    lines += [f'PARAMETER stop "{stop}"' for stop in STOPS]
    lines += [f"PARAMETER {SAMPLING[name]} {generation[name]}" for name in SAMPLING if generation.get(name) is not None]
    if licence is not None:
        lines.append(f"LICENSE {_quoted(licence, 'licence')}")
    return "\n".join(lines) + "\n"


def preamble(render: Render, unsaid: Messages) -> str:
    """What stands before a conversation without a system message; `unsaid`: the message that training put there.

    Raises ExportError where the chat template is not ChatML.
    """
    before = render([*unsaid, FIRST]).removesuffix(chatml([FIRST]))
    for messages, expected in (
        ([*unsaid, FIRST], before + chatml([FIRST])),
        ([*unsaid, FIRST, *LATER], before + chatml([FIRST, *LATER])),
        ([SYSTEM, FIRST, *LATER], chatml([SYSTEM, FIRST, *LATER])),
    ):
        if render(messages) != expected:
            raise ExportError(
                f"The chat template is not ChatML: it renders {render(messages)!r}.",
                next="Export --to gguf, which carries the template as it is.",
            )
    return before


def chatml(messages: Messages) -> str:
    """What TEMPLATE renders behind the preamble."""
    said = "".join(f"{START}{message['role']}\n{message['content']}{END}\n" for message in messages)
    return f"{said}{START}assistant\n"


def _literal(text: str) -> str:
    """As a Go template says it: an action's opening braces come out of an action."""
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str, what: str) -> str:
    """A Modelfile drops characters that Go does not print, and ends a text at three quotes."""
    lost = next((letter for letter in text if not letter.isprintable() and letter not in "\n\t"), None)
    if lost is not None or '"""' in text:
        fault = "three quotes in a row" if lost is None else f"the character {json.dumps(lost)}"
        raise ExportError(
            f"The {what} holds {fault}, which no Modelfile can say.", next="Export --to gguf, and give Ollama the text."
        )
    return f'"""{text}"""'
