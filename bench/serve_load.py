"""How a running `toolkit serve` holds under load: so many questions at a time, half to each name, in pieces.

    toolkit serve --port 8000 &
    python bench/serve_load.py http://127.0.0.1:8000 OUT.json --requests 200 --concurrency 1,4,16

Latency is from asking to the last piece, first is to the first one; tokens are the server's own count. The key is
TOOLKIT_API_KEY. Bounded: at most 10 000 questions, 256 at a time.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai

from toolkit.core.files import data_folder
from toolkit.data.probes import read_probes
from toolkit.runs.recording import versions

MOST_REQUESTS, MOST_AT_ONCE = 10_000, 256


def ask(client: openai.OpenAI, model: str, question: str, max_tokens: int) -> dict[str, Any]:
    """One answer's seconds and tokens, or the name of what went wrong."""
    began, first, tokens = time.perf_counter(), None, 0
    try:
        pieces = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": question}], stream=True, max_tokens=max_tokens,
            stream_options={"include_usage": True},
        )  # fmt: skip
        for piece in pieces:
            first = first or time.perf_counter() - began
            tokens = piece.usage.completion_tokens if piece.usage else tokens
    except openai.APIError as error:
        return {"error": type(error).__name__}
    return {"latency_s": time.perf_counter() - began, "first_s": first, "tokens": tokens}


def percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p95": round(cuts[94], 3), "max": round(max(values), 3)}


def load(
    client: openai.OpenAI, questions: list[tuple[str, str]], max_concurrent: int, max_tokens: int
) -> dict[str, Any]:
    began = time.perf_counter()
    with ThreadPoolExecutor(max_concurrent) as threads:
        told = list(threads.map(lambda one: ask(client, *one, max_tokens), questions))
    wall_s = time.perf_counter() - began
    answered = [one for one in told if "error" not in one]
    return {
        "concurrency": max_concurrent,
        "requests": len(questions),
        "errors": dict(Counter(one["error"] for one in told if "error" in one)),
        "wall_s": round(wall_s, 3),
        "requests_a_s": round(len(answered) / wall_s, 2),
        "tokens_a_s": round(sum(one["tokens"] for one in answered) / wall_s, 1),
        "latency_s": percentiles([one["latency_s"] for one in answered]),
        "first_piece_s": percentiles([one["first_s"] for one in answered]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("out", type=Path)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--concurrency", default="1,4,16", help="levels, one after the other")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--device", default=platform.machine(), help="a word on what computes")
    options = parser.parse_args()
    levels = [int(one) for one in options.concurrency.split(",")]
    if not 2 <= options.requests <= MOST_REQUESTS or not all(0 < one <= MOST_AT_ONCE for one in levels):
        parser.error(f"2 to {MOST_REQUESTS} requests, 1 to {MOST_AT_ONCE} at a time")
    key = os.environ.get("TOOLKIT_API_KEY", "none")
    client = openai.OpenAI(base_url=f"{options.address}/v1", api_key=key, max_retries=0, timeout=600)
    names = [model.id for model in client.models.list()]
    probes = read_probes(data_folder() / "probes.yaml").probes
    questions = [(names[at % len(names)], probes[at // 2 % len(probes)].prompt) for at in range(options.requests)]
    load(client, questions[:8], 2, options.max_tokens)  # what is made once: threads, kernels
    result = {
        "what": "toolkit serve under load: seconds from asking to the last and to the first piece, tokens a second",
        "names": names, "max_tokens": options.max_tokens, "device": options.device, "versions": versions(),
        "levels": [load(client, questions, one, options.max_tokens) for one in levels],
    }  # fmt: skip
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for level in result["levels"]:
        print(json.dumps(level))


if __name__ == "__main__":
    main()
