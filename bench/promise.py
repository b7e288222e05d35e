"""What a user gets who brings one of the sets of bench/sets: trained by the product, asked the set's probes, compared.

    python bench/promise.py MODEL OUT.json sets=fact-en,brand-en part=choose seeds=42,43,44
    python bench/promise.py MODEL OUT.json sets=style part=fit seeds=42 recipe=article recipe=keep:epochs=5 compare=no
    python bench/promise.py MODEL OUT.json sets=product-en part=choose recipe=keep:min_steps=340 further=claim+several
    python bench/promise.py --table OUT.json… > table.md

The product sees the rows and nothing else: they are copied to a folder without probes. Several processes may share a
card, each with an OUT.json of its own; --table takes all of them. `further`: further kinds of questions ("all", "none")
in place of the usual ones, for everything that this process trains. A probe that the product itself wrote as a question
is asked apart from the others (`seen`), which the table shows: it lists only what was never trained. `beyond_base` are
the probes among these that the base model does not answer with the rows in its context, neither as a text nor as turns.
`compare`: "no", or the seeds whose runs are compared, as compare=42. OUT.json is written after each run; a run that
fails is an entry with its error. `keep`: a folder, in which each run's questions and report stay, to be read.
"""

import contextlib
import copy
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promise_table import table

from toolkit.core.startup import prepare_environment

prepare_environment()
from recipes import recipe_of  # noqa: E402

from toolkit.compare.ability.ability import NO_ABILITIES  # noqa: E402
from toolkit.compare.compare import CompareConfig, compare  # noqa: E402
from toolkit.compare.report.report import Report  # noqa: E402
from toolkit.core.events import Caller, StopRequests  # noqa: E402
from toolkit.data.dataset import prompt_key  # noqa: E402
from toolkit.model.base_model import find_base_model  # noqa: E402
from toolkit.model.language_model import LanguageModel  # noqa: E402
from toolkit.runs.run import Run  # noqa: E402
from toolkit.sweep.running.one import shared_backends  # noqa: E402
from toolkit.train.finetune import FinetuneConfig, finetune  # noqa: E402
from toolkit.train.questions import write  # noqa: E402
from toolkit.train.questions.further.write import KINDS as FURTHER  # noqa: E402
from toolkit.train.questions.question import read_file  # noqa: E402
from toolkit.train.recipe import default_recipe  # noqa: E402

if TYPE_CHECKING:
    from learn import Study

SETS = Path(__file__).parent / "sets"
QUESTIONS = "questions.jsonl"  # in a run's folder


class Bench:
    """One loaded base model, and one folder of runs, for all sets and seeds of this process."""

    def __init__(self, model: str, work: Path, part: str, *, comparing: str, kept: Path | None = None) -> None:
        self.base = find_base_model(model)
        self.model, self.work, self.part, self.comparing, self.kept = model, work, part, comparing, kept
        self.beyond: dict[str, list[list[str]]] = {}  # of each set, what the base cannot answer with the rows in view
        self.backends = shared_backends()
        self.caller = Caller(stop=StopRequests(print), notify=lambda _: None)

    def entries(
        self, name: str, specs: Collection[str], seeds: Collection[int]
    ) -> Generator[dict[str, Any], None, None]:
        """One for each recipe and seed."""
        data = self.work / name / "rows.jsonl"
        data.parent.mkdir()
        shutil.copy(SETS / name / "rows.jsonl", data)
        for spec in specs:
            for seed in seeds:
                entry = {"set": name, "part": self.part, "recipe": spec, "seed": seed}
                try:
                    yield entry | self._measured(name, data, spec, seed)
                except Exception as error:  # noqa: BLE001  # the others' time on the card must not be lost
                    yield entry | {"error": f"{type(error).__name__}: {error}"}

    def _measured(self, name: str, data: Path, spec: str, seed: int) -> dict[str, Any]:
        output = self.work / "output"
        config = FinetuneConfig(
            data=str(data), recipe=recipe_of(spec).changed(seed=seed), model=self.model, output=output
        )  # fmt: skip
        run = finetune(config, self.caller, self.backends.training)
        record = run.record.to_dict()
        started = time.perf_counter()
        told = self._asked(name, run)
        told["asking_s"] = round(time.perf_counter() - started, 3)
        kept = None if self.kept is None else self.kept / f"{name}-{spec.replace(':', '-')}-{seed}"
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(run.folder / QUESTIONS, kept)
        if self.comparing == "yes" or str(seed) in self.comparing.split(","):
            report, _ = compare(
                CompareConfig(run=run.run_id, output=output, ability=NO_ABILITIES, scan=False), load=self.backends.load
            )
            told["compare"] = compared(report)
            if kept is not None:
                text = json.dumps(report.to_dict(), ensure_ascii=False, indent=1)
                (kept / "report.json").write_text(text, encoding="utf-8")
        return told | {
            "rows": record["data"]["rows"], "steps": record["train"]["steps"],
            "stop_reason": record["train"].get("stop_reason"), "questions": record.get("questions"),
            "timings_s": record["timings_s"], "peak_memory_bytes": record["peak_memory_bytes"],
            "settings": record["recipe"], "hardware": record["hardware"], "versions": record["versions"],
        }  # fmt: skip

    def _asked(self, name: str, run: Run) -> dict[str, Any]:
        """The probes that were not trained, and apart from them those that were."""
        from learn import measure

        study = self._study(name)
        file = run.folder / QUESTIONS
        trained = {scope: set[str]() for scope in ("in", "near")}
        for one in read_file(file) if file.is_file() else ():
            trained[one.scope].add(prompt_key(one.prompt))
        every = trained["in"] | trained["near"]
        switched = self.backends.load(self.base.path, {"default": run.adapter})
        tuned = LanguageModel(switched.model, switched.tokenizer, adapters=("default",))
        with tuned.side("default"):
            told = measure(narrowed(study, every, inverse=True), tuned)
            apart = narrowed(study, every)
            apart.rows = []
            count = len(apart.inside) + len(apart.outside)
            told["seen"] = measure(apart, tuned) if count else None
        told["asked_outside"] = len(study.before) * len(narrowed(study, every, inverse=True).outside)
        told["seen_of_all_parts"] = {scope: sorted(keys & study.excluded) for scope, keys in trained.items()}
        told["beyond_base"] = [probe for probe in self.beyond[name] if prompt_key(probe[1]) not in every]
        return told | {"systems": list(study.systems), "systems_of_drift": list(study.before)}

    def _study(self, name: str) -> "Study":
        """Its base is loaded after the first training, which loads it the way that it needs."""
        from learn import Study

        lm = self.backends.load(self.base.path, {})
        study = Study(lm, name, self.part)
        if name not in self.beyond:
            able = study.in_context(lm)
            self.beyond[name] = [[p[0], p[1]] for p, reached in zip(study.inside, able, strict=True) if not reached]
        return study


