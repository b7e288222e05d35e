"""Writes the rows of texts with a base model, and optionally trains and compares: rows, times and the figures.

python bench/teach.py MODEL OUT.json ["train=1"] [TEXT …]
Without TEXT: those of bench/teach_texts.txt, which chose nothing. Every row is in OUT.json, to be judged by reading.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from toolkit.core.startup import prepare_environment

prepare_environment()
from toolkit.compare.ability.ability import NO_ABILITIES  # noqa: E402
from toolkit.compare.compare import CompareConfig, compare  # noqa: E402
from toolkit.core.errors import ToolkitError  # noqa: E402
from toolkit.core.events import Caller, StopRequests  # noqa: E402
from toolkit.train.finetune import Backends, FinetuneConfig, finetune  # noqa: E402
from toolkit.train.ms_swift.shared_base import SharedBase  # noqa: E402
from toolkit.train.recipe import default_recipe, load_recipe  # noqa: E402
from toolkit.train.teach import TeachConfig, teach  # noqa: E402

TEXTS = Path(__file__).with_name("teach_texts.txt")


def measure(text: str, model: str, base: SharedBase, output: Path, *, train: bool) -> dict[str, Any]:
    """What one text became; a refusal with its message."""
    recipe = load_recipe(default_recipe(model))
    found: dict[str, Any] = {"text": text, "notes": []}
    started = time.perf_counter()
    try:
        taught = teach(
            TeachConfig(text=text, model=model, output=output, system=recipe.system, seed=recipe.seed),
            load=base.load, notify=found["notes"].append,
        )  # fmt: skip
        lines = taught.data.read_text(encoding="utf-8").splitlines()
        found |= {"kinds": taught.kinds, "written_by_model": taught.written, "tried": taught.tried}
        found |= {"rows": [json.loads(line) for line in lines]}
        found["rows_s"] = round(time.perf_counter() - started, 2)
        if train:
            if taught.for_every_answer:  # as the command does
                recipe = recipe.changed(keep_weight=0)
            found |= trained(taught.data, recipe, model, base, output)
    except ToolkitError as error:
        found |= {"refused": str(error), "exit_code": error.exit_code}
        found.setdefault("rows_s", round(time.perf_counter() - started, 2))
    return found


def trained(data: Path, recipe: Any, model: str, base: SharedBase, output: Path) -> dict[str, Any]:
    started = time.perf_counter()
    run = finetune(
        FinetuneConfig(data=str(data), recipe=recipe, model=model, output=output),
        Caller(stop=StopRequests(print)),
        Backends(train=base.train),
    )
    middle = time.perf_counter()
    report, _ = compare(
        CompareConfig(run=str(run.folder), model=model, output=output, ability=NO_ABILITIES, scan=False), load=base.load
    )
    return {
        "steps": run.record.train.steps, "train_s": round(middle - started, 2),
        "compare_s": round(time.perf_counter() - middle, 2), "verdict": report.verdict.to_dict(),
        "metrics": {
            system: {name: metric.value for name, metric in metrics.items()}
            for system, metrics in report.per_system.items()
        },
    }  # fmt: skip


def main() -> None:
    model, out, *rest = sys.argv[1:]
    texts = [one for one in rest if one != "train=1"] or TEXTS.read_text(encoding="utf-8").splitlines()
    base, found = SharedBase(), []
    with tempfile.TemporaryDirectory() as folder:
        for text in texts:
            found.append(measure(text, model, base, Path(folder), train="train=1" in rest))
            Path(out).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            print(text, "|", found[-1].get("refused") or f"{len(found[-1]['rows'])} rows", found[-1].get("verdict", ""))
    print(Counter("refused" if "refused" in one else "written" for one in found))


if __name__ == "__main__":
    main()
