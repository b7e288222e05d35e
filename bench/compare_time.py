"""What a comparison takes and how much it asks, a process a case: with depth, abilities and a scan, each by itself.

    python bench/compare_time.py MODEL OUT.json
    python bench/compare_time.py MODEL OUT.json --data bench/sets/product-en/rows.jsonl --cases plain depth
    python bench/compare_time.py RANDOM-7B OUT.json --untaught

`plain` asks what a card asks by default, but no abilities, nothing at depth and no scan; `depth`, `ability` and `scan`
add that option to it, and `all` all three. `short` adds the scan that a card makes by default, and `again` the same
once its text is there; `default` is a comparison without any option. Before it the article's recipe is trained, once.
With --untaught it learns next to nothing (one epoch at a learning rate of 1e-8): random weights then never end an
answer before its limit, also behind the adapter, so that their times are upper bounds; `answer_tokens` tells how long
answers were. Seconds are those of the report
(`timings_s`), beside the process's own from start to end (`wall_s`).
"""

import json
import os
import sys
import tempfile
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arguments import arguments
from processes import run
from run import OFFLINE

CASES: dict[str, list[str]] = {
    "plain": ["--no-ability", "--no-depth", "--no-scan"],
    "depth": ["--no-ability", "--depth", "--no-scan"],
    "ability": ["--ability", "--no-depth", "--no-scan"],
    "scan": ["--no-ability", "--no-depth", "--scan"],
    "all": ["--ability", "--depth", "--scan"],
    "short": ["--no-ability", "--no-depth"],
    "again": ["--no-ability", "--no-depth"],
    "default": [],
}
VERDICTS = {0, 20, 21, 22, 23}
UNTAUGHT = ["--epochs", "1", "--learning-rate", "1e-8"]
Entry = dict[str, Any]


class Bench:
    """A folder of runs; every process is told to stay offline and to leave a warm one out."""

    def __init__(self, options: Namespace, output: Path) -> None:
        self.options, self.output = options, output
        self.environment = os.environ | OFFLINE | {"TOOLKIT_WARM": "off"}
        self.told: Entry = {
            "what": "seconds of comparisons, a process a case, after one training",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"), "model": options.model.name, "data": options.data,
            "untaught": options.untaught, "max_new_tokens": options.max_new_tokens, "entries": [],
        }  # fmt: skip

    def trained(self) -> bool:
        options = self.options
        words = [options.data, "--model", str(options.model), "--recipe", options.recipe]
        entry, _ = self._run("finetune", [*words, *(UNTAUGHT if options.untaught else []), *options.more], {0})
        if "error" not in entry:
            record = json.loads((self.output / "latest" / "run.json").read_text(encoding="utf-8"))
            entry |= {"timings_s": record["timings_s"], "hardware": record["hardware"], "versions": record["versions"]}
        self._add("finetune", entry)
        return "error" not in entry

    def compared(self, case: str) -> None:
        report = self.output / f"report-{case}"
        words = [*CASES[case], "--max-new-tokens", str(self.options.max_new_tokens), "--report", str(report)]
        entry, _ = self._run("compare", [*words, *self.options.asked], VERDICTS)
        if "error" not in entry:
            entry |= self._asked(json.loads((report / "report.json").read_text(encoding="utf-8")))
        self._add(case, entry)

    def _run(self, command: str, words: Sequence[str], codes: set[int]) -> tuple[Entry, str]:
        ended = run([sys.executable, "-m", "toolkit", command, *words, "--output", str(self.output)], self.environment)
        entry: Entry = ended.told()
        return (entry if ended.exit_code in codes else entry | {"error": ended.tail}), ended.tail

    def _asked(self, report: Mapping[str, Any]) -> Entry:
        """How much was asked, by group, and how long both sides' answers are by the base model's tokenizer."""
        probes, ability, scan = report["probes"], report.get("ability"), report.get("scan")
        metrics = {name: {key: one.get(key) for key in ("value", "low", "high", "n")}
                   for name, one in report["metrics"].items() if one}  # fmt: skip
        return {
            "timings_s": report["timings_s"], "answers_a_side": len(probes),
            "groups": dict(Counter(one["group"] for one in probes)), "answer_tokens": self._tokens(probes),
            "further": report.get("further"), "metrics": metrics, "outcome": report["verdict"]["outcome"],
            "ability": None if ability is None else {"total": ability.get("total"), "seconds": ability.get("seconds")},
            "scan": None if scan is None else {
                "tokens": scan["tokens"], "short": scan["short"], "timings_s": scan["timings_s"],
                "findings": len(scan["findings"]),
            },
        }  # fmt: skip

    def _tokens(self, probes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.options.model)
        found = {}
        for side in ("before", "after"):
            counts = [len(tokenizer(one[side], add_special_tokens=False)["input_ids"]) for one in probes]
            found[side] = round(sum(counts) / len(counts), 1)
        return found

    def _add(self, case: str, entry: Entry) -> None:
        self.told["entries"].append({"case": case, **entry})
        self.options.out.write_text(json.dumps(self.told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"{case:9} {entry['wall_s']:7.2f} s, exit code {entry['exit_code']}, "
              f"{entry.get('answers_a_side', '')} answers a side, {entry.get('timings_s', '')} "
              f"{entry.get('error', '')}", flush=True)  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", default="self_cognition.json")
    parser.add_argument("--recipe", default="article")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES)[:4])
    parser.add_argument("--untaught", action="store_true", help="for random weights")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--more", nargs="+", default=[], help="further arguments of finetune, as one would write them")
    parser.add_argument("--asked", nargs="+", default=[], help="further arguments of every compare")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(options, Path(folder))
        if not bench.trained():
            sys.exit("Nothing was trained, so nothing can be compared.")
        for case in options.cases:
            bench.compared(case)


if __name__ == "__main__":
    main()
