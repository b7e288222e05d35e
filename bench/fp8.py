"""Exports a run as FP8 behind the parity gate, and as merged beside it; needs a card of compute capability 8.9.

    python bench/fp8.py data/tiny-qwen2 bench/results/exports-fp8-h100.json
    python bench/fp8.py MODEL_FOLDER OUT.json --recipe article --epochs 3 --learning-rate 1e-3

The run is trained first. A format that fails is recorded with its error, and the exit code is then 1.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from arguments import arguments

from toolkit.core.events import Caller, StopRequests
from toolkit.export.export import export
from toolkit.export.formats.base import Backends, ExportConfig, Quantiser
from toolkit.model.device import find_device
from toolkit.runs.recording import versions
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.recipe import load_recipe


def measured(config: ExportConfig) -> dict[str, Any]:
    """What the gate found and the size of the files; or the error that ended the export."""
    # Without the check for missing requirements: what fails then is what is measured.
    backends = Backends(quantiser=Quantiser(missing_requirements=lambda _: ()))
    try:
        found = export(config, notify=log, backends=backends)
    except Exception as error:  # noqa: BLE001  # whatever a library raises is the result
        return {"error": f"{type(error).__name__}: {error}"}
    return {"bytes": sum(path.stat().st_size for path in found.folder.iterdir()), "parity": dict(found.parity)}


def log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--data", default="self_cognition.json")
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--learning-rate", type=float)
    given = parser.parse_args()
    settings = {"epochs": given.epochs, "learning_rate": given.learning_rate}
    recipe = load_recipe(given.recipe).changed(**settings)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        log(f"training {given.model.name} with {recipe.name}")
        run = finetune(
            FinetuneConfig(data=given.data, recipe=recipe, model=str(given.model), output=output),
            Caller(stop=StopRequests(log), notify=log),
        )
        exports = {}
        for name in ("merged", "fp8"):
            log(f"exporting --to {name}")
            exports[name] = measured(ExportConfig(run=run.run_id, to=name, output=output))
            log(json.dumps(exports[name]))
    result = {
        "base_model": given.model.name, "recipe": recipe.name, **settings, "hardware": find_device().to_dict(),
        "versions": versions(), "exports": exports,
    }  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any("error" in one for one in exports.values()))


if __name__ == "__main__":
    sys.exit(main())
