"""Quantises a model's folder through ms-swift's own export (4.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from logging import CRITICAL, getLogger
from pathlib import Path

from toolkit.core.startup import prepare_environment, want_four_bits
from toolkit.train.ms_swift.encoder import distrust_models
from toolkit.train.ms_swift.names import swift_names

# Packages that a method needs: as imported, as installed.
PACKAGES: Mapping[str, Mapping[str, str]] = {"bnb": {"bitsandbytes": "bitsandbytes"}}


@dataclass(frozen=True, kw_only=True)
class QuantisationJob:
    """`target` must not exist yet."""

    model: Path
    target: Path
    method: str
    bits: int


def missing_requirements(method: str) -> tuple[str, ...]:
    """What `method` needs and this machine lacks, each as a phrase for a message."""
    from importlib.util import find_spec

    want_four_bits()
    return tuple(f"the package {name}" for module, name in PACKAGES[method].items() if find_spec(module) is None)


def quantise(job: QuantisationJob) -> None:
    """Writes `job.target`, a folder that transformers loads. Raises whatever ms-swift and its libraries raise."""
    prepare_environment()
    getLogger("swift").setLevel(CRITICAL)  # its errors are raised anyway
    distrust_models()
    from swift.pipelines.export.export import SwiftExport

    SwiftExport(arguments(job)).main()


def arguments(job: QuantisationJob) -> list[str]:
    """The command line of `swift export`."""
    names = swift_names(job.model)
    return [
        "--model", str(job.model), "--model_type", names.model_type, "--template", names.template,
        "--quant_method", job.method, "--quant_bits", str(job.bits), "--output_dir", str(job.target),
        "--hub_token", "",  # a token in the environment would make it log in to a hub
    ]  # fmt: skip
