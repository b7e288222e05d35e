"""The article's commands and ours, each a process of its own from start to end, on one card or a CPU.

    python bench/run.py MODEL OUT.json
    python bench/run.py MODEL OUT.json --parts article
    python bench/run.py MODEL OUT.json --parts finetune default cap infer --earlier FIRST.json
    python bench/run.py data/tiny-qwen2 OUT.json --repeat 1          # what a CPU tells

article    ms-swift's own `swift sft` with the article's settings, once
finetune   `toolkit finetune --recipe article` without and with --compare, alternating, --repeat times
default    `toolkit finetune --compare` with the recipe that nobody named, --repeat-default times
cap        `toolkit finetune --recipe article --compare` with at most --cap-gib of the card
infer      `swift infer` over the probes, the base model and then with an adapter: what a comparison was before

OUT.json is written after each process. Nothing reaches a network. Files are read once before, so that nobody pays for
a cold disk. `byte_code` tells whether the libraries lie compiled, as pip leaves them: else each process compiles them
anew. Targets are printed beside what was measured, and never asserted.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import article
import yaml
from arguments import arguments
from processes import Ended, phases, run
from run_tables import show

from toolkit.core.files import data_folder
from toolkit.model.conversation import MAX_NEW_TOKENS

PARTS = ("article", "finetune", "default", "cap", "infer")
VERDICTS = {0, 20, 21, 22}
DATA = "self_cognition.json"
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "MODELSCOPE_ENDPOINT": "http://127.0.0.1:1", "PYTHONUNBUFFERED": "1",
}  # fmt: skip
# In a process of its own, which gives the card back; it also reads what the others import.
MACHINE = """
import importlib.util, json
from pathlib import Path
from toolkit.core.startup import prepare_environment
prepare_environment()
import swift.pipelines.train.sft
from toolkit.model.device import find_device
from toolkit.runs.recording import versions
byte_code = Path(importlib.util.cache_from_source(swift.__file__)).is_file()
print(json.dumps({"hardware": find_device().to_dict(), "versions": versions(), "byte_code": byte_code}))
"""


class Bench:
    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options, self.work, self.environment = options, work, os.environ | OFFLINE
        started = time.perf_counter()
        _read_once(options.model)
        told = run([sys.executable, "-c", MACHINE], self.environment)
        if told.exit_code:
            sys.exit(told.tail)
        machine = json.loads(next(line for _, line in told.lines if line.startswith('{"hardware"')))
        self.on_card = machine["hardware"]["device"] != "cpu"
        self.result: dict[str, Any] = {
            "what": "seconds of whole processes: the article's commands and ours",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"), "model": options.model.name, **machine,
            "probes": options.probes, "systems": [article.SYSTEM], "max_new_tokens": MAX_NEW_TOKENS,
            "read_before_s": round(time.perf_counter() - started, 1),
            "entries": _earlier(options.earlier, machine),
        }  # fmt: skip
        self.questions = lay_out(work, options.probes)

    def add(self, name: str, command: Sequence[str], ended: Ended, **more: Any) -> None:
        self.result["entries"].append({"name": name, "command": self._shown(command), **ended.told(), **more})
        self.options.out.write_text(json.dumps(self.result, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {ended.wall_s:.2f} s, exit code {ended.exit_code}", flush=True)
        if ended.exit_code not in VERDICTS:
            print(ended.tail, flush=True)

    def _shown(self, command: Sequence[str]) -> str:
        """Without this machine's folders."""
        places = {
            str(self.work): "WORK",
            str(self.options.model): "MODEL",
            str(data_folder()): "DATA",
            sys.executable: "python",
        }
        text = " ".join(command)
        for place, name in places.items():
            text = text.replace(place, name)
        return text

    def article(self) -> None:
        output = self.work / "article"
        command = article.training(self.options.model, self.work / DATA, output, on_card=self.on_card)
        ended = run(command, self.environment)
        told = {} if ended.exit_code else article.training_told(output)
        took = phases(ended.lines, article.TRAINING_MARKS, ended.wall_s)
        self.add("article", command, ended, phases_s=took, **told)

    def infer(self) -> None:
        for name, adapter in (("infer-base", None), ("infer-tuned", self._adapter())):
            answers = self.work / f"{name}.jsonl"
            command = article.asking(
                self.options.model, self.questions, answers, adapter, MAX_NEW_TOKENS
            )  # fmt: skip
            ended = run(command, self.environment)
            took = phases(ended.lines, article.ASKING_MARKS, ended.wall_s)
            count = 0 if ended.exit_code else len(answers.read_text(encoding="utf-8").splitlines())
            self.add(name, command, ended, phases_s=took, answers=count)

    def _adapter(self) -> Path:
        """The article's, else one of ours: as large, so it takes as long."""
        found = [*self.work.glob("article/v*/checkpoint-*"), *self.work.glob("*/v*/checkpoint-*")]
        if not found:
            sys.exit("No adapter to ask with: let another part run beside infer.")
        return found[0]

    def finetune(self) -> None:
        for _ in range(self.options.repeat):
            self.ours("finetune", "--recipe", "article")
            self.ours("finetune --compare", "--recipe", "article", "--compare")

    def default(self) -> None:
        for _ in range(self.options.repeat_default):
            self.ours("default --compare", "--compare")

    def cap(self) -> None:
        if self.on_card:
            cap = f"{self.options.cap_gib:g}"
            self.ours("cap --compare", "--recipe", "article", "--compare", TOOLKIT_GPU_MEMORY_GIB=cap)

    def ours(self, name: str, *words: str, **environment: str) -> None:
        """A folder of its own each time, so that nothing is remembered."""
        output = Path(tempfile.mkdtemp(prefix="ours-", dir=self.work))
        data = str(self.work / DATA)  # with the chosen probes beside it
        command = [sys.executable, "-m", "toolkit", "finetune", data, "--model", str(self.options.model),
                   "--output", str(output), *words]  # fmt: skip
        ended = run(command, self.environment | environment)
        told = _told(output, ended) if ended.exit_code in VERDICTS else {}
        self.add(name, command, ended, **told, environment=environment)


