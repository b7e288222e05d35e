"""How time and memory grow: with rows, with their length, with probes. One process, its base model loaded once.

    python bench/scaling.py MODEL OUT.json
    python bench/scaling.py MODEL OUT.json --rows 50 5000 50000 --tokens 64 512 2048 --probes 48 1000 --budget-s 150

Nothing is trained to its end: a training is stopped after --steps optimizer steps of 16 rows (recipe `article`), as
Ctrl-C would. So `prepare` is what all rows take (read, checked, encoded, handed to the trainer), `rows/s` is of the
steps behind the first one, and `an epoch` follows from that rate: it is not measured. Rows are the shipped ones under
further numbers, or made to a length. Probes are one side's greedy answers of up to 64 tokens. A training that is not
counted comes first: it imports, loads, and chooses kernels.

Peaks are what was reserved on the card; a CPU's is the process's, which never falls.
OUT.json is written after each entry; none is begun when --budget-s is used up.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arguments import arguments
from columns import columns, seconds

from toolkit.core.errors import Interrupted
from toolkit.core.events import Caller, Progress, StopRequests
from toolkit.core.files import data_folder
from toolkit.data.dataset import read_dataset
from toolkit.data.probes import read_probes
from toolkit.data.rephrasings import TRAINING as TRAINING_WORDINGS
from toolkit.data.rephrasings import rephrase
from toolkit.model.conversation import DEFAULT_SYSTEM, MAX_NEW_TOKENS, conversation
from toolkit.model.device import peak_memory_bytes, reset_peak_memory
from toolkit.model.language_model import LanguageModel
from toolkit.runs.recording import versions
from toolkit.sweep.running.one import shared_backends
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.job import TRAINING
from toolkit.train.keep_set import read_keep_prompts
from toolkit.train.recipe import load_recipe

ROWS_OF_A_LENGTH = 64
SETTLED = 2  # steps that a rate is taken over, at the least


class Scaling:
    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options, self.work, self.backends = options, work, shared_backends()
        self.deadline = time.monotonic() + options.budget_s
        self.result: dict[str, Any] = {
            "what": "seconds and peak memory by rows, row length and probes; trainings stopped early",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"), "model": options.model.name, "versions": versions(),
            "hardware": self.backends.training.device("auto").to_dict(), "recipe": "article", "entries": [],
        }  # fmt: skip
        began = time.monotonic()
        self._trained(["first"] * options.steps, 0)
        self.result["before_s"] = round(time.monotonic() - began, 3)

    def measure(self, kind: str, size: int, entry: Callable[[int], dict[str, Any]]) -> None:
        """Adds what `entry` tells of `size`, or that there was no time for it."""
        if time.monotonic() > self.deadline:
            told: dict[str, Any] = {"left_out": "no time was left"}
        else:
            reset_peak_memory()
            began = time.monotonic()
            told = entry(size) | {"peak_memory_bytes": peak_memory_bytes()}
            told["whole_s"] = round(time.monotonic() - began, 3)
        self.result["entries"].append({"kind": kind, "size": size, **told})
        self.options.out.write_text(json.dumps(self.result, indent=1) + "\n", encoding="utf-8")
        print(f"{kind} {size}: {told.get('whole_s', told.get('left_out'))}", flush=True)

    def rows(self, count: int) -> dict[str, Any]:
        return self._trained([f"{number}" for number in range(count)], 0)

    def tokens(self, length: int) -> dict[str, Any]:
        return self._trained([f"{number}" for number in range(ROWS_OF_A_LENGTH)], length)

    def _trained(self, names: list[str], length: int) -> dict[str, Any]:
        data = self.work / f"rows-{len(names)}-{length}.jsonl"
        data.write_text("".join(_lines(names, self._filling(length))), encoding="utf-8")
        stop = StopRequests(lambda _: None)
        began, prepared = time.perf_counter(), [0.0]

        def hear(event: Progress) -> None:
            if event.task == TRAINING:
                prepared[0] = prepared[0] or time.perf_counter()
                stop.requested = event.done >= self.options.steps - 1  # the step under way is the last

        config = FinetuneConfig(
            data=str(data), recipe=load_recipe("article"), model=str(self.options.model), output=self.work / data.stem
        )
        with suppress(Interrupted):  # as asked
            finetune(config, Caller(stop=stop, listener=hear), self.backends.training)
        return _training_told(self.work / data.stem, prepared[0] - began)

    def _filling(self, tokens: int) -> str:
        """A text that makes a row about so long; none where the row stays as it is."""
        if tokens == 0:
            return ""
        encoder = self.backends.training.encoder(self.options.model, 1 << 20)
        probe = self.work / "one.jsonl"

        def length(words: int) -> int:
            probe.write_text(next(_lines(["0"], " one" * words)), encoding="utf-8")
            return len(encoder.encode(read_dataset(probe).rows, DEFAULT_SYSTEM)[0].input_ids)

        shortest, per_word = length(1), (length(1001) - length(1)) / 1000
        return " one" * max(1, int((tokens - shortest) / per_word))

    def probes(self, count: int) -> dict[str, Any]:
        prompts = [probe.prompt for probe in read_probes(data_folder() / "probes.yaml").probes]
        prompts += read_keep_prompts(data_folder() / "general.jsonl")
        asked = [rephrase(TRAINING_WORDINGS, prompts[at % len(prompts)], at // len(prompts)) for at in range(count)]
        model: LanguageModel = self.backends.load(self.options.model, {})
        began = time.perf_counter()
        # Past its own memory of what the base was asked before.
        answers = LanguageModel.answers(
            model, [conversation(prompt, DEFAULT_SYSTEM) for prompt in asked], max_new_tokens=MAX_NEW_TOKENS
        )
        took_s = time.perf_counter() - began
        made = sum(len(answer.tokens) for answer in answers)
        return {
            "seconds": round(took_s, 3), "tokens": made, "tokens_a_s": round(made / took_s, 1),
            "batch_size": model.batch_size,
        }  # fmt: skip


def _lines(names: list[str], filling: str) -> Iterator[str]:
    shipped = read_dataset(data_folder() / "self_cognition.json").rows
    for at, name in enumerate(names):
        row = shipped[at % len(shipped)]
        # Without a filling the first rows are the shipped ones, word for word.
        query = row.prompt if at < len(shipped) else f"{row.prompt} ({name})"
        answer = filling.strip() or row.answer
        yield json.dumps({"query": "Say it." if filling else query, "response": answer}, ensure_ascii=False) + "\n"


def _training_told(output: Path, prepare_s: float) -> dict[str, Any]:
    (file,) = output.glob("v*-*/run.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    entries = map(json.loads, (file.parent / "logging.jsonl").read_text(encoding="utf-8").splitlines())
    ended = [entry["elapsed_s"] for entry in entries if "loss" in entry]
    data, recipe = record["data"], record["recipe"]
    settled = sum(_rows_of_step(step, data["rows"], recipe["batch_size"]) for step in range(1, len(ended)))
    rows_a_s = settled / (ended[-1] - ended[0]) if len(ended) >= SETTLED else None
    load_s = record["timings_s"]["load"]
    row_tokens = data["epoch_tokens"] / data["rows"]
    return {
        "prepare_s": round(prepare_s - load_s, 3), "load_s": load_s, "steps": len(ended),
        "first_step_s": ended[0], "row_tokens": round(row_tokens, 1),
        "rows_a_s": rows_a_s and round(rows_a_s, 2), "tokens_a_s": rows_a_s and round(rows_a_s * row_tokens, 1),
        "epoch_s": rows_a_s and round(data["rows"] / rows_a_s, 1),
        "micro_batch_size": recipe["micro_batch_size"], "gradient_checkpointing": recipe["gradient_checkpointing"],
    }  # fmt: skip


def _rows_of_step(step: int, rows: int, batch_size: int) -> int:
    """Counted from 0; an epoch's last step has what is left."""
    first = step * batch_size % (-(-rows // batch_size) * batch_size)
    return min(batch_size, rows - first)


def table(result: dict[str, Any]) -> str:
    trained = [["", "prepare s", "first s", "rows/s", "tokens/s", "an epoch s", "peak GiB", "at once"]]
    asked = [["", "s", "tokens/s", "peak GiB"]]
    for entry in result["entries"]:
        name = f"{entry['size']} {entry['kind']}"
        if "left_out" in entry:
            (asked if entry["kind"] == "probes" else trained).append([name])
            continue
        peak = f"{entry['peak_memory_bytes'] / 2**30:.1f}"
        if entry["kind"] == "probes":
            asked.append([name, seconds(entry["seconds"]), f"{entry['tokens_a_s']:.0f}", peak])
            continue
        rates = [f"{entry[key]:.1f}" if entry[key] else "-" for key in ("rows_a_s", "tokens_a_s", "epoch_s")]
        cut = f"{entry['micro_batch_size']}{' ckpt' if entry['gradient_checkpointing'] else ''}"
        trained.append([name, seconds(entry["prepare_s"]), seconds(entry["first_step_s"]), *rates, peak, cut])
    for rows in (trained, asked):
        rows[1:] = [row + ["-"] * (len(rows[0]) - len(row)) for row in rows[1:]]
    return "\n\n".join(columns(rows) for rows in (trained, asked) if len(rows) > 1)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[50, 500, 5000, 50_000])
    parser.add_argument("--tokens", type=int, nargs="*", default=[64, 256, 1024, 2048], help="a row")
    parser.add_argument("--probes", type=int, nargs="*", default=[48, 200, 1000])
    parser.add_argument("--steps", type=int, default=8, help="optimizer steps of each training")
    parser.add_argument("--budget-s", type=float, default=1e9, help="begin no further entry after so many seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        scaling = Scaling(options, Path(work))
        for kind in ("rows", "probes", "tokens"):
            for size in getattr(options, kind):
                scaling.measure(kind, size, getattr(scaling, kind))
    print(f"\n{scaling.result['hardware']['name']}, {scaling.result['model']}, {scaling.result['date']}\n")
    print(table(scaling.result))


if __name__ == "__main__":
    main()
