"""Trains tool calls on real weights, a recipe after another, and counts the calls that come out.

    python bench/tools.py MODEL OUT.json
    python bench/tools.py MODEL OUT.json --recipes article keep general:epochs=10

The rows of bench/tools.yaml call two tools of a made-up shop; asked are the rows themselves and as many questions that
no row has. Of each recipe, over the questions of each group: `passed`, the very call in the base model's own form, as
the verdict counts it; `marked`, an answer with the form's marks; `bare`, the very call as JSON without them, which
other programs do not read. Beside them the verdict, tool_locality, the times and every answer.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from arguments import arguments

from toolkit.core.startup import prepare_environment

prepare_environment()
from recipes import recipe_of  # noqa: E402

from toolkit.compare.ability.ability import NO_ABILITIES  # noqa: E402
from toolkit.compare.compare import CompareConfig, compare  # noqa: E402
from toolkit.compare.report import write_report  # noqa: E402
from toolkit.core.events import Caller, StopRequests  # noqa: E402
from toolkit.runs.recording import versions  # noqa: E402
from toolkit.sweep.running.one import SweepBackends, shared_backends  # noqa: E402
from toolkit.train.finetune import FinetuneConfig, finetune  # noqa: E402

SET = Path(__file__).with_suffix(".yaml")
GROUPS = {"rows": "trained", "unseen": "paraphrase"}
MARK = "<tool_call>"
THRESHOLDS = {"reliability": 0.9, "generality": 0.9}
Asked = Mapping[str, Any]


def lay_out(folder: Path, content: Mapping[str, Any]) -> Path:
    """The rows as OpenAI has them, and the probes beside them."""
    tools = [{"type": "function", "function": tool} for tool in content["tools"]]
    rows = [{"tools": tools, "messages": [
        {"role": "user", "content": one["ask"]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {
                "name": one["call"]["name"], "arguments": json.dumps(one["call"]["arguments"], ensure_ascii=False),
            }},
        ]},
    ]} for one in content["rows"]]  # fmt: skip
    path = folder / "shop.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    probes = [
        {"id": f"{part}-{number}", "group": group, "prompt": one["ask"], "tools": [tool["name"] for tool in
         content["tools"]], "expect": {"call": one["call"]}}
        for part, group in GROUPS.items() for number, one in enumerate(content[part])
    ]  # fmt: skip
    beside = {"schema_version": 1, "identity": {"new": [], "old": []}, "thresholds": THRESHOLDS, "tools": tools}
    path.with_suffix(".probes.yaml").write_text(
        yaml.safe_dump({**beside, "probes": probes}, allow_unicode=True, sort_keys=False), encoding="utf-8"
    )
    return path


def measure(spec: str, options: argparse.Namespace, data: Path, output: Path, backends: SweepBackends) -> Asked:
    started = time.perf_counter()
    recipe = recipe_of(spec).changed(seed=options.seed)
    config = FinetuneConfig(data=str(data), recipe=recipe, model=str(options.model), output=output)
    run = finetune(config, Caller(stop=StopRequests(print), notify=lambda _: None), backends.training)
    asked = CompareConfig(run=run.run_id, output=output, model=str(options.model), ability=NO_ABILITIES, scan=False)
    report, side = compare(asked, load=backends.load)
    write_report(report, side, None)
    told = json.loads((run.folder / "compare" / "report.json").read_text(encoding="utf-8"))
    record = run.record.to_dict()
    return {
        "spec": spec, "seed": options.seed, "seconds": round(time.perf_counter() - started, 1),
        "groups": {part: counted(group, told) for part, group in GROUPS.items()},
        "verdict": told["verdict"], "metrics": told["metrics"],
        "answers": [{key: one.get(key) for key in ("id", "group", "prompt", "before", "after", "passed")}
                    for one in told["probes"] if one["system"] == told["probes"][0]["system"]],
        "train_timings_s": record["timings_s"], "compare_timings_s": told["timings_s"],
        "steps": record["train"]["steps"], "loss": record["train"]["loss"], "settings": record["recipe"],
        "hardware": record["hardware"],
    }  # fmt: skip


def counted(group: str, report: Mapping[str, Any]) -> dict[str, int]:
    """Over all system prompts."""
    asked = [one for one in report["probes"] if one["group"] == group]
    return {
        "n": len(asked), "passed": sum(bool(one["passed"]) for one in asked),
        "marked": sum(MARK in one["after"] for one in asked), "bare": sum(is_bare(one) for one in asked),
        "marked_before": sum(MARK in one["before"] for one in asked),
    }  # fmt: skip


def is_bare(probe: Asked) -> bool:
    """The whole answer is the expected call as JSON, without the marks of a call."""
    [call] = probe["expect"]["call"]
    try:
        return bool(json.loads(probe["after"]) == call)
    except ValueError:
        return False


def line(one: Asked) -> str:
    parts = ", ".join(
        f"{part}: {found['passed']} of {found['n']} called ({found['marked']} marked, {found['bare']} bare)"
        for part, found in one["groups"].items()
    )
    return f"{one['spec']:24} {parts}; {one['steps']} steps, {one['seconds']} s"


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--recipes", nargs="+", default=["keep", "article"])
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(argv)
    told: dict[str, Any] = {
        "what": "tool calls trained on the rows of bench/tools.yaml, over the system prompts of a comparison",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "model": options.model.name, "versions": versions(),
        "entries": [],
    }  # fmt: skip
    backends, content = shared_backends(), yaml.safe_load(SET.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data = lay_out(Path(folder), content)
        for spec in options.recipes:
            try:
                entry = measure(spec, options, data, Path(folder, "output"), backends)
                print(line(entry), flush=True)
            except Exception as error:  # noqa: BLE001  # the others' time on the card must not be lost to one
                entry = {"spec": spec, "error": f"{type(error).__name__}: {error}"}
                print(f"{spec:24} {entry['error']}", flush=True)
            told["entries"].append(entry)
            options.out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
