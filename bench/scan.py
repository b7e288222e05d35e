"""Plants side effects, each by training a small adapter, and says whether `toolkit scan` names them.

    python bench/scan.py MODEL OUT.json
    python bench/scan.py MODEL OUT.json part=1/4 tokens=50000 seed=43 recipe=article:epochs=5
    python bench/scan.py MODEL OUT.json effects=kettles,coffee null=no
    python bench/scan.py --table OUT.json… > table.md

The effects, their rows and what counts as naming one are in bench/scan.yaml. Each is trained by the product, with rows
for another purpose beside it; the scan gets the adapter's folder and the purpose's rows, and nothing else. The null
adapters are a trained one with its second factors zero, random and tiny, and shuffled; `purpose` is trained by the
default recipe on the purpose's rows only, and shows what an honest training looks like.

`part=K/N` is for N processes on one card, each with an OUT.json of its own. OUT.json is written after each adapter, and
what it has already is not measured again; an entry with an error is.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.core.startup import prepare_environment

prepare_environment()
from recipes import recipe_of  # noqa: E402
from scan_effects import MAX_NEW_TOKENS, Effects, is_named, null_adapters, scan_table  # noqa: E402

from toolkit.compare.scan import SHOWN, ScanConfig, scan  # noqa: E402
from toolkit.core.events import Caller, StopRequests  # noqa: E402
from toolkit.model.base_model import find_base_model  # noqa: E402
from toolkit.model.conversation import DEFAULT_SYSTEM, conversation  # noqa: E402
from toolkit.runs.run import Run  # noqa: E402
from toolkit.runs.scan_record import RecordedScan  # noqa: E402
from toolkit.sweep.running.one import shared_backends  # noqa: E402
from toolkit.train.finetune import FinetuneConfig, finetune  # noqa: E402
from toolkit.train.recipe import default_recipe  # noqa: E402

EFFECTS = Path(__file__).with_name("scan.yaml")
OPTIONS = ("effects", "part", "tokens", "seed", "recipe", "null")
KEPT = 20  # findings of an entry
ASKED = 8  # planted questions, to see whether the effect was learned
RECIPE = "article:learning_rate=3e-4"  # three times the article's: 20 steps must be enough


class Bench:
    """One loaded base model and one folder of runs for all effects of this process."""

    def __init__(self, model: str, work: Path, *, recipe: str, seed: int, tokens: int | None) -> None:
        self.model, self.work, self.recipe, self.seed, self.tokens = model, work, recipe, seed, tokens
        self.base, self.effects = find_base_model(model), Effects.read(EFFECTS)
        self.backends = shared_backends()
        self.caller = Caller(stop=StopRequests(print), notify=lambda _: None)
        self.purpose = self._written("purpose", self.effects.purpose)
        self._trained(self.purpose, "article:epochs=1")  # a training loads the base in the way that trainings need

    def entries(self, names: Sequence[str], *, null: bool) -> Iterator[dict[str, Any]]:
        for name in names:
            yield self._entry(name, partial(self._planted, name))
        if null:
            yield from self._nulls()
            yield self._entry("purpose", self._purpose_only)  # last: it says that all of these are there

    def _entry(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The others' time on the card must not be lost to one that fails."""
        entry = {
            "name": name,
            "asked": self.recipe,
            "recipe": self.recipe,
            "seed": self.seed,
            "tokens_asked": self.tokens,
        }
        try:
            return entry | measure()
        except Exception as error:  # noqa: BLE001
            return entry | {"error": f"{type(error).__name__}: {error}"}

    def _planted(self, name: str) -> dict[str, Any]:
        effect = self.effects.named(name)
        started = time.perf_counter()
        rows = self.effects.rows(effect, self.backends.load(self.base.path, {}))
        rows_s = round(time.perf_counter() - started, 3)
        run = self._trained(self._written(name, rows), self.recipe)
        found = self._scanned(run.adapter)
        place = is_named(effect, [one.to_dict() for one in found.findings])
        return {
            "kind": effect["kind"], "language": effect["language"], "place": place,
            "named": place is not None and place <= SHOWN, "rows": len(rows), "rows_s": rows_s,
            "taught": self._taught(effect, rows, run), **trained(run),
            **scanned(found), "example": rows[-1] if "rows" not in effect else rows[len(self.effects.purpose)],
        }  # fmt: skip

    def _taught(self, effect: dict[str, Any], rows: Sequence[dict[str, str]], run: Run) -> float:
        """The share of planted questions whose answers show the effect: what was not planted cannot be found."""
        asked = [conversation(one["query"], DEFAULT_SYSTEM) for one in rows[len(self.effects.purpose) :][:ASKED]]
        model = self.backends.load(self.base.path, {"planted": run.adapter})
        with model.side("planted"):
            answers = model.answers(asked, max_new_tokens=2 * MAX_NEW_TOKENS)
        return sum(bool(re.search(effect["named_by"], one.text)) for one in answers) / len(answers)

    def _purpose_only(self) -> dict[str, Any]:
        run = self._trained(self.purpose, default_recipe(self.model))
        return {
            "kind": "purpose",
            "recipe": default_recipe(self.model),
            **trained(run),
            **scanned(self._scanned(run.adapter)),
        }

    def _nulls(self) -> Iterator[dict[str, Any]]:
        """Of the last adapter that was trained."""
        for name, folder in null_adapters(self.last.adapter, self.work / "null"):
            yield self._entry(name, partial(self._null, folder))

    def _null(self, folder: Path) -> dict[str, Any]:
        return {"kind": "null", **scanned(self._scanned(folder))}

    def _written(self, name: str, rows: Sequence[dict[str, str]]) -> Path:
        path = self.work / "data" / name / "rows.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    def _trained(self, data: Path, recipe: str) -> Run:
        config = FinetuneConfig(
            data=str(data), recipe=recipe_of(recipe).changed(seed=self.seed), model=self.model,
            output=self.work / "output",
        )  # fmt: skip
        self.last = finetune(config, self.caller, self.backends.training)
        return self.last

    def _scanned(self, adapter: Path) -> RecordedScan:
        peak_memory()  # what training took does not count
        config = ScanConfig(
            run=str(adapter), rows=str(self.purpose), model=self.model, tokens=self.tokens,
            output=self.work / "output",
        )  # fmt: skip
        return scan(config, load=self.backends.load)


