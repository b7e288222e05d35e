"""What bench/run.py measured, as tables: phases, targets, and losses held against each other.

python bench/run_tables.py bench/results/run-tiny-cpu.json
"""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from columns import columns, seconds

PHASES = ("import", "load", "data", "hub", "keep", "first step", "steps", "save", "generate", "rest")
HEADS = {
    "article": "sft", "infer-base": "infer", "infer-tuned": "+adapter", "finetune": "finetune",
    "finetune --compare": "+compare", "default --compare": "default", "cap --compare": "capped",
}  # fmt: skip
SHARES_OF = ("finetune", "default --compare")
LOSS_TOLERANCE = 0.02  # relative; bfloat16 has three digits, and the sums are made in another order
Entries = Mapping[str, Sequence[Mapping[str, Any]]]


def show(result: Mapping[str, Any]) -> None:
    found = _by_name(result)
    print(f"\n{result['hardware']['name']}, {result['model']}, {result['date']}: seconds, medians\n")
    print(columns(_phase_rows(found)))
    print()
    print(columns([["", "target", "measured", ""], *_targets(found, on_card=result["hardware"]["device"] != "cpu")]))
    for line in _losses(found):
        print(line)


def _by_name(result: Mapping[str, Any]) -> Entries:
    """Those that ended well, in the order of the table."""
    well = [entry for entry in result["entries"] if "phases_s" in entry and entry["exit_code"] in {0, 20, 21, 22}]
    found = {name: [entry for entry in well if entry["name"] == name] for name in HEADS}
    return {name: entries for name, entries in found.items() if entries}


def _phase_rows(found: Entries) -> list[list[str]]:
    rows = [["", *(HEADS[name] for name in found)], ["processes", *(str(len(entries)) for entries in found.values())]]
    for phase in PHASES:
        values = [_median([one["phases_s"].get(phase, 0) for one in entries]) for entries in found.values()]
        rows.append([phase, *map(seconds, values)])
    rows.append(["whole process", *(seconds(_wall(found, name)) for name in found)])
    rows.append(
        ["CPU seconds", *(seconds(_median([one.get("cpu_s", 0) for one in entries])) for entries in found.values())]
    )
    shares = [[one["computing_share"] for one in entries if "computing_share" in one] for entries in found.values()]
    rows.append(["computing share", *(f"{statistics.median(one):.0%}" if one else "-" for one in shares)])
    peaks = [[one["card_peak_mib"] or 0 for one in entries] for entries in found.values()]
    rows.append(["card, GiB", *(seconds(max(one) / 1024) for one in peaks)])
    return rows


def _targets(found: Entries, *, on_card: bool) -> list[list[str]]:
    """The seconds and the memory are a card's; a CPU is asked for the share alone."""
    sft, finetune, compare = (_wall(found, name) for name in ("article", "finetune", "finetune --compare"))
    infer = [_wall(found, name) for name in ("infer-base", "infer-tuned")]
    before = None if sft is None or None in infer else sft + sum(one or 0 for one in infer)
    train = _median([one["train_s"] for one in found.get("finetune", ())])
    peak = max((one["peak_memory_bytes"] / 2**30 for one in found.get("cap --compare", ())), default=None)
    rows = [
        _at_least("article's sft / finetune", sft, finetune, 10, on_card),
        _at_least("article's sft, 2 infer / finetune --compare", before, compare, 12, on_card),
        _at_most("finetune --compare, s", compare, 30, on_card),
        _at_most("finetune: training, s", train, 8, on_card),
        _at_most("capped: reserved in training, GiB", peak, 22, on_card),
    ]
    shares = {name: _median([one["computing_share"] for one in found.get(name, ())]) for name in SHARES_OF}
    return rows + [
        [f"{name}: computing share", ">= 60%", f"{share:.0%}", _met(share >= 0.6, not on_card)]
        for name, share in shares.items()
        if share is not None
    ]


def _at_least(what: str, before: float | None, now: float | None, target: float, counts: bool) -> list[str]:
    if before is None or now is None:
        return [what, f">= {target}", "-", ""]
    return [what, f">= {target}", f"{before / now:.1f}", _met(before / now >= target, counts)]


def _at_most(what: str, value: float | None, target: float, counts: bool) -> list[str]:
    if value is None:
        return [what, f"<= {target}", "-", ""]
    return [what, f"<= {target}", f"{value:.1f}", _met(value <= target, counts)]


def _met(met: bool, counts: bool) -> str:
    return ("met" if met else "missed") if counts else "no target here"


def _losses(found: Entries) -> list[str]:
    """Step by step; both train the same rows in each step, from the same adapter."""
    if not {"article", "finetune"} <= set(found):
        return []
    theirs = found["article"][0]["loss"]
    said = []
    for number, entry in enumerate(found["finetune"], start=1):
        ours = entry["loss"]
        if len(ours) != len(theirs):
            said.append(f"losses, run {number}: {len(ours)} steps, the article's {len(theirs)}: no comparison")
            continue
        apart = [abs(one - other) for one, other in zip(ours, theirs, strict=True)]
        relative = max(one / abs(other) for one, other in zip(apart, theirs, strict=True))
        verdict = "pass" if relative <= LOSS_TOLERANCE else "FAIL"
        said.append(f"losses, run {number}: {len(ours)} steps, at most {max(apart):.1g} apart, {relative:.1g} of the "
                    f"value\n  {verdict}: {LOSS_TOLERANCE} is allowed")  # fmt: skip
    return said


def _wall(found: Entries, name: str) -> float | None:
    return _median([one["wall_s"] for one in found.get(name, ())])


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


if __name__ == "__main__":
    show(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
