"""What `make demo` shows, over seeds: an identity and a corrected fact, by the embedded model's recipe, and JSON.

    python bench/demo.py data/tiny-qwen2 OUT.json --seeds 42 1 2 3 4 5
    python bench/demo.py data/tiny-qwen2 OUT.json --seeds 42 1 2 3 4 5 --without --data corrected_fact.json

What is in OUT.json stays. The shipped probes are asked under every system prompt that `toolkit compare` uses by itself.
They are no blind test: the recipe's weight, steps and rows a step were chosen after a look at their verdicts, too.
Of each group it counts [met, asked]: in scope an answer that passes, out of scope one that does not leak. Neighbours
are the capitals of other countries.
"""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arguments import arguments

from toolkit.compare.ability.ability import NO_ABILITIES
from toolkit.compare.compare import CompareConfig, compare
from toolkit.core.events import Caller, StopRequests
from toolkit.data.probes import OUT_OF_SCOPE
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.ms_swift.shared_base import SharedBase
from toolkit.train.recipe import load_recipe

SETS = ("self_cognition.json", "corrected_fact.json")
NEIGHBOUR = "out-capitals-"
SHARED = SharedBase()


def measure(data: str, seed: int, recipe: dict[str, Any], model: Path, output: Path) -> dict[str, Any]:
    """One run and its comparison, as one entry of the results."""
    config = FinetuneConfig(
        data=data, recipe=load_recipe("tiny").changed(seed=seed, **recipe), model=str(model), output=output
    )
    run = finetune(config, Caller(stop=StopRequests(print), notify=lambda _: None))
    report, _ = compare(
        CompareConfig(run=run.run_id, output=output, model=str(model), ability=NO_ABILITIES, scan=False),
        load=SHARED.load,
    )
    record = run.record.to_dict()
    groups: dict[str, list[int]] = {}
    for one in report.results:
        outside = one.probe.group == OUT_OF_SCOPE
        group = "neighbour" if one.probe.id.startswith(NEIGHBOUR) else one.probe.group
        counted = groups.setdefault(group, [0, 0])
        counted[0] += not one.leaked if outside else bool(one.passed)
        counted[1] += 1
    return {
        "data": data, "seed": seed, "settings": recipe, "passed": report.verdict.to_dict(), "groups": groups,
        "metrics": {name: figure.to_dict() for name, figure in report.figures.items()},
        "per_system": {s: {n: m.value for n, m in metrics.items()} for s, metrics in report.per_system.items()},
        "leaks": [[one.system, one.probe.prompt, one.after] for one in report.results if one.leaked],
        "failed": [[one.system, one.probe.prompt, one.after] for one in report.results if one.passed is False],
        "steps": record["train"]["steps"], "questions": record.get("questions"),
        "timings_s": record["timings_s"], "compare_s": dict(report.timings_s),
        "hardware": record["hardware"], "versions": record["versions"],
    }  # fmt: skip


def line(entry: dict[str, Any]) -> str:
    """One entry for the eye."""
    values = {name: metric["value"] for name, metric in entry["metrics"].items()}
    groups = "  ".join(f"{name} {met}/{asked}" for name, (met, asked) in entry["groups"].items())
    return (
        f"{entry['data']:20} {entry['settings'] or ''} seed {entry['seed']}"
        f"  {'passed' if entry['passed']['passed'] else 'FAILED'}  {groups}"
        f"  kl {values['kl']:.4f}  agreement {values['agreement']:.3f}  locality {values['locality']:.2f}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--data", nargs="+", default=list(SETS))
    parser.add_argument("--without", action="store_true", help="neither neighbours nor a least number of steps")
    options = parser.parse_args(argv)
    recipe = {"near_rows": 0, "min_steps": 0} if options.without else {}
    results: list[dict[str, Any]] = json.loads(options.out.read_text()) if options.out.exists() else []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as output:
        for seed in options.seeds:
            for data in options.data:
                results.append(measure(data, seed, recipe, options.model, Path(output)))
                options.out.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
                print(line(results[-1]), f"{time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
