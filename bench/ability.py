"""What adapters do to abilities they were not trained for: GSM8K and CMMLU before and after, question by question.

    python bench/ability.py MODEL OUT.json GSM8K.jsonl CMMLU.jsonl ADAPTER... [--gsm8k 400] [--cmmlu 2000]

GSM8K: zero-shot chat, greedy; an answer is right if its last number is the solution's. CMMLU: zero-shot chat; right if
the right letter of A, B, C and D is the likeliest first token. ADAPTER is a run's folder or an adapter's; all share one
load. The test files are not part of this repository: GSM8K.jsonl is test.jsonl of openai/grade-school-math, CMMLU.jsonl
the test of haonan-li/CMMLU as rows of "subject", "question", "choices" (four) and "answer" (a letter).
"""

import json
import random
import re
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from arguments import arguments

from toolkit.compare.metrics import paired_flips
from toolkit.core.startup import prepare_environment
from toolkit.model.conversation import DEFAULT_SYSTEM, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run

LETTERS = "ABCD"
MATHS = "{}\n\nThink step by step. Answer with the number at the end."
CHOICE = "以下是单项选择题，请直接给出正确答案的选项。\n\n题目：{}\n{}\n答案是："
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def last_number(text: str) -> Decimal | None:
    """The last number of a text, without thousands separators; None if it has none."""
    found = NUMBER.findall(text)
    return Decimal(found[-1].replace(",", "")) if found else None


def spread(questions: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """`count` of the questions, as many of each subject as of every other, give or take one; always the same ones."""
    shuffled = random.Random(0).sample(list(questions), len(questions))  # noqa: S311  # an experiment, not a secret
    seen: Counter[str] = Counter()
    turns = []
    for question in shuffled:
        turns.append((seen[question["subject"]], question["subject"], question))
        seen[question["subject"]] += 1
    return [question for *_, question in sorted(turns, key=lambda turn: turn[:2])[:count]]


def paired_difference(gained: int, lost: int, n: int) -> tuple[float, float]:
    """The 95 % interval of (right after - right before) / n: Bonett and Price's adjusted Wald interval (2012).

    Unlike Wald's own it has a width where no question changed.
    """
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = 1.96 * ((up + down - (up - down) ** 2) / (n + 2)) ** 0.5
    return up - down - half, up - down + half


def solves(lm: LanguageModel, questions: Sequence[dict[str, Any]], options: Namespace) -> dict[str, Any]:
    """Which questions of GSM8K are answered rightly, and how many answers were cut at the limit of tokens."""
    asked = [conversation(MATHS.format(one["question"]), options.system) for one in questions]
    found = lm.answers(asked, max_new_tokens=options.max_new_tokens, batch_size=options.batch)
    solutions = [last_number(one["answer"]) for one in questions]
    right = [last_number(answer.text) == solution for answer, solution in zip(found, solutions, strict=True)]
    return {"right": right, "cut": sum(len(answer.tokens) == options.max_new_tokens for answer in found)}


def chooses(lm: LanguageModel, questions: Sequence[dict[str, Any]], options: Namespace) -> dict[str, Any]:
    """Which questions of CMMLU are answered rightly, and how often each letter was chosen."""
    asked = []
    for one in questions:
        lines = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, one["choices"], strict=True))
        asked.append(conversation(CHOICE.format(one["question"], lines), options.system))
    letters = [lm.tokenizer.convert_tokens_to_ids(letter) for letter in LETTERS]
    found = lm.answers(asked, max_new_tokens=1, batch_size=options.batch)
    chosen = [LETTERS[int(answer.first_logits[letters].argmax())] for answer in found]
    right = [letter == one["answer"] for letter, one in zip(chosen, questions, strict=True)]
    return {"right": right, "chosen": dict(sorted(Counter(chosen).items()))}


def measured(lm: LanguageModel, adapter: str | None, ask: Any, *asked: Any) -> dict[str, Any]:
    """What `ask` finds with this adapter on, and the seconds."""
    started = time.perf_counter()
    with lm.side(adapter):
        found = ask(lm, *asked)
    return found | {"seconds": round(time.perf_counter() - started, 1)}


def entry(found: dict[str, Any], before: list[bool] | None = None) -> dict[str, Any]:
    """One side of the report; compared with the base model's if `before` is given."""
    right = found["right"]
    report = found | {"right": "".join(str(int(one)) for one in right), "accuracy": sum(right) / len(right)}
    if before is None:
        return report
    flips = paired_flips(list(zip(before, right, strict=True)))
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
    parser.add_argument("--max-new-tokens", type=int, default=320, help="of an answer to GSM8K")
    parser.add_argument("--system", default=DEFAULT_SYSTEM)
    parser.add_argument("--batch", type=int, default=256, help="questions a batch; 256 of a 7B model fit on 140 GB")
    options = parser.parse_args()
    prepare_environment()
    maths, choices = (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for file in (options.gsm8k_file, options.cmmlu_file)
    )
    tests = {"gsm8k": (solves, maths[: options.gsm8k]), "cmmlu": (chooses, spread(choices, options.cmmlu))}
    folders = {f"adapter{at}": adapter_folder(text) for at, text in enumerate(options.adapters)}
    started = time.perf_counter()
    lm = LanguageModel.load(options.model, folders)
    report: dict[str, Any] = {
        "model": options.model.name,
        "device": lm.model.device.type,
        "precision": lm.precision,
        "batch": options.batch,
        "max_new_tokens": options.max_new_tokens,
        "system": options.system,
        "load_seconds": round(time.perf_counter() - started, 1),
        "files": {
            file.name: sha256(file.read_bytes()).hexdigest() for file in (options.gsm8k_file, options.cmmlu_file)
        },
    }
    for name, (ask, questions) in tests.items():
        report[name] = {"n": len(questions), "sides": []}
        before = None
        for adapter in (None, *folders):
            found = measured(lm, adapter, ask, questions, options)
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
