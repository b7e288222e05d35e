"""Trains and compares one recipe after another on a base model, over seeds and system prompts, and writes JSON.

    python bench/recipes.py MODEL OUT.json article keep 'keep:keep_weight=30,learning_rate=2e-4' --seeds 1 2 3
    python bench/recipes.py MODEL OUT.json keep --divergence reverse
    python bench/recipes.py MODEL OUT.json article --mix-own 200
    python bench/recipes.py MODEL OUT.json keep:epochs=20 --row-systems 'You are a helpful assistant.' 'You are a bard.'

A recipe may be followed by settings. What is measured is what a user gets: the same functions that the commands call.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from arguments import arguments_of_recipes

from toolkit.compare.ability.ability import NO_ABILITIES
from toolkit.compare.compare import CompareConfig, compare
from toolkit.core.events import Caller, StopRequests
from toolkit.model.conversation import conversation
from toolkit.runs.run import Run
from toolkit.train.finetune import FinetuneConfig, finetune
from toolkit.train.ms_swift.shared_base import SharedBase
from toolkit.train.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from toolkit.train.passes.batch import TrainSequence

SYSTEMS = ("You are a helpful assistant.", "", "You are a pirate. Answer briefly.")
SHARED = SharedBase()  # remembers the base model's answers over all runs of this script


def recipe_of(spec: str) -> Recipe:
    """`name`, or `name:setting=value,setting=value`; lists are separated by `|`."""
    name, _, settings = spec.partition(":")
    changed: dict[str, Any] = {}
    for pair in filter(None, settings.split(",")):
        key, _, value = pair.partition("=")
        kind = next(field.type for field in fields(Recipe) if field.name == key)
        number: Any = (
            value == "true"
            if kind is bool
            else float(value)
            if kind is float
            else int(value)
            if kind is int or value.isdigit()
            else value
        )
        changed[key] = tuple(value.split("|")) if kind == tuple[str, ...] else number
    return load_recipe(name).changed(**changed)


def use_divergence(kind: str) -> None:
    """Puts another divergence in the place of KL(base || tuned), to measure what it would do."""
    import torch
    from torch.nn import functional

    from toolkit.core.startup import prepare_environment

    prepare_environment()
    from toolkit.model.divergence import kl_divergence as forward
    from toolkit.train.ms_swift import trainer

    top = 50

    def reverse(base: torch.Tensor, tuned: torch.Tensor) -> torch.Tensor:
        p, q = functional.log_softmax(base.detach().float(), -1), functional.log_softmax(tuned.float(), -1)
        return functional.kl_div(p, q, reduction="none", log_target=True).sum(-1)

    def top_k(base: torch.Tensor, tuned: torch.Tensor) -> torch.Tensor:
        p, q = functional.log_softmax(base.detach().float(), -1), functional.log_softmax(tuned.float(), -1)
        best = p.topk(top, dim=-1).indices
        return functional.kl_div(q.gather(-1, best), p.gather(-1, best), reduction="none", log_target=True).sum(-1)

    kinds = {
        "forward": forward,
        "reverse": reverse,
        "symmetric": lambda base, tuned: (forward(base, tuned) + reverse(base, tuned)) / 2,
        "top-k": top_k,
    }
    patch.object(trainer, "kl_divergence", kinds[kind]).start()


def use_variant(options: argparse.Namespace) -> None:
    """What was tried and has no setting of its own."""
    from toolkit.train.ms_swift import base_answers
    from toolkit.train.passes.keep_loss import keep_sequences

    def all_positions(model: Any, encoded: Sequence[tuple[list[int], int]], pad: int) -> "list[TrainSequence]":
        return keep_sequences(model, [(ids, 0) for ids, _ in encoded], pad)

    if options.all_positions:
        patch.object(base_answers, "keep_sequences", all_positions).start()


def exact_share(run: Run, options: argparse.Namespace) -> float:
    """Share of the data set's rows (not of what is mixed in) answered exactly as trained: greedy, up to 64 tokens."""
    from toolkit.data.dataset import find_dataset, read_dataset
    from toolkit.model.language_model import LanguageModel

    rows = read_dataset(find_dataset(options.rows)).rows
    system = run.record.recipe.system
    answering = LanguageModel.load(options.model, {"tuned": run.adapter})
    with answering.side("tuned"):
        answers = answering.answers(
            [conversation(row.prompt, row.system or system) for row in rows], max_new_tokens=64
        )  # fmt: skip
    return sum(answer.text == row.answer.strip() for answer, row in zip(answers, rows, strict=True)) / len(rows)


def under_systems(data: str, systems: Sequence[str], folder: Path) -> str:
    """The data set with each row under each of these system prompts; none may be empty: the recipe's would be taken."""
    from toolkit.data.dataset import find_dataset, read_dataset

    path = folder / "systems.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for system in systems:
            for row in read_dataset(find_dataset(data)).rows:
                messages = [*conversation(row.prompt, system), {"role": "assistant", "content": row.answer}]
                file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    return str(path)


