"""The table of docs/recipe.md from what bench/recipes.py wrote: a row a recipe, over its seeds, with 95 % intervals.

    python bench/table.py bench/results/seeds-0.5b-h100.json

Shares: answers of all seeds together, Wilson's interval. kl and agreement: mean over the seeds, Student's interval.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from scipy.stats import binomtest, t

SHARES = ("generality", "leakage", "locality")
ROWS = 50  # of the shipped data set
MEANS = ("kl", "agreement")


def share(counts: list[tuple[float, int]]) -> str:
    """From (share, answers) of each seed."""
    passed, asked = round(sum(value * n for value, n in counts)), sum(n for _, n in counts)
    interval = binomtest(passed, asked).proportion_ci(method="wilson")
    return f"{passed / asked:.3f} ({interval.low:.3f} - {interval.high:.3f})"


def mean(values: list[float]) -> str:
    middle = statistics.mean(values)
    if len(values) == 1:
        return f"{middle:.4f}"
    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{middle:.4f} (± {half:.4f})"


def row(entries: list[dict[str, Any]]) -> list[str]:
    metrics = [entry["metrics"] for entry in entries]
    worst = [min(one["generality"] for one in entry["per_system"].values()) for entry in entries]
    return [
        str(len(entries)),
        share([(entry["exact"], ROWS) for entry in entries]),
        *[share([(one[name]["value"], one[name]["n"]) for one in metrics]) for name in SHARES],
        " / ".join(f"{value:.2f}" for value in worst),
        *[mean([one[name]["value"] for one in metrics]) for name in MEANS],
    ]


def main() -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["runs"]:
        mixed = entry["variant"]["mix_own"]
        groups.setdefault(entry["recipe"] + (f" + {mixed} rows mixed in" if mixed else ""), []).append(entry)
    print(
        "| recipe | seeds | exact | generality | leakage | locality | worst system prompt, by seed | kl | agreement |"
    )
    print("|---" * 9 + "|")
    for name, entries in groups.items():
        print(f"| {name} | {' | '.join(row(entries))} |")


if __name__ == "__main__":
    main()