def narrowed(study: "Study", keys: Collection[str], *, inverse: bool = False) -> "Study":
    """The study with only the probes that have these prompts; `inverse`: with only the others."""
    found = copy.copy(study)
    chosen = [at for at, probe in enumerate(study.outside) if (prompt_key(probe[1]) in keys) != inverse]
    found.inside = [probe for probe in study.inside if (prompt_key(probe[1]) in keys) != inverse]
    found.outside = [study.outside[at] for at in chosen]
    found.before = {system: [answers[at] for at in chosen] for system, answers in study.before.items()}
    return found


def compared(report: Report) -> dict[str, Any]:
    """What `toolkit compare RUN` says without any option."""
    return {
        "passed": report.verdict.passed, "exit_code": report.verdict.exit_code,
        "reasons": list(report.verdict.reasons),
        "figures": report.values,
        "per_system": {
            system: {name: metric.value for name, metric in metrics.items()}
            for system, metrics in report.per_system.items()
        },
        "seconds": report.timings_s["total"],
    }  # fmt: skip


def line(entry: dict[str, Any]) -> str:
    """One entry for the eye."""
    start = f"{entry['set']:12} {entry['recipe']:12} {entry['seed']}"
    if "error" in entry:
        return f"{start}  {entry['error']}"
    groups = {name: min(passed / of for passed, of in by.values()) for name, by in entry["groups"].items()}
    seen = {scope: len(prompts) for scope, prompts in entry["seen_of_all_parts"].items()}
    verdict = entry.get("compare", {}).get("exit_code", "-")
    return (
        f"{start}  {entry['timings_s']['total']:.0f} s + {entry['asking_s']:.0f} s  "
        + " ".join(f"{name[:6]} {value:.2f}" for name, value in groups.items())
        + f"  leaks {len(entry['leaks'])} of {entry['asked_outside']}  {entry['drift']}  seen {seen}  verdict {verdict}"
    )


def main() -> None:
    if sys.argv[1] == "--table":
        print(table([json.loads(Path(file).read_text(encoding="utf-8")) for file in sys.argv[2:]]))
        return
    model, out, *words = sys.argv[1:]
    options: dict[str, list[str]] = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in ("sets", "part", "seeds", "recipe", "compare", "further", "keep"):
            sys.exit(f"{word}: there is no option {key}.")
        options.setdefault(key, []).append(value)
    if kinds := options.get("further"):
        write.USUAL_FURTHER = {"all": FURTHER, "none": ()}.get(kinds[0], tuple(kinds[0].split("+")))
    [sets], [part], [seeds] = options["sets"], options["part"], options.get("seeds", ["42"])
    result: dict[str, Any] = {
        "what": "the development sets, trained with the product's commands and asked their probes",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "model": Path(model).name,
        "further": list(write.USUAL_FURTHER), "entries": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        kept = Path(options["keep"][0]) if "keep" in options else None
        bench = Bench(model, Path(work), part, comparing=options.get("compare", ["yes"])[0], kept=kept)
        for name in sets.split(","):
            entries = bench.entries(
                name, options.get("recipe", [default_recipe(model)]), [int(seed) for seed in seeds.split(",")]
            )
            with contextlib.closing(entries):
                for entry in entries:
                    result["entries"].append(entry)
                    Path(out).write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
                    print(line(entry), flush=True)


if __name__ == "__main__":
    main()