def own_answers(count: int, options: argparse.Namespace, folder: Path) -> Path:
    """Rows to mix in: keep prompts with the base model's own greedy answers, as ordinary rows."""
    from toolkit.core.files import data_folder
    from toolkit.model.language_model import LanguageModel
    from toolkit.train.keep_set import read_keep_prompts

    recipe = load_recipe("keep")
    prompts = random.Random(0).sample(read_keep_prompts(data_folder() / recipe.keep_data), count)  # noqa: S311
    base = LanguageModel.load(options.model)
    answers = base.answers([conversation(prompt, recipe.system) for prompt in prompts], max_new_tokens=64)
    path = folder / "own.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for prompt, answer in zip(prompts, answers, strict=True):
            if answer.text:
                file.write(json.dumps({"query": prompt, "response": answer.text}, ensure_ascii=False) + "\n")
    return path


def measure(spec: str, seed: int, options: argparse.Namespace, output: Path) -> dict[str, Any]:
    """One run and its comparison, as one entry of the results."""
    recipe = recipe_of(spec).changed(seed=seed)
    caller = Caller(stop=StopRequests(print), notify=lambda _: None)
    mix = (str(own_answers(options.mix_own, options, output)),) if options.mix_own else ()
    config = FinetuneConfig(data=options.rows, recipe=recipe, model=str(options.model), output=output, mix=mix)
    run = finetune(config, caller)
    record = run.record.to_dict()
    systems = SYSTEMS if options.systems else SYSTEMS[:1]
    report, _ = compare(
        CompareConfig(
            run=run.run_id,
            output=output,
            systems=systems,
            probes=options.probes,
            model=str(options.model),
            ability=NO_ABILITIES,
            scan=False,
        ),
        load=SHARED.load,
    )
    lines = [json.loads(line) for line in (run.folder / "logging.jsonl").read_text().splitlines()]
    logged = [entry for entry in lines if "loss" in entry]  # the others tell of evaluations and looks
    return {
        "recipe": spec,
        "variant": {
            name: getattr(options, name) for name in ("data", "divergence", "all_positions", "mix_own", "row_systems")
        },
        "seed": seed,
        "last": logged[-1],
        "first_kl": logged[0].get("kl", 0.0),
        "exact": exact_share(run, options),
        "metrics": {name: figure.to_dict() for name, figure in report.figures.items()},
        "per_system": {s: {n: m.value for n, m in metrics.items()} for s, metrics in report.per_system.items()},
        "verdict": report.verdict.to_dict(),
        "run": {key: record[key] for key in ("timings_s", "peak_memory_bytes", "train", "recipe", "hardware")},
        "compare_s": dict(report.timings_s),
        "versions": record["versions"],
        "drift": {
            one.probe.id: [one.drift.kl_sum, one.drift.agreeing, one.drift.tokens]
            for one in report.results
            if one.drift and one.system == systems[0]
        },
        "leaks": [(one.probe.prompt, one.after) for one in report.results if one.leaked],
        "failed": [(one.system, one.probe.prompt, one.after) for one in report.results if one.passed is False],
    }


def line(entry: dict[str, Any]) -> str:
    """One entry for the eye."""
    values = {name: metric["value"] for name, metric in entry["metrics"].items()}
    worst = min(metrics["generality"] for metrics in entry["per_system"].values())
    timings = entry["run"]["timings_s"]
    logged, first_kl = entry["last"], entry["first_kl"]
    return (
        f"{entry['recipe']:60.60s} seed {entry['seed']}  exact {entry['exact']:.2f}  rel {values['reliability']:.2f}"
        f"  gen {values['generality']:.2f} (worst {worst:.2f})  leak {values['leakage']:.3f}"
        f"  loc {values['locality']:.2f}  kl {values['kl']:.4f}  agree {values['agreement']:.4f}"
        f"  noise {values['noise_floor']:.2f}  trained: ce {logged.get('cross_entropy', logged['loss']):.3f}"
        f" kl {first_kl:.4f} -> {logged.get('kl', 0.0):.4f}  {timings['train']:.1f} s + {timings['keep']:.1f} s"
    )


def main() -> None:
    parser = arguments_of_recipes(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--probes", type=Path)
    parser.add_argument("--systems", action="store_true", help=f"compare under {len(SYSTEMS)} system prompts")
    parser.add_argument("--divergence", choices=["forward", "reverse", "symmetric", "top-k"], default="forward")
    parser.add_argument("--all-positions", action="store_true", help="keep the prompts' own tokens too")
    parser.add_argument("--mix-own", type=int, default=0, help="mix in so many keep prompts with the base's answers")
    parser.add_argument("--row-systems", nargs="+", default=[], help="train each row under each of these prompts")
    parser.add_argument("--budget-s", type=float, default=1e9, help="begin no further run after so many seconds")
    options = parser.parse_args()
    use_divergence(options.divergence)
    use_variant(options)
    started, results = time.monotonic(), []
    with tempfile.TemporaryDirectory() as output:
        systems = options.row_systems
        options.rows = under_systems(options.data, systems, Path(output)) if systems else options.data
        for spec in options.recipes:
            for seed in options.seeds:
                if time.monotonic() - started > options.budget_s:
                    continue
                results.append(measure(spec, seed, options, Path(output)))
                options.out.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
                print(line(results[-1]), flush=True)


if __name__ == "__main__":
    main()
