"""What adapters do to abilities they were not trained for: GSM8K and CMMLU before and after, question by question.

    python bench/ability.py MODEL OUT.json GSM8K.jsonl CMMLU.jsonl ADAPTER... [--gsm8k 400] [--cmmlu 2000]

GSM8K: zero-shot chat, greedy; an answer is right if its last number is the solution's. CMMLU: zero-shot chat; right if
the right letter of A, B, C and D is the likeliest first token. ADAPTER is a run's folder or an adapter's; all share one
load. The test files are not part of this repository: GSM8K.jsonl is test.jsonl of openai/grade-school-math, CMMLU.jsonl
the test of haonan-li/CMMLU as rows of "subject", "question", "choices" (four) and "answer" (a letter).
"""

import json
import time
from argparse import Namespace
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from arguments import arguments

from toolkit.compare.ability.asking import Outcome, ask, letter_counts
from toolkit.compare.ability.benchmarks import GSM8K_TOKENS, Benchmark
from toolkit.compare.ability.items import Item
from toolkit.compare.ability.ledger import paired_difference
from toolkit.compare.metrics import paired_flips
from toolkit.core.startup import prepare_environment
from toolkit.model.conversation import DEFAULT_SYSTEM
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run


def measured(lm: LanguageModel, adapter: str | None, items: Sequence[Item], options: Namespace) -> dict[str, Any]:
    """Which items are answered rightly with this adapter on, how often each letter was chosen, and the seconds."""
    started = time.perf_counter()
    with lm.side(adapter):
        found: list[Outcome] = ask(lm, items, options.system)
    seconds = round(time.perf_counter() - started, 1)
    chosen = {"chosen": letters} if (letters := letter_counts(found)) else {}
    return {"right": [one.passed for one in found], **chosen, "seconds": seconds}


def entry(found: dict[str, Any], before: list[bool] | None = None) -> dict[str, Any]:
    """One side of the report; compared with the base model's if `before` is given."""
    right = found["right"]
    report = found | {"right": "".join(str(int(one)) for one in right), "accuracy": sum(right) / len(right)}
    if before is None:
        return report
    flips = paired_flips([(str(at), *pair) for at, pair in enumerate(zip(before, right, strict=True))])
    return report | {
        "difference": (flips.gained - flips.lost) / flips.n,
        "interval": paired_difference(flips.gained, flips.lost, flips.n),
        "gained": flips.gained,
        "lost": flips.lost,
        "p": flips.p,
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("gsm8k_file", type=Path)
    parser.add_argument("cmmlu_file", type=Path)
    parser.add_argument("adapters", nargs="*", metavar="ADAPTER", help="a finished run's folder, or an adapter's")
    parser.add_argument("--gsm8k", type=int, default=400, help="so many questions, the file's first")
    parser.add_argument("--cmmlu", type=int, default=2000, help="so many questions, spread evenly over the subjects")
    parser.add_argument("--system", default=DEFAULT_SYSTEM)
    options = parser.parse_args()
    prepare_environment()
    tests = {
        "gsm8k": Benchmark(name="gsm8k", path=options.gsm8k_file, count=options.gsm8k),
        "cmmlu": Benchmark(name="cmmlu", path=options.cmmlu_file, count=options.cmmlu),
    }
    asked = {name: test.items() for name, test in tests.items()}
    folders = {f"adapter{at}": adapter_folder(text) for at, text in enumerate(options.adapters)}
    started = time.perf_counter()
    lm = LanguageModel.load(options.model, folders)
    report: dict[str, Any] = {
        "model": options.model.name,
        "device": lm.model.device.type,
        "precision": lm.precision,
        "batch": lm.batch_size,
        "max_new_tokens": GSM8K_TOKENS,
        "system": options.system,
        "load_seconds": round(time.perf_counter() - started, 1),
        "files": {
            file.name: sha256(file.read_bytes()).hexdigest() for file in (options.gsm8k_file, options.cmmlu_file)
        },
    }
    for name, questions in asked.items():
        report[name] = {"n": len(questions), "sides": []}
        before = None
        for adapter in (None, *folders):
            found = measured(lm, adapter, questions, options)
            side = {"adapter": str(folders[adapter]) if adapter else None} | entry(found, before)
            before = before or found["right"]
            report[name]["sides"].append(side)
            options.out.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            print(f"{name}: {line(side)}", flush=True)


def line(side: dict[str, Any]) -> str:
    start = f"{side['adapter'] or 'base'} {side['accuracy']:.4f} of {len(side['right'])}, {side['seconds']} s"
    if "p" not in side:
        return start
    change, low, high = (100 * one for one in (side["difference"], *side["interval"]))
    return f"{start}; {change:+.2f} points ({low:+.2f} to {high:+.2f}), p = {side['p']:.3f}"


def adapter_folder(text: str) -> Path:
    """The folder itself if it is an adapter's, else the adapter of the run in it."""
    folder = Path(text).resolve()
    return folder if (folder / "adapter_config.json").is_file() else find_run(str(folder), folder.parent).adapter


if __name__ == "__main__":
    main()
