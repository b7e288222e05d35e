"""The table of docs/recipe.md from what bench/promise.py wrote: a row a set, against the goals."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MISSED = "✗"
GROUPS = {  # heading: probe group and the least share
    "reliability": ("trained", 0.98), "generality": ("paraphrase", 0.98), "other language": ("other-language", 0.98),
    "indirect": ("indirect", 0.90), "portability": ("portability", 0.90), "reversal": ("reversal", 0.90),
}  # fmt: skip
MOST_LEAKS, LEAST_AGREEMENT = 0.005, 0.985
MOST_KL = (0.003, 0.005)  # under the trained system prompt, and under others
KINDS = {"neighbours": "neighbour", "others": "out-of-scope"}
STEPS = ("questions", "keep", "train")  # what a run does with the loaded model
NOTE = (
    "Mean over the seeds of the worst system prompt; kl and agreement under the trained system prompt / the model's "
    f"own. {MISSED}: the goal was missed."
)
Entry = Mapping[str, Any]


def table(files: Iterable[Mapping[str, Any]]) -> str:
    """A Markdown table for each base model, part and recipe."""
    found: dict[tuple[str, str, str], dict[str, list[Entry]]] = {}
    for file in files:
        for entry in file["entries"]:
            key = file["model"], entry["part"], entry["recipe"]
            found.setdefault(key, {}).setdefault(entry["set"], []).append(entry)
    return "\n\n".join(_one_table(key, sets) for key, sets in found.items())


def _one_table(key: tuple[str, str, str], sets: Mapping[str, Sequence[Entry]]) -> str:
    titles = [
        "set", "rows", *(f"{name} ≥ {goal:.2f}" for name, (_, goal) in GROUPS.items()), f"leakage ≤ {MOST_LEAKS}",
        *(f"kl {name} ≤ {MOST_KL[0]} / {MOST_KL[1]}" for name in KINDS),
        *(f"agreement {name} ≥ {LEAST_AGREEMENT}" for name in KINDS), "verdict passed", "steps", "seconds",
    ]  # fmt: skip
    lines = [titles, ["---"] * len(titles), *(_row(name, entries) for name, entries in sorted(sets.items()))]
    model, part, recipe = key
    every = [entry for entries in sets.values() for entry in entries]
    seeds = ", ".join(map(str, sorted({entry["seed"] for entry in every})))
    return "\n".join(
        [
            f"{model}, recipe `{recipe}`, part {part}, seeds {seeds}. {NOTE}", "",
            *("| " + " | ".join(cells) + " |" for cells in lines), *_remarks(every),
        ]
    )  # fmt: skip


def _row(name: str, entries: Sequence[Entry]) -> list[str]:
    done = [entry for entry in entries if "error" not in entry]
    if not done:
        return [f"`{name}`", "failed", *["–"] * (len(GROUPS) + 2 * len(KINDS) + 4)]
    shares = [_judged(_worst_share(done, group), least=goal) for group, goal in GROUPS.values()]
    leaks = statistics.mean(len(entry["leaks"]) / max(entry["asked_outside"], 1) for entry in done)
    drifts = [_drift(done, kind, at) for at in (0, 1) for kind in KINDS.values()]
    seconds = [sum(entry["timings_s"].get(step, 0.0) for step in STEPS) for entry in done]
    return [
        f"`{name}`", str(done[0]["rows"]), *shares, _judged(leaks, most=MOST_LEAKS), *drifts, _verdicts(entries),
        f"{statistics.mean(entry['steps'] for entry in done):.0f}", f"{statistics.mean(seconds):.1f}",
    ]  # fmt: skip


def _worst_share(entries: Sequence[Entry], group: str) -> float | None:
    found = [
        min(passed / of for passed, of in entry["groups"][group].values())
        for entry in entries
        if group in entry["groups"]
    ]
    return statistics.mean(found) if found else None


def _drift(entries: Sequence[Entry], kind: str, at: int) -> str:
    """`at` 0: the kl, 1: the agreement; under each system prompt it was measured under."""
    cells = []
    for number, system in enumerate(entries[0]["systems_of_drift"]):
        found = [entry["drift"][key][at] for entry in entries if (key := f"{kind}|{system}") in entry["drift"]]
        value = statistics.mean(found) if found else None
        cells.append(
            _judged(value, least=LEAST_AGREEMENT) if at else _judged(value, most=MOST_KL[min(number, 1)], digits=4)
        )
    return " / ".join(cells)


def _judged(value: float | None, *, least: float = 0.0, most: float = float("inf"), digits: int = 3) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" + ("" if least <= value <= most else f" {MISSED}")


def _verdicts(entries: Sequence[Entry]) -> str:
    compared = [entry["compare"] for entry in entries if "compare" in entry]
    if not compared:
        return "–"
    passed = sum(one["passed"] for one in compared)
    return f"{passed} of {len(compared)}" + ("" if passed == len(compared) else f" {MISSED}")


def _remarks(entries: Sequence[Entry]) -> list[str]:
    """What the table leaves out."""
    lines = [f"- `{entry['set']}`, seed {entry['seed']}, failed: {entry['error']}" for entry in entries
             if "error" in entry]  # fmt: skip
    for entry in entries:
        if (seen := entry.get("seen")) is None:
            continue
        counts = [(passed, of) for by in seen["groups"].values() for passed, of in list(by.values())[:1]]
        near = sum(one[2] for key, one in seen["drift"].items() if key.endswith(f"|{entry['systems_of_drift'][0]}"))
        lines.append(
            f"- `{entry['set']}`, seed {entry['seed']}: {sum(of for _, of in counts)} probes in scope "
            f"({sum(passed for passed, _ in counts)} passed) and {near} near were also questions that the model wrote; "
            "they are left out."
        )
    return ["", *lines] if lines else []
