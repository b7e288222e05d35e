"""Exports a made-up adapter over a random model of each family to GGUF, behind the gate in which llama.cpp answers.

python bench/gguf_families.py > bench/results/gguf-families-cpu.json
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import yaml

from tests.fakes.family_models import Kind
from tests.fakes.gguf_models import GGUF_KINDS, make_gguf_model
from tests.fakes.made_run import make_run
from toolkit.core.documents import read_json
from toolkit.core.errors import ToolkitError
from toolkit.core.files import data_folder
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig
from toolkit.export.llama_cpp import llama_version
from toolkit.model.families.family import family_of


def main() -> None:
    found = {kind.name: family(kind) for kind in GGUF_KINDS}
    print(json.dumps({
        "date": datetime.now(UTC).date().isoformat(), "llama_cpp_python": llama_version(), "device": "cpu",
        "models": found,
    }, indent=2))  # fmt: skip


def family(kind: Kind) -> dict[str, object]:
    """The gate's figures by format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = make_gguf_model(folder / "model", kind)
        make_run(folder / "output", base, seed=2, strength=0.05)
        config = read_json(base / "config.json")
        return {
            "family": family_of(config).key, "model_type": config["model_type"],
            **{quantisation: exported(folder, quantisation) for quantisation in ("f16", "q8_0")},
        }  # fmt: skip


def exported(folder: Path, quantisation: str) -> dict[str, object]:
    """A quarter of the shipped probes are asked."""
    shipped = yaml.safe_load((data_folder() / "probes.yaml").read_text(encoding="utf-8"))
    probes = folder / "probes.yaml"
    probes.write_text(yaml.safe_dump(shipped | {"probes": shipped["probes"][::4]}), encoding="utf-8")
    config = ExportConfig(output=folder / "output", to="ollama", quantisation=quantisation, probes=probes)
    try:
        parity = export(config).parity
    except ToolkitError as error:
        return {"refused": error.what}
    return {key: value for key, value in parity.items() if isinstance(value, int | float)}


if __name__ == "__main__":
    main()
