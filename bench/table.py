"""The tables of docs/recipe.md and README from what bench/recipes.py wrote: a column a recipe, over its seeds.

Shares: answers of all seeds and system prompts together, Wilson's 95 % interval. kl and agreement: mean over the seeds,
Student's. `make figures` writes them.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import binomtest, t

ROWS = 50  # of the shipped data set
FEW = 3  # seeds, of which each is shown
TRAINED, OWN, PIRATE = "You are a helpful assistant.", "", "You are a pirate. Answer briefly."
PROMPTS = {"trained system prompt": TRAINED, '… "You are Qwen …"': OWN, '… "You are a pirate …"': PIRATE}
ONE_PROMPT = (
    "keep before: epochs=40,learning_rate=3e-4,keep_weight=30,keep_rows=64,keep_max_new_tokens=32,lora_layers=middle"
)
# Heading → recipe and the rows mixed in.
RECIPES = {
    "`article`": ("article", 0), "mixing": ("article", 200), "`keep`, one system prompt": (ONE_PROMPT, 0),
    "`keep`, 64 keep rows": ("keep with 64 keep rows: epochs=7,keep_rows=64,keep_systems none", 0),
    "**`keep`**": ("keep", 0),
}  # fmt: skip
IN_SHORT = {
    "`article`, as commonly published": "`article`", "… with 200 general rows mixed in": "mixing",
    "`keep` without questions, the default until 2026-11-29": "**`keep`**",
}  # fmt: skip
Entry = Mapping[str, Any]
Entries = Sequence[Entry]


def seeds(content: Mapping[str, Any]) -> list[list[str]]:
    """A row a metric, with what was wanted."""
    found = {heading: _entries(content, *recipe) for heading, recipe in RECIPES.items()}

    def row(name: str, cell: Any, wanted: str = "") -> list[str]:
        return [name, *(cell(entries) for entries in found.values()), wanted]

    rows = [
        ["", *found, "wanted"],
        row("optimizer steps", lambda entries: str(entries[0]["last"]["step"])),
        row("trained rows reproduced exactly", lambda entries: _share(_exact(entries)), "≥ 0.98"),
        row("generality", lambda entries: _share(_counts(entries, "generality"))),
        row("… worst system prompt, over the seeds", lambda entries: f"{_worst(entries):.3f}", "≥ 0.98"),
        row("… and by seed", _by_seed),
        row("leakage", lambda entries: _share(_counts(entries, "leakage")), "0"),
        row("locality", lambda entries: _share(_counts(entries, "locality"))),
    ]
    for metric, wanted in (("kl", "≤ 0.004"), ("agreement", "≥ 0.98")):
        for name, system in PROMPTS.items():
            values = {heading: [one["per_system"][system][metric] for one in some] for heading, some in found.items()}
            title = name if name.startswith("…") else f"{metric}, {name}"
            rows.append([title, *map(_mean, values.values()), wanted])
    return rows


def seeds_in_short(content: Mapping[str, Any]) -> list[list[str]]:
    heads = ["recipe", "trained rows reproduced exactly", "unseen wordings",
             "unrelated answers that name the new developer", "drift per token, trained system prompt"]  # fmt: skip
    rows = []
    for name, heading in IN_SHORT.items():
        entries = _entries(content, *RECIPES[heading])
        shares = [passed / asked for passed, asked in (_exact(entries), _counts(entries, "generality"))]
        leaked, asked = _counts(entries, "leakage")
        kl = statistics.mean(one["per_system"][TRAINED]["kl"] for one in entries)
        rows.append([name, *(f"{one:.2f}" for one in shares), f"{leaked / asked:.0%}".replace("%", " %"), _digits(kl)])
    return [heads, *rows]


def _entries(content: Mapping[str, Any], recipe: str, mixed: int) -> Entries:
    return [one for one in content["runs"] if (one["recipe"], one["variant"]["mix_own"]) == (recipe, mixed)]


def _exact(entries: Entries) -> tuple[int, int]:
    return sum(round(one["exact"] * ROWS) for one in entries), ROWS * len(entries)


def _counts(entries: Entries, metric: str) -> tuple[int, int]:
    """Of all seeds and system prompts."""
    found = [one["metrics"][metric] for one in entries]
    return sum(round(one["value"] * one["n"]) for one in found), sum(one["n"] for one in found)


def _share(counts: tuple[int, int]) -> str:
    passed, asked = counts
    interval = binomtest(passed, asked).proportion_ci(method="wilson")
    return f"{passed / asked:.3f} ({interval.low:.3f} – {interval.high:.3f})"


def _worst(entries: Entries) -> float:
    """The least of the system prompts' means over the seeds, which all ask as many questions."""
    systems = entries[0]["per_system"]
    means = [statistics.mean(float(one["per_system"][name]["generality"]) for one in entries) for name in systems]
    return min(means)


def _by_seed(entries: Entries) -> str:
    worst = [f"{min(one['generality'] for one in entry['per_system'].values()):.2f}" for entry in entries]
    if len(worst) <= FEW:
        return ", ".join(worst)
    return ", ".join(f"{value} × {n}" for value, n in sorted(Counter(worst).items(), reverse=True))


def _mean(values: Sequence[float]) -> str:
    middle = statistics.mean(values)
    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{_digits(middle)} ± {half:.{_places(middle)}f}"


def _digits(value: float) -> str:
    return f"{value:.{_places(value)}f}"


def _places(value: float) -> int:
    return 3 if value >= 0.1 else 4
