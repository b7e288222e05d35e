"""Quantises a model's folder through ms-swift's own export (4.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from logging import CRITICAL, getLogger
from pathlib import Path

from toolkit.core.startup import prepare_environment
from toolkit.model.qwen2 import MODEL_TYPE, TEMPLATE


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What a method needs to quantise and to answer: `packages` as imported: as installed.

    `capability`: the least CUDA compute capability of the card, such as (8, 9); None: it runs on a CPU too.
    """

    packages: Mapping[str, str]
    capability: tuple[int, int] | None = None


REQUIREMENTS: Mapping[str, Requirements] = {
    "bnb": Requirements(packages={"bitsandbytes": "bitsandbytes"}),
    # transformers multiplies FP8 matrices with a kernel that the package `kernels` downloads from the hub.
    "fp8": Requirements(packages={"kernels": "kernels"}, capability=(8, 9)),
}


@dataclass(frozen=True, kw_only=True)
class QuantisationJob:
    """`target` must not exist yet; `bits` is None where the method has only one size."""

    model: Path
    target: Path
    method: str
    bits: int | None


def missing_requirements(method: str) -> tuple[str, ...]:
    """What `method` needs and this machine lacks, each as a phrase for a message."""
    from importlib.util import find_spec

    import torch

    needed = REQUIREMENTS[method]
    missing = [f"the package {name}" for module, name in needed.packages.items() if find_spec(module) is None]
    if needed.capability is not None:
        found = torch.cuda.get_device_capability() if torch.cuda.is_available() else None
        if found is None or found < needed.capability:
            least = ".".join(map(str, needed.capability))
            here = "there is none" if found is None else f"this one has {found[0]}.{found[1]}"
            missing.append(f"an NVIDIA card of compute capability {least} or more ({here})")
    return tuple(missing)


def quantise(job: QuantisationJob) -> None:
    """Writes `job.target`, a folder that transformers loads. Raises whatever ms-swift and its libraries raise."""
    prepare_environment()
    getLogger("swift").setLevel(CRITICAL)  # its errors are raised anyway
    from swift.pipelines.export.export import SwiftExport

    SwiftExport(arguments(job)).main()


def arguments(job: QuantisationJob) -> list[str]:
    """The command line of `swift export`."""
    words = [
        "--model", str(job.model), "--model_type", MODEL_TYPE, "--template", TEMPLATE,
        "--quant_method", job.method, "--output_dir", str(job.target),
        "--hub_token", "",  # a token in the environment would make it log in to a hub
    ]  # fmt: skip
    if job.bits is not None:
        words += ["--quant_bits", str(job.bits)]
    return words
