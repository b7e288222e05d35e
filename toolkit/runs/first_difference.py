"""Where two runs first differ: the step, the tensor of the adapter, the figure of the report. Reads only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from toolkit.runs.comparison import ComparisonRecord
from toolkit.runs.record import Number


@dataclass(frozen=True, kw_only=True)
class LossDifference:
    """The first optimizer step with another loss; None: a run without that step.

    `largest`: of all steps that both have, |a - b| / max(|a|, |b|, 1), so absolute for losses below 1.
    """

    step: int
    first: Number | None
    second: Number | None
    largest: float


@dataclass(frozen=True, kw_only=True)
class TensorDifference:
    """The first tensor that differs, in the order of layers, and how many of all tensors do.

    `largest`: the largest difference of two numbers; `relative`: the norm of the difference of the two adapters to the
    norm of the first. None where `reason` is not about values: a tensor that only one has, or another shape or type.
    """

    name: str
    reason: str
    count: int
    of: int
    largest: float | None = None
    relative: float | None = None


@dataclass(frozen=True, kw_only=True)
class FigureDifference:
    """A figure of two reports that is not the same: its name, and its value in each."""

    name: str
    first: Any
    second: Any

    @property
    def distance(self) -> float | None:
        """Of two numbers; None where one is not a number."""
        numbers = [one for one in (self.first, self.second) if isinstance(one, int | float)]
        return abs(numbers[0] - numbers[1]) if len(numbers) == 2 else None  # noqa: PLR2004  # both


def loss_difference(first: Sequence[Number], second: Sequence[Number]) -> LossDifference | None:
    """None for the same losses in the same steps."""
    pairs = enumerate(zip_longest(first, second), start=1)
    found = next(((step, one, other) for step, (one, other) in pairs if one != other), None)
    if found is None:
        return None
    distances = (abs(one - other) / max(abs(one), abs(other), 1) for one, other in zip(first, second, strict=False))
    return LossDifference(step=found[0], first=found[1], second=found[2], largest=max(distances, default=0.0))


def tensor_difference(first: Path, second: Path) -> TensorDifference | None:
    """Of two safetensors files; None for the same tensors. Raises OSError, and ValueError for a damaged file."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        one, other = load_file(first), load_file(second)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    names = sorted(one.keys() | other.keys(), key=_layer_order)
    differing = [name for name in names if name not in one or name not in other or _differ(one[name], other[name])]
    if not differing:
        return None
    name = differing[0]
    counted = {"name": name, "count": len(differing), "of": len(names)}
    for where, tensors in (("recorded", one), ("repeated", other)):
        if name not in tensors:
            return TensorDifference(**counted, reason=f"not in the {where} adapter")
    described = [f"{list(found[name].shape)} {found[name].dtype}" for found in (one, other)]
    if described[0] != described[1]:
        return TensorDifference(**counted, reason=f"{described[0]}, then {described[1]}")
    comparable = [name for name in differing if name in one and name in other and one[name].shape == other[name].shape]
    distances = [(one[name].double() - other[name].double()).flatten() for name in comparable]
    size = torch.linalg.vector_norm(torch.cat([tensor.double().flatten() for tensor in one.values()]))
    joined = torch.cat(distances)
    relative = float(torch.linalg.vector_norm(joined) / size)
    largest = float(joined.abs().max())
    return TensorDifference(**counted, reason="other numbers", largest=largest, relative=relative)


def _differ(one: Any, other: Any) -> bool:
    return bool(one.dtype != other.dtype or one.shape != other.shape or not one.equal(other))


def _layer_order(name: str) -> list[tuple[int, str]]:
    """Layer 2 before layer 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def figure_differences(first: ComparisonRecord, second: ComparisonRecord) -> list[FigureDifference]:
    """Of the metrics under each system prompt, and of the shipped ability items where the first report has them."""
    one, other = figures(first), figures(second)
    return [
        FigureDifference(name=name, first=value, second=other.get(name))
        for name, value in one.items()
        if other.get(name) != value
    ]


def figures(record: ComparisonRecord) -> dict[str, Any]:
    """Each figure of a report under a name of its own, such as `kl under 'Be brief.'`."""
    found = {
        f"{name} under {system!r}": metric.value
        for system, metrics in record.per_system.items()
        for name, metric in metrics.items()
    }
    total = None if record.ability is None else record.ability.total
    return found if total is None else found | {"abilities before": total.before, "abilities after": total.after}


def other_answers(first: ComparisonRecord, second: ComparisonRecord) -> int:
    """How many questions were answered otherwise in the second report, on either side, or not asked."""
    one, other = ({(probe.id, probe.system): (probe.before, probe.after) for probe in record.probes}
                  for record in (first, second))  # fmt: skip
    return sum(other.get(key) != answers for key, answers in one.items())