def _read_once(model: Path) -> None:
    for path in filter(Path.is_file, model.iterdir()):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


def _earlier(file: Path | None, machine: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Raises SystemExit where it was another machine: its seconds mean nothing here."""
    if file is None:
        return []
    before = json.loads(file.read_text(encoding="utf-8"))
    for key in ("hardware", "versions", "byte_code"):
        if before[key] != machine[key]:
            sys.exit(f"{file} was measured elsewhere: {key} is {before[key]}, here {machine[key]}.")
    return list(before["entries"])


def lay_out(work: Path, count: int) -> Path:
    """The data set with so many probes beside it, and the same questions as ms-swift reads them.

    They are taken evenly from all of them: the first ones are questions of the data set alone.
    """
    shutil.copy(data_folder() / DATA, work / DATA)
    probes = yaml.safe_load((data_folder() / "probes.yaml").read_text(encoding="utf-8"))
    every = probes["probes"]
    chosen = [every[at * len(every) // count] for at in range(count)]
    content = probes | {"systems": [article.SYSTEM], "probes": chosen}
    beside = (work / DATA).with_suffix(".probes.yaml")
    beside.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    questions = work / "questions.jsonl"
    asked = [{"messages": [{"role": "user", "content": probe["prompt"]}]} for probe in chosen]
    questions.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in asked), encoding="utf-8")
    return questions


def _told(output: Path, ended: Ended) -> dict[str, Any]:
    """From run.json, logging.jsonl and report.json: what they tell, and the phases that follow from it."""
    (record_file,) = output.glob("v*-*/run.json")
    record = json.loads(record_file.read_text(encoding="utf-8"))
    entries = map(json.loads, (record_file.parent / "logging.jsonl").read_text(encoding="utf-8").splitlines())
    first_step_s = next(entry["elapsed_s"] for entry in entries if "loss" in entry)
    report_file = record_file.parent / "compare" / "report.json"
    report = json.loads(report_file.read_text(encoding="utf-8")) if report_file.is_file() else {}
    timings, compared = record["timings_s"], report.get("timings_s", {})
    took = {name: timings[name] for name in ("import", "load", "data", "keep", "save") if name in timings}
    took |= {"first step": first_step_s, "steps": round(timings["train"] - first_step_s, 3)}
    took["generate"] = round(sum(compared.get(name, 0) for name in ("before", "noise", "after", "drift")), 3)
    computing = timings["keep"] + timings["train"] + took["generate"]
    return {
        "phases_s": took | {"rest": round(ended.wall_s - sum(took.values()), 3)},
        "computing_share": round(computing / ended.wall_s, 3),
        "timings_s": timings, "compare_s": compared, "peak_memory_bytes": record["peak_memory_bytes"],
        "recipe": record["recipe"]["name"], "train_s": timings["train"], "steps": record["train"]["steps"],
        "micro_batch_size": record["recipe"]["micro_batch_size"],
        "gradient_checkpointing": record["recipe"]["gradient_checkpointing"], "loss": record["train"]["loss"],
        "verdict": report.get("verdict", {}).get("passed"),
    }  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--earlier", type=Path, help="an OUT.json of this very machine, whose entries are taken over")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--repeat-default", type=int, default=1)
    parser.add_argument("--probes", type=int, default=48, choices=range(1, 101), metavar="1-100")
    parser.add_argument("--cap-gib", type=float, default=23)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        bench = Bench(options, Path(work))
        for part in [one for one in PARTS if one in options.parts]:
            getattr(bench, part)()
    show(bench.result)


if __name__ == "__main__":
    main()
