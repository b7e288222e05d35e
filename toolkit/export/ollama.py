"""A folder for `ollama create`: the GGUF file, and a Modelfile that asks it as training did."""

import json
from pathlib import Path
from typing import Any

from toolkit.export.form import Job
from toolkit.export.gguf import Gguf
from toolkit.language_model import LanguageModel
from toolkit.modelfile import modelfile

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

    def accompany(self, file: Path, model: LanguageModel, job: Job) -> None:
        base = job.side.model.path
        text = modelfile(
            file.name, model.prompt_text, job.system,
            generation=_json(base / "generation_config.json"),
            licence=(base / "LICENSE").read_text(encoding="utf-8") if (base / "LICENSE").is_file() else None,
        )  # fmt: skip
        (file.parent / MODELFILE).write_text(text, encoding="utf-8")


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
