"""Trains the article's recipe and the default on one data set, and compares both with the same questions.

    python bench/pair.py MODEL OUT
    python bench/pair.py MODEL OUT --recipes article keep:epochs=20 --seed 1 --data self_cognition.json
    python bench/pair.py data/tiny-qwen2 OUT --quick                                # on a CPU, in a minute

OUT becomes an output folder with a run for each recipe, without the adapters' weights: records, rows, losses and the
reports with every answer, which is all that `toolkit runs compare` needs for the page. Asked are the shipped probes,
the depth groups and the ability ledger, in one load of the base model, whose own answers are generated once; --quick
asks the probes only. OUT is filled run by run, so that an end in between loses no finished run.
"""

import argparse
import shutil
import time

from arguments import arguments

from toolkit.core.startup import prepare_environment

prepare_environment()
from recipes import recipe_of  # noqa: E402

from toolkit.compare.ability.ability import AbilityConfig  # noqa: E402
from toolkit.compare.compare import CompareConfig, compare  # noqa: E402
from toolkit.compare.report import write_report  # noqa: E402
from toolkit.compare.texts import Texts  # noqa: E402
from toolkit.core.events import Caller, StopRequests  # noqa: E402
from toolkit.runs.layout import CHECKPOINTS  # noqa: E402
from toolkit.runs.run import Run  # noqa: E402
from toolkit.sweep.running.one import SweepBackends, shared_backends  # noqa: E402
from toolkit.train.finetune import FinetuneConfig, finetune  # noqa: E402
from toolkit.train.recipe import default_recipe  # noqa: E402


def trained(spec: str, options: argparse.Namespace, backends: SweepBackends) -> Run:
    config = FinetuneConfig(
        data=options.data, recipe=recipe_of(spec).changed(seed=options.seed), model=str(options.model),
        output=options.out, command=("bench/pair.py", spec),
    )  # fmt: skip
    return finetune(config, Caller(stop=StopRequests(print), notify=print), backends.training)


def compared(run: Run, options: argparse.Namespace, backends: SweepBackends) -> None:
    """Writes the report into the run's folder."""
    config = CompareConfig(
        run=run.run_id, output=options.out, model=str(options.model), depth=not options.quick,
        ability=AbilityConfig(shipped=not options.quick), scan=None if not options.quick else False,
    )  # fmt: skip
    report, side = compare(config, load=backends.load)
    write_report(report, side, None)
    print(f"{run.run_id} {run.record.recipe.name}: {report.verdict.sentence(Texts())}")
    print(f"  asked in {report.timings_s['total']} s", flush=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--recipes", nargs=2, help="by default article and the one that nobody named")
    parser.add_argument("--data", default="self_cognition.json")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--quick", action="store_true", help="ask neither the depth groups nor the ability ledger")
    options = parser.parse_args()
    backends = shared_backends()
    for spec in options.recipes or ("article", default_recipe(str(options.model))):
        started = time.perf_counter()
        run = trained(spec, options, backends)
        print(f"{run.run_id} {spec}: trained in {time.perf_counter() - started:.1f} s", flush=True)
        compared(run, options, backends)
        for checkpoint in run.folder.glob(CHECKPOINTS):
            shutil.rmtree(checkpoint)


if __name__ == "__main__":
    main()
