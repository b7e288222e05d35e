"""A comparison while it asks: how it goes so far, and the answers that both sides have given, changed ones first."""

from collections.abc import Mapping
from typing import Any

from toolkit.compare.report.figures import WRONG
from toolkit.compare.report.spans import differences, marked
from toolkit.data.probes import DEPTH, OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.studio.jobs import Job

SHOWN_ANSWERS = 20
SIDES = ("Before", "After")  # tasks of a comparison
MOVED, LEAKED, PASSED = "moved", "leaked", "passed"  # marks of the report
TONES = {PASSED: "good", "same": "plain", MOVED: "warn"}
LEARNED = (TRAINED, PARAPHRASE)  # groups; depth is shown, and seldom judged
ONE_COMPARISON = frozenset({"teach", "train", "resume", "compare"})  # actions; a sweep has one for each of its runs


def answers_so_far(job: Job) -> dict[str, Any] | None:
    """None before the first answer.

    The counts are of answers, under every system prompt, that the report judges in the same way: learned of trained
    questions and their paraphrases, and of those out of scope how many changed and how many name what was taught.
    The verdict itself waits for all of them, and for drift.
    """
    if job.record.action not in ONE_COMPARISON:
        return None
    found: dict[str, dict[int, Mapping[str, Any]]] = {side: {} for side in SIDES}
    for item in job.items:
        if item.get("task") in found:
            found[item["task"]][item["number"]] = item
    before, after = (found[side] for side in SIDES)
    if not before:
        return None
    both = [(before[number], one) for number, one in after.items() if number in before]
    newest = both[::-1]
    shown = sorted(newest, key=lambda pair: (pair[0]["answer"] == pair[1]["answer"], not _counts_as_wrong(pair[1])))
    outside = [new for _, new in both if new.get("group") == OUT_OF_SCOPE]
    inside = [new for _, new in both if new.get("group") in LEARNED and _mark(new)]
    return {
        "before": len(before), "both": len(both),
        "changed": sum(old["answer"] != new["answer"] for old, new in both),
        "inside": len(inside), "learned": sum(_mark(one) == PASSED for one in inside),
        "outside": len(outside), "moved": sum(_mark(one) in {MOVED, LEAKED} for one in outside),
        "leaked": sum(_mark(one) == LEAKED for one in outside),
        "shown": [_shown(old, new) for old, new in shown[:SHOWN_ANSWERS]],
    }  # fmt: skip


def _mark(item: Mapping[str, Any]) -> str:
    """Empty where only the report judges the answer."""
    return str(item.get("mark", ""))


def _counts_as_wrong(item: Mapping[str, Any]) -> bool:
    return _mark(item) in WRONG and item.get("group") not in DEPTH


def _shown(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    parts, mark = differences(old["answer"], new["answer"]), _mark(new)
    return {
        "prompt": new["prompt"], "old": marked(parts[0]), "new": marked(parts[1]), "mark": mark,
        "tone": TONES.get(mark, "bad"),
    }  # fmt: skip
