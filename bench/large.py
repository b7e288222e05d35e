"""A large data set through `toolkit check` and up to the first steps of `toolkit finetune`, each a process of its own.

    python bench/large.py MODEL OUT.json
    python bench/large.py MODEL OUT.json --rows 50000 --repeat 3 --trained data/tiny-qwen2
    python bench/large.py MODEL OUT.json --rows 50000 --repeat 0 --starts 3 --warm 3 --card
    python bench/large.py MODEL OUT.json --rows 1000000 --repeat 1 --words 50000

The rows are made up: words at random, a fifth of them Chinese, 40 to 270 tokens by Qwen2.5's tokenizer. `first_line_s`:
until anything is said. `memory_mib`: the largest resident set of a process. `explained`: the phases in timings_s over
its total. `begun`: seconds, processor time and memory as the first step begins, after which the training ends. `warm`:
the same over a warm process (`toolkit up`), whose memory and processor time are not the command's own. Targets for
50 000 rows on two idle cores, printed and never asserted: check within 15 s and 1 GB. On a busy machine (`load_before`)
`cpu_s` says more than `wall_s`.
"""

import json
import os
import random
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arguments import arguments
from processes import Ended, run

BEGINNING = "Training 0/"  # at which the training is interrupted: it ends after its first step
CHECK_TARGET_S, CHECK_TARGET_MIB = 15, 1000
NOUNS = "river engine garden theorem market battery lantern harbor protein satellite village contract bridge glacier"
WORDS = "the of and to in is that for it as was with by on not he at are this have from had which one you were all her"
LETTERS = "etaoinshrdlucmfw"
HAN = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学"


def row_lines(count: int, made_up: int = 0) -> Iterator[str]:
    """So many questions with answers, as JSON lines; the same ones at each call.

    `made_up`: so many words in place of a few real ones, each as frequent as its rank among them allows (Zipf's law).
    """
    chance = random.Random(1)  # noqa: S311  # rows to repeat, not a secret
    english, nouns = WORDS.split(), NOUNS.split()
    invented = ["".join(chance.choices(LETTERS, k=chance.randint(2, 10))) for _ in range(made_up)]

    def word() -> str:
        if invented:
            return invented[int(made_up ** chance.random()) - 1]
        return chance.choice(nouns if chance.random() < 0.2 else english)

    def words(number: int) -> str:
        chosen = [word() for _ in range(number)]
        return " ".join(chosen).capitalize()

    def han(number: int) -> str:
        return "".join(chance.choices(HAN, k=number))

    for number in range(count):
        if chance.random() < 0.2:
            question, sentences = f"{han(chance.randint(8, 30))}{number}？", chance.randint(1, 8)
            answer = "".join(f"{han(chance.randint(10, 30))}。" for _ in range(sentences))
        else:
            question, sentences = f"{words(chance.randint(5, 20))} {number}?", chance.randint(1, 10)
            answer = " ".join(f"{words(chance.randint(8, 20))}." for _ in range(sentences))
        yield json.dumps({"instruction": question, "output": answer}, ensure_ascii=False) + "\n"


def told(ended: Ended) -> dict[str, Any]:
    first = next((second for second, line in ended.lines if line), None)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return {**ended.told(), "first_line_s": first, "memory_mib": largest}


def beginning(command: Sequence[str], output: Path, how: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """run.json, and what a training took up to its first step."""
    ended = run(command, {**os.environ, **how}, mark=BEGINNING)
    trained = told(ended)
    [folder] = output.glob("v0-*")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    shutil.rmtree(output)
    timings = record["timings_s"]
    total = timings.pop("total")
    return record, trained | {
        "timings_s": {**timings, "total": total}, "explained": round(sum(timings.values()) / total, 4),
        "steps": record["train"]["steps"], "begun": None if ended.at_mark is None else asdict(ended.at_mark),
    }  # fmt: skip


def over_warm(
    train: Callable[[], tuple[dict[str, Any], dict[str, Any]]], up: Sequence[str], down: Sequence[str], count: int
) -> list[tuple[dict[str, Any], dict[str, Any]]]:  # fmt: skip
    """So many trainings, each of which begins once the warm process has the model loaded."""
    found = []
    for _ in range(count):
        run(up, os.environ)
        try:
            found.append(train())
        finally:
            run(down, os.environ)
    return found


def measure(
    model: Path, trained_model: Path, rows: int, repeat: int, home: Path, made_up: int = 0, starts: int = 1,
    warm_starts: int = 0, on_card: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Checks first: the largest process so far is then a check."""
    data, output = home / "rows.jsonl", home / "output"
    with data.open("w", encoding="utf-8") as file:
        file.writelines(row_lines(rows, made_up))
    toolkit = [sys.executable, "-m", "toolkit"]
    named = [str(data), "--recipe", "general", "--output", str(output), "--model"]
    checks = [told(run([*toolkit, "check", "--preview", "0", *named, str(model)], os.environ)) for _ in range(repeat)]
    begun = [*toolkit, "finetune", "--keep-weight", "0", "--epochs", "0.01", *named, str(trained_model)]
    cold = [beginning(begun, output, {"TOOLKIT_WARM": "off"}) for _ in range(starts)]
    up, down = [*toolkit, "up", *on_card, "--model", str(trained_model)], [*toolkit, "down"]
    warm = over_warm(lambda: beginning(begun, output, {}), up, down, warm_starts)
    record = next((one for one, _ in (*cold, *warm)), {})
    return {
        "model": model.name, "rows": rows, "made_up_words": made_up, "bytes": data.stat().st_size,
        "trained_model": trained_model.name, "cores": os.cpu_count(), "check": checks,
        "finetune": [one for _, one in cold], "warm": [one for _, one in warm],
        "versions": record.get("versions"), "hardware": record.get("hardware"),
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--words", type=int, default=0, help="so many made-up words, instead of 60 real ones")
    parser.add_argument("--starts", type=int, default=1, help="trainings up to their first step")
    parser.add_argument("--warm", type=int, default=0, help="so many of them over a warm process, too")
    parser.add_argument("--card", action="append_const", const="--card", default=[], help="as of toolkit up")
    parser.add_argument("--trained", type=Path, help="the model of finetune, if it is another one than that of check")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as home:
        found = measure(options.model, options.trained or options.model, options.rows, options.repeat, Path(home),
                        options.words, options.starts, options.warm, options.card)  # fmt: skip
    options.out.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for one in found["check"]:
        print(
            f"check: {one['wall_s']:.1f} s (target {CHECK_TARGET_S}), {one['cpu_s']:.1f} s of CPU, "
            f"{one['memory_mib']} MiB (target {CHECK_TARGET_MIB}), first line after {one['first_line_s']:.1f} s, "
            f"load before {one['load_before']:.1f}"
        )
    for name in ("finetune", "warm"):
        for one in found[name]:
            print(f"{name}: begun {one['begun']}, load before {one['load_before']:.1f}, {one['timings_s']}")


if __name__ == "__main__":
    main()