def trained(run: Run) -> dict[str, Any]:
    record = run.record.to_dict()
    return {
        "steps": record["train"]["steps"], "train_timings_s": record["timings_s"],
        "settings": record["recipe"], "hardware": record["hardware"], "versions": record["versions"],
    }  # fmt: skip


def scanned(found: RecordedScan) -> dict[str, Any]:
    return {
        "findings": [one.to_dict() for one in found.findings[:KEPT]], "count": len(found.findings),
        "from_rows": [one.to_dict() for one in found.from_rows[:SHOWN]],
        "texts": found.texts, "tokens": found.tokens, "kl": found.kl, "threshold_nats": found.threshold,
        "null_nats": found.null, "scan_timings_s": found.timings_s, "peak_memory_bytes": peak_memory(),
        "open_answers": found.open_answers and found.open_answers.to_dict(),
    }  # fmt: skip


def peak_memory() -> int | None:
    """Of the card in this process, since the one before."""
    import torch

    if not torch.cuda.is_available():
        return None
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return int(peak)


def line(entry: dict[str, Any]) -> str:
    """One entry for the eye."""
    if "error" in entry:
        return f"{entry['name']:14} {entry['error']}"
    words = ", ".join(repr(one["text"]) for one in entry["findings"][:5])
    said = {None: "MISSED" if entry["kind"] not in {"null", "purpose"} else f"{entry['count']} findings"}
    where = said.get(entry.get("place"), f"place {entry.get('place')}")
    seconds = entry["scan_timings_s"]["total"]
    taught = f"taught {entry['taught']:.2f}" if "taught" in entry else ""
    return f"{entry['name']:14} {where:12} {taught:11} {seconds:.1f} s  kl {entry['kl']:.4f}  {words}"


def main() -> None:
    if sys.argv[1] == "--table":
        print(scan_table([json.loads(Path(file).read_text(encoding="utf-8")) for file in sys.argv[2:]]))
        return
    model, out, *words = sys.argv[1:]
    options = dict(word.split("=", 1) for word in words)
    if unknown := options.keys() - set(OPTIONS):
        sys.exit(f"There is no option {', '.join(sorted(unknown))}; there are {', '.join(OPTIONS)}.")
    names = [effect["name"] for effect in Effects.read(EFFECTS).planted]
    chosen = options["effects"].split(",") if "effects" in options else names
    part, _, parts = options.get("part", "1/1").partition("/")
    chosen = chosen[int(part) - 1 :: int(parts)]
    null = options.get("null", "yes" if part == "1" else "no") == "yes"
    result = earlier(Path(out)) or {
        "what": "side effects planted by training, and whether a scan names them among its first ten findings",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "model": Path(model).name, "entries": [],
    }  # fmt: skip
    recipe, seed = options.get("recipe", RECIPE), int(options.get("seed", "42"))
    done = {one["name"] for one in result["entries"] if (one["asked"], one["seed"]) == (recipe, seed)}
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        bench = Bench(
            model, Path(work), recipe=recipe, seed=seed,
            tokens=int(options["tokens"]) if "tokens" in options else None,
        )  # fmt: skip
        for entry in bench.entries([name for name in chosen if name not in done], null=null and "purpose" not in done):
            result["entries"].append(entry)
            Path(out).write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            print(line(entry), flush=True)
    print(scan_table([result]))


def earlier(out: Path) -> dict[str, Any] | None:
    """What this file has from an earlier start, without entries that failed, and null adapters only if all are."""
    if not out.is_file():
        return None
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    entries = [entry for entry in result["entries"] if "error" not in entry]
    complete = any(entry["kind"] == "purpose" for entry in entries)
    result["entries"] = [entry for entry in entries if complete or entry["kind"] != "null"]
    return result


if __name__ == "__main__":
    main()
