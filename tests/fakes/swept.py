"""Sweeps for tests, made by hand."""

from pathlib import Path

from toolkit.compare.verdict import misses
from toolkit.sweep.record import FAILED, FINISHED, Entry, Sweep

LIMITS = {"reliability": 0.9, "generality": 0.8, "kl": 0.02, "leakage": 0.02}


def entry(
    number: int, learned: float, kl: float, *, leakage: float = 0.0, epochs: int = 5, name: str = "keep",
    outcome: str = "passed", **others: float,
) -> Entry:  # fmt: skip
    """A finished run; `outcome`: of one whose figures meet LIMITS; `others`: further metrics, with a limit of 0.02."""
    limits = LIMITS | dict.fromkeys(others, 0.02)
    metrics: dict[str, float | None] = {
        "reliability": 1.0, "generality": learned, "kl": kl, "leakage": leakage, **others,
    }  # fmt: skip
    passed = learned >= 0.9 and not any(misses(one, value, limits) for one, value in metrics.items())
    return Entry(
        recipe={"name": name, "epochs": epochs}, settings={"epochs": epochs, "keep_weight": number},
        status=FINISHED, run=f"v{number}-20260101-000000", seconds=1.0, thresholds=limits, metrics=metrics,
        verdict={"passed": passed, "took": True, "kept": passed, "reasons": ["it is too low"],
                 "outcome": outcome if passed else "failed"},
    )  # fmt: skip


def broken(number: int, error: str) -> Entry:
    """A run that failed."""
    return Entry(
        recipe={"name": "keep", "epochs": 5}, settings={"epochs": 5}, status=FAILED,
        run=f"v{number}-20260101-000000", error=error,
    )  # fmt: skip


def sweep_of(*entries: Entry, folder: Path = Path("output/sweeps/x")) -> Sweep:
    return Sweep(
        folder=folder, request={"data": "/data/mine.json"}, started_at="2026-01-01", status="finished", entries=entries
    )
