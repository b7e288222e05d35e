"""The same training on one card and on several, each a process of its own: its losses, and the time of a step.

    python bench/cards.py MODEL OUT.json --cards 1 2
    python bench/cards.py MODEL OUT.json --cards 1 2 --rows 5000 --batch-size 64 --repeat 2

Three trainings: the shipped identity as `finetune` trains it by default, and `--rows` made-up rows (see large.py) by
recipe general, with and without its keep term. All share the base model's answers and questions, which a first run of
one step makes. `step_s`: the median time between two steps; `tokens_a_s`: of the rows, at the mean one.
`loss_difference`: the largest of any step from the first run, relative. The target, printed and never asserted: at most
1e-3.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from arguments import arguments
from large import rows_text
from processes import Ended, run

DIFFERENCE_TARGET = 1e-3
IDENTITY, ROWS, PLAIN = "identity", "rows", "rows-without-keep"


def trainings(rows: Path, batch_size: int, epochs: float) -> dict[str, list[str]]:
    """The arguments of each."""
    many = [str(rows), "--recipe", "general", "--batch-size", str(batch_size), "--epochs", str(epochs)]
    return {IDENTITY: ["self_cognition.json"], ROWS: many, PLAIN: [*many, "--keep-weight", "0"]}


def trained(arguments: Sequence[str], model: Path, cards: int, output: Path) -> Ended:
    """Raises SystemExit with the last lines if it failed."""
    command = [sys.executable, "-m", "toolkit", "finetune", *arguments, "--cards", str(cards)]
    ended = run([*command, "--model", str(model), "--output", str(output)], os.environ)
    if ended.exit_code:
        sys.exit(ended.tail)
    return ended


def measure(arguments: Sequence[str], model: Path, cards: int, output: Path) -> dict[str, Any]:
    """One run, from its folder."""
    ended = trained(arguments, model, cards, output)
    folder = output / "latest"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    logged = [json.loads(line) for line in (folder / "logging.jsonl").read_text(encoding="utf-8").splitlines()]
    at = [entry["elapsed_s"] for entry in logged if "loss" in entry]
    steps = [after - before for before, after in pairwise(at)]
    return {
        "cards": cards, **ended.told(), "step_s": round(median(steps), 4),
        "mean_step_s": round(sum(steps) / len(steps), 4),
        "tokens_a_s": round(record["train"]["tokens"] / len(at) / (sum(steps) / len(steps))),
        "timings_s": record["timings_s"], "peak_memory_bytes": record["peak_memory_bytes"],
        "loss": record["train"]["loss"], "cuda_graph": record["train"]["cuda_graph"],
        "cuda_graph_refused": record["train"].get("cuda_graph_refused"),
        "micro_batch_size": record["recipe"]["micro_batch_size"], "hardware": record["hardware"],
        "versions": record["versions"],
    }  # fmt: skip


def difference(losses: Sequence[float], others: Sequence[float]) -> float:
    return max(abs(one - other) / one for one, other in zip(losses, others, strict=True))


def line(name: str, one: dict[str, Any]) -> str:
    """One run for the eye."""
    train_s, total_s = one["timings_s"]["train"], one["timings_s"]["total"]
    return (
        f"{name}, {one['cards']} cards: {one['step_s'] * 1000:.1f} ms a step, {one['tokens_a_s']} tokens/s, "
        f"training {train_s:.1f} s of {total_s:.1f} s, peak {one['peak_memory_bytes'] / 2**30:.2f} GiB, "
        f"captured {one['cuda_graph']}, losses differ by {one['loss_difference']:.1e} (target {DIFFERENCE_TARGET:g})"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--cards", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=(IDENTITY, ROWS, PLAIN), default=[IDENTITY, ROWS, PLAIN])
    options = parser.parse_args(argv)
    found = []
    with tempfile.TemporaryDirectory() as home:
        data = Path(home, "rows.jsonl")
        data.write_text(rows_text(options.rows), encoding="utf-8")
        for name, command in trainings(data, options.batch_size, options.epochs).items():
            if name not in options.only:
                continue
            first = trained([*command, "--epochs", "0.01"], options.model, options.cards[0], Path(home, "output"))
            print(f"{name}: one step, with what the base model says before it: {first.wall_s:.1f} s", flush=True)
            runs = [
                measure(command, options.model, cards, Path(home, "output"))
                for _ in range(options.repeat)
                for cards in options.cards
            ]
            for one in runs:
                one["loss_difference"] = difference(runs[0]["loss"], one["loss"])
                print(line(name, one), flush=True)
            found.append({"training": name, "model": options.model.name, "runs": runs})
            options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
