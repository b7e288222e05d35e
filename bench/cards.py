"""Commands on one card and on several, each a process a card: their time, and whether they say the same.

    python bench/cards.py MODEL OUT.json --cards 1 2
    python bench/cards.py MODEL OUT.json --cards 1 2 --only long float32 interruptions

- `identity`: the shipped rows as `finetune` trains them by default. `rows`, `plain`: `--rows` made-up rows (see
  large.py) by recipe general, with and without its keep term. `long`: plain, with rows of about 1300 tokens, which are
  work enough for a card. `float32`: a few rows in float32, where sums in another order hardly differ.
- `interruptions`: on the most cards, a stop request, whose run is finished on one card, and a killed process.
- `compare`: a run of `long` or else of the identity, with abilities; `sweep`: four short runs of the identity.

Trainings share the base model's answers and questions, which a first run of one step makes. `step_s`: the median time
between two steps; `tokens_a_s`: of the rows, at the mean one; `gain`: over the first number of cards.
`loss_difference`: the largest of any step from the first run, relative. `same`: answers, figures and verdict are those
of the first. Targets, printed and never asserted: losses within 1e-3 in float32, 1.9 times the tokens on two cards.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from arguments import arguments
from large import row_lines
from processes import Ended, run

from toolkit.train.recipe import RECIPES

DIFFERENCE_TARGET = 1e-3
TRAININGS = ("identity", "rows", "plain", "long", "float32")
INTERRUPTIONS, COMPARE, SWEEP = "interruptions", "compare", "sweep"
ROWS_OF_A_LONG_ONE = 15
PATIENCE_S = 300.0
VERDICTS = range(20, 24)
Entry = dict[str, Any]


def long_rows_text(count: int) -> str:
    """Rows of several rows' answers."""
    rows = [json.loads(line) for line in row_lines(count * ROWS_OF_A_LONG_ONE)]
    parts = [rows[start : start + ROWS_OF_A_LONG_ONE] for start in range(0, len(rows), ROWS_OF_A_LONG_ONE)]
    long = ({**part[0], "output": "\n\n".join(one["output"] for one in part)} for part in parts)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in long)


