"""Greedy answers by transformers' `generate` and over a static cache with captured steps: seconds, and agreement.

    python bench/decode_time.py MODEL OUT.json --prompts 986 --max-new-tokens 64
    python bench/decode_time.py MODEL OUT.json --adapter FOLDER --repeat 3   # with the adapter on, and off
    python bench/decode_time.py MODEL OUT.json --without-ends                # random weights: every answer is as long

One load; the methods alternate. `first_s` has what is made once: kernels, memory, captures. Both read the same prompts,
the shipped probes under several system prompts, repeated with a number before them until there are enough.
"""

import json
import statistics
import time
from pathlib import Path

import torch
from arguments import arguments

from toolkit.compare.questions import matrix
from toolkit.core.files import data_folder
from toolkit.data.probes import read_probes
from toolkit.export.parity import first_difference
from toolkit.model.conversation import DEFAULT_SYSTEM, Messages, conversation
from toolkit.model.device import peak_memory_bytes, reset_peak_memory
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.runs.recording import versions

METHODS = {"plain": False, "static": True}


def made_prompts(count: int) -> list[Messages]:
    probes = read_probes(data_folder() / "probes.yaml").probes
    asked = [(probe.prompt, system) for system in matrix(DEFAULT_SYSTEM) for probe in probes]
    rounds = [asked, *([(f"{number}. {text}", system) for text, system in asked] for number in range(1, count))]
    return [conversation(*one) for each in rounds[: -(-count // len(asked))] for one in each][:count]


def timed(model: LanguageModel, prompts: list[Messages], tokens: int, method: str) -> tuple[float, list[Answer]]:
    model.decoder.static = METHODS[method]
    began = time.perf_counter()
    answers = model.answers(prompts, max_new_tokens=tokens)  # waits for the card: its tokens are on the CPU
    return time.perf_counter() - began, answers


def agreement(one: list[Answer], other: list[Answer]) -> dict[str, float]:
    """The share of identical answers, and of the plain method's tokens those before an answer's first difference."""
    pairs = [(a.tokens, b.tokens) for a, b in zip(one, other, strict=True)]
    before = sum(len(a) if a == b else first_difference(a, b) for a, b in pairs)
    return {
        "identical_answers": sum(a == b for a, b in pairs) / len(pairs),
        "tokens_before_a_difference": before / max(1, sum(len(a) for a, _ in pairs)),
    }


def measured(
    model: LanguageModel, side: str | None, prompts: list[Messages], tokens: int, repeat: int
) -> dict[str, object]:
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    first, peaks, found = {}, {}, {}
    with model.side(side):
        for name in METHODS:
            reset_peak_memory()
            first[name] = round(timed(model, prompts, tokens, name)[0], 3)
            peaks[name] = peak_memory_bytes()
        for _ in range(repeat):
            for name in METHODS:
                took, found[name] = timed(model, prompts, tokens, name)
                seconds[name].append(round(took, 3))
    medians = {name: statistics.median(several) for name, several in seconds.items()}
    return {
        "side": side, "first_s": first, "seconds": seconds, "medians_s": medians, "peak_memory_bytes": peaks,
        "ratio": round(medians["plain"] / medians["static"], 2), "refused": model.decoder.refused,
        "tokens": sum(len(one.tokens) for one in found["plain"]), **agreement(found["plain"], found["static"]),
    }  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--adapter", type=Path, help="a folder; both sides are then measured")
    parser.add_argument("--prompts", type=int, default=986)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--without-ends", action="store_true")
    options = parser.parse_args()
    model = LanguageModel.load(options.model, {} if options.adapter is None else {"adapter": options.adapter})
    if options.without_ends:
        model.decoder.ends = (-1,)  # which no token is
    prompts = made_prompts(options.prompts)
    sides: list[dict[str, object]] = []
    result = {
        "what": "seconds to answer in one load, and whether the methods agree", "model": options.model.name,
        "prompts": len(prompts), "max_new_tokens": options.max_new_tokens, "batch_size": model.batch_size,
        "device": torch.cuda.get_device_name() if model.on_card else "cpu", "precision": model.precision,
        "versions": versions(), "sides": sides,
    }  # fmt: skip
    for side in [None] if options.adapter is None else ["adapter", None]:
        sides.append(measured(model, side, prompts, options.max_new_tokens, options.repeat))
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(sides[-1]), flush=True)


if __name__ == "__main__":
    main()
