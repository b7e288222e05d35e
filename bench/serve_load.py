"""Load test of a running `toolkit serve`: several questions at a time, half to each name, streamed.

    toolkit serve --port 8000 &
    python bench/serve_load.py http://127.0.0.1:8000 OUT.json --requests 200 --concurrency 1,8,32

Latency is the time from the request to the last chunk, first_piece to the first one; tokens are the server's count. The
key is TOOLKIT_API_KEY. At most 10 000 questions, 256 at a time.
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

from toolkit.core.files import data_folder, now
from toolkit.data.probes import read_probes
from toolkit.runs.recording import versions

MOST_REQUESTS, MOST_AT_ONCE = 10_000, 256


def ask(client: openai.OpenAI, model: str, question: str, max_tokens: int) -> dict[str, Any]:
    """One answer's seconds and tokens, or the name of the error."""
    start, first, tokens = time.perf_counter(), None, 0
    try:
        chunks = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": question}], stream=True, max_tokens=max_tokens,
            stream_options={"include_usage": True},
        )  # fmt: skip
        for chunk in chunks:
            first = first or time.perf_counter() - start
            tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    except openai.APIError as error:
        return {"error": type(error).__name__}
    return {"latency_s": time.perf_counter() - start, "first_s": first, "tokens": tokens}


def percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p95": round(cuts[94], 3), "max": round(max(values), 3)}


def load(
    client: openai.OpenAI, questions: list[tuple[str, str]], max_concurrent: int, max_tokens: int
) -> dict[str, Any]:
    def one(question: tuple[str, str]) -> dict[str, Any]:
        return ask(client, *question, max_tokens)

    start = time.perf_counter()
    with ThreadPoolExecutor(max_concurrent) as threads:
        results = list(threads.map(one, questions))
    wall_s = time.perf_counter() - start
    answered = [result for result in results if "error" not in result]
    return {
        "concurrency": max_concurrent,
        "requests": len(questions),
        "errors": dict(Counter(result["error"] for result in results if "error" in result)),
        "wall_s": round(wall_s, 3),
        "requests_a_s": round(len(answered) / wall_s, 2),
        "tokens_a_s": round(sum(result["tokens"] for result in answered) / wall_s, 1),
        "latency_s": percentiles([result["latency_s"] for result in answered]),
        "first_piece_s": percentiles([result["first_s"] for result in answered]),
    }


def table(levels: list[dict[str, Any]]) -> str:
    """The table of docs/serve.md."""
    head = (
        "| at the same time | answers a second | tokens a second | first chunk p50 / p95 "
        "| complete answer p50 / p95 | errors |\n|---|---|---|---|---|---|"
    )
    rows = [
        f"| {level['concurrency']} | {level['requests_a_s']:.1f} | {level['tokens_a_s']:.0f} "
        f"| {level['first_piece_s']['p50']:.2f} / {level['first_piece_s']['p95']:.2f} s "
        f"| {level['latency_s']['p50']:.2f} / {level['latency_s']['p95']:.2f} s "
        f"| {sum(level['errors'].values())} of {level['requests']} |"
        for level in levels
    ]
    return "\n".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("out", type=Path)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--concurrency", default="1,8,32", help="questions at a time, one level after the other")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--device", default=platform.machine(), help="a word on the hardware")
    options = parser.parse_args()
    levels = [int(level) for level in options.concurrency.split(",")]
    if not 2 <= options.requests <= MOST_REQUESTS or not all(0 < level <= MOST_AT_ONCE for level in levels):
        parser.error(f"2 to {MOST_REQUESTS} requests, 1 to {MOST_AT_ONCE} at a time")
    key = os.environ.get("TOOLKIT_API_KEY", "none")
    client = openai.OpenAI(base_url=f"{options.address}/v1", api_key=key, max_retries=0, timeout=600)
    names = [model.id for model in client.models.list()]
    probes = read_probes(data_folder() / "probes.yaml").probes
    questions = [(names[at % len(names)], probes[at // 2 % len(probes)].prompt) for at in range(options.requests)]
    load(client, questions[:8], 2, options.max_tokens)  # warm-up: threads, kernels
    result = {
        "what": "toolkit serve under load: seconds to the last and to the first chunk, tokens a second",
        "measured_at": now(), "names": names, "max_tokens": options.max_tokens, "device": options.device,
        "versions": versions(),
        "levels": [load(client, questions, level, options.max_tokens) for level in levels],
    }  # fmt: skip
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result["levels"]))


if __name__ == "__main__":
    main()