def trainings(home: Path, rows: int, batch_size: int, epochs: float) -> dict[str, list[str]]:
    """The arguments of each; their files are written to `home`."""
    precise = yaml.safe_load((RECIPES / "general.yaml").read_text(encoding="utf-8")) | {"precision": "float32"}
    files = {
        "rows.jsonl": "".join(row_lines(rows)), "long.jsonl": long_rows_text(max(rows // 4, batch_size)),
        "few.jsonl": "".join(row_lines(8 * batch_size)), "precise.yaml": yaml.safe_dump(precise, allow_unicode=True),
    }  # fmt: skip
    for name, text in files.items():
        (home / name).write_text(text, encoding="utf-8")
    steps = ["--batch-size", str(batch_size), "--epochs", str(epochs)]
    many, plain = [str(home / "rows.jsonl"), "--recipe", "general", *steps], ["--keep-weight", "0"]
    return {
        "identity": ["self_cognition.json"],
        "rows": many,
        "plain": [*many, *plain],
        "long": [str(home / "long.jsonl"), "--recipe", "general", *steps, *plain, "--max-length", "4096"],
        "float32": [str(home / "few.jsonl"), "--recipe", str(home / "precise.yaml"), *steps, *plain],
    }


def toolkit(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "toolkit", *map(str, arguments)]


def ended(command: Sequence[str], *, codes: Sequence[int] = (0,)) -> Ended:
    """Raises SystemExit with the last lines if it failed."""
    found = run(command, os.environ | {"TOOLKIT_WARM": "off"})
    if found.exit_code not in codes:
        sys.exit(found.tail)
    return found


def step_times(run: Path) -> list[float]:
    """The seconds between the ends of a run's steps."""
    logged = [json.loads(line) for line in (run / "logging.jsonl").read_text(encoding="utf-8").splitlines()]
    return [after - before for before, after in pairwise(entry["elapsed_s"] for entry in logged if "loss" in entry)]


def measure(command: Sequence[str], cards: int, output: Path) -> Entry:
    """One training, from its folder."""
    found = ended([*command, "--cards", str(cards), "--output", str(output)])
    folder = output / "latest"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    steps = step_times(folder)
    return {
        "cards": cards, **found.told(), "run": folder.resolve().name, "step_s": round(median(steps), 4),
        "mean_step_s": round(sum(steps) / len(steps), 4),
        "tokens_a_s": round(record["train"]["tokens"] / record["train"]["steps"] / (sum(steps) / len(steps))),
        "timings_s": record["timings_s"], "peak_memory_bytes": record["peak_memory_bytes"],
        "loss": record["train"]["loss"], "cuda_graph": record["train"]["cuda_graph"],
        "cuda_graph_refused": record["train"].get("cuda_graph_refused"),
        "micro_batch_size": record["recipe"]["micro_batch_size"], "hardware": record["hardware"],
        "versions": record["versions"],
    }  # fmt: skip


def difference(losses: Sequence[float], others: Sequence[float]) -> float:
    return max(abs(one - other) / one for one, other in zip(losses, others, strict=True))


def line(name: str, one: Entry) -> str:
    """One training for the eye."""
    train_s, total_s = one["timings_s"]["train"], one["timings_s"]["total"]
    return (
        f"{name}, {one['cards']} cards: {one['step_s'] * 1000:.1f} ms a step, {one['tokens_a_s']} tokens/s "
        f"({one['gain']} x), training {train_s:.1f} s of {total_s:.1f} s, "
        f"peak {one['peak_memory_bytes'] / 2**30:.2f} GiB, captured {one['cuda_graph']}, "
        f"losses differ by {one['loss_difference']:.1e} (target {DIFFERENCE_TARGET:g})"
    )


def train(name: str, command: Sequence[str], cards: Sequence[int], repeat: int, output: Path) -> Entry:
    first = ended([*command, "--epochs", "0.01", "--cards", str(cards[0]), "--output", str(output)])
    print(f"{name}: one step, with what the base model says before it: {first.wall_s:.1f} s", flush=True)
    runs = [measure(command, count, output) for _ in range(repeat) for count in cards]
    for one in runs:
        one["loss_difference"] = difference(runs[0]["loss"], one["loss"])
        one["gain"] = round(one["tokens_a_s"] / runs[0]["tokens_a_s"], 3)
        print(line(name, one), flush=True)
    return {"training": name, "runs": runs}


def workers(process: int) -> list[int]:
    """The ids of the processes, one a card, that this one started."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    return [int(one) for one in children if b"cards.worker" in Path(f"/proc/{one}/cmdline").read_bytes()]


def interrupted(command: Sequence[str], output: Path, act: Callable[[int], None]) -> Entry:
    """What ends a training in its first steps leaves, and how long that takes. Raises SystemExit if it never trains."""
    with subprocess.Popen([*command, "--output", str(output)], stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + PATIENCE_S
        while not any(path.stat().st_size for path in output.glob("v*/logging.jsonl")):
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                sys.exit(process.communicate()[1])
            time.sleep(0.05)
        several = workers(process.pid)
        began = time.monotonic()
        act(process.pid)
        said = process.communicate()[1]
        seconds = time.monotonic() - began
    left = [one for one in several if Path(f"/proc/{one}").exists()]
    [folder] = output.glob("v*")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return {
        "exit_code": process.returncode, "seconds": round(seconds, 2), "said": said.strip().splitlines()[-1],
        "status": record["status"], "run": folder.name, "processes_left": len(left),
    }  # fmt: skip


def interruptions(command: Sequence[str], cards: int, home: Path) -> Entry:
    several = [*command, "--cards", str(cards), "--save-every-steps", "1"]
    stopped = interrupted(several, home / "stopped", lambda process: os.kill(process, signal.SIGINT))
    resumed = ended(toolkit("finetune", "--resume", stopped["run"], "--output", home / "stopped"))
    killed = interrupted(several, home / "killed", lambda process: os.kill(workers(process)[-1], signal.SIGKILL))
    for name, one in (("stopped", stopped), ("a process killed", killed)):
        print(f"{name}: exit code {one['exit_code']} after {one['seconds']} s, {one['status']}, "
              f"{one['processes_left']} processes left: {one['said']}", flush=True)  # fmt: skip
    return {"training": INTERRUPTIONS, "cards": cards, "stopped": stopped, "resumed": resumed.told(), "killed": killed}


def without_times(report: Entry) -> Entry:
    return {name: value for name, value in report.items() if name not in {"timings_s", "content_sha256", "ability"}}


def compared(output: Path, name: str, cards: Sequence[int]) -> Entry:
    runs, reports = [], []
    for count in cards:
        found = ended(toolkit("compare", name, "--output", output, "--ability", "--cards", count), codes=[0, *VERDICTS])
        report = json.loads((output / name / "compare" / "report.json").read_text(encoding="utf-8"))
        reports.append(report)
        same = without_times(report) == without_times(reports[0])
        runs.append({"cards": count, **found.told(), "same": same, "timings_s": report["timings_s"]})
        print(f"compare, {count} cards: {report['timings_s']['total']} s of {found.wall_s:.1f} s, same: {same}")
    return {"training": COMPARE, "runs": runs}


def swept(model: Path, cards: Sequence[int], home: Path) -> Entry:
    runs, results = [], []
    for count in cards:
        output = home / f"sweep-{count}"
        command = toolkit("sweep", "self_cognition.json", "--model", model, "--recipes", "article", "--seed", "1,2,3,4")
        found = ended([*command, "--cards", str(count), "--output", str(output)], codes=[0, *VERDICTS])
        [path] = output.glob("sweeps/*/sweep.json")
        entries = json.loads(path.read_text(encoding="utf-8"))["runs"]
        results.append([(one["settings"], one["metrics"], one["verdict"]) for one in entries])
        runs.append({"cards": count, **found.told(), "same": results[-1] == results[0], "results": results[-1]})
        print(f"sweep of 4, {count} cards: {found.wall_s:.1f} s, same: {results[-1] == results[0]}", flush=True)
    return {"training": SWEEP, "runs": runs}


def main(argv: Sequence[str] | None = None) -> None:
    everything = (*TRAININGS, INTERRUPTIONS, COMPARE, SWEEP)
    parser = arguments(__doc__)
    parser.add_argument("--cards", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    options = parser.parse_args(argv)
    found: list[Entry] = []
    with tempfile.TemporaryDirectory() as folder:
        home, output = Path(folder), Path(folder, "output")
        commands = {
            name: toolkit("finetune", *more, "--model", options.model)
            for name, more in trainings(home, options.rows, options.batch_size, options.epochs).items()
        }

        def add(entry: Entry) -> None:
            found.append(entry | {"model": options.model.name})
            options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

        for name in TRAININGS:
            if name in options.only:
                add(train(name, commands[name], options.cards, options.repeat, output))
        if INTERRUPTIONS in options.only:
            add(interruptions(commands["plain"], max(options.cards), home))
        if COMPARE in options.only:
            if not (output / "latest").exists():
                ended([*commands["identity"], "--output", str(output)])
            add(compared(output, (output / "latest").resolve().name, options.cards))
        if SWEEP in options.only:
            add(swept(options.model, options.cards, home))


if __name__ == "__main__":
    main()
