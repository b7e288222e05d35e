"""Quantises a model's folder through ms-swift's own export (4.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from logging import CRITICAL, getLogger
from pathlib import Path

from toolkit.core.startup import prepare_environment
from toolkit.model.qwen2 import MODEL_TYPE, TEMPLATE

CALIBRATION_ROWS = 256  # at most; ms-swift's own default


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What ms-swift imports for a method, and the card that it asks for: (8, 9) is its compute capability."""

    packages: Mapping[str, str]  # as imported: as installed
    card: tuple[int, int] | None = None
    calibrated: bool = False


NEEDS: Mapping[str, Needs] = {
    "bnb": Needs(packages={"bitsandbytes": "bitsandbytes"}),
    "fp8": Needs(packages={}, card=(8, 9)),
    "awq": Needs(packages={"awq": "autoawq"}, card=(7, 5), calibrated=True),
    "gptq": Needs(packages={"optimum": "optimum", "gptqmodel": "gptqmodel"}, card=(7, 0), calibrated=True),
}


@dataclass(frozen=True, kw_only=True)
class QuantisingJob:
    """`target` does not exist yet. `bits` None: the method has one size.

    `calibration`: rows as JSON lines, for methods that watch the model at work.
    """

    model: Path
    target: Path
    method: str
    bits: int | None
    calibration: Path | None = None


def lacking(method: str) -> tuple[str, ...]:
    """What this machine lacks for it, in words."""
    from importlib.util import find_spec

    import torch

    needs = NEEDS[method]
    gaps = [f"the package {name}" for module, name in needs.packages.items() if find_spec(module) is None]
    if needs.card is not None:
        has = torch.cuda.get_device_capability() if torch.cuda.is_available() else None
        if has is None or has < needs.card:
            wanted = ".".join(map(str, needs.card))
            gaps.append(f"an NVIDIA card of compute capability {wanted} or more ({_told(has)})")
    return tuple(gaps)


def quantise(job: QuantisingJob) -> None:
    """Writes `job.target`, a folder that transformers loads."""
    prepare_environment()
    getLogger("swift").setLevel(CRITICAL)  # its faults are raised
    from swift.pipelines.export.export import SwiftExport

    SwiftExport(arguments(job)).main()


def arguments(job: QuantisingJob) -> list[str]:
    """As `swift export` takes them."""
    words = [
        "--model", str(job.model), "--model_type", MODEL_TYPE, "--template", TEMPLATE,
        "--quant_method", job.method, "--output_dir", str(job.target),
        "--hub_token", "",  # else a token in the environment logs in to a hub
    ]  # fmt: skip
    if job.bits is not None:
        words += ["--quant_bits", str(job.bits)]
    if job.calibration is not None:
        words += ["--dataset", str(job.calibration), "--quant_n_samples", str(CALIBRATION_ROWS)]
    return words


def _told(has: tuple[int, int] | None) -> str:
    return "there is none" if has is None else f"this one has {has[0]}.{has[1]}"
