"""A thousand mixed requests to a running `toolkit serve`, and its memory meanwhile (Linux).

    toolkit serve --port 8000 & python bench/serve_soak.py http://127.0.0.1:8000 $! OUT.json --requests 1000

Answers, streams, clients that leave in the middle, and errors, eight at a time. Memory is the process's resident set
after each tenth of the requests; flat means that the second half adds less than a tenth.
"""

import argparse
import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai

from toolkit.core.files import now
from toolkit.runs.recording import versions

AT_ONCE = 8
PARTS = 10
GROWTH = 1.1


def resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    [line] = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def ask(client: openai.OpenAI, number: int) -> str:
    """One request of a kind that its number chooses; how it ended."""
    rng = random.Random(number)  # noqa: S311  # a choice of requests, no secret
    kind = rng.choice(["answer", "answer", "stream", "leave", "too long", "refused"])
    text = "x" * 40_000 if kind == "too long" else f"{rng.random()} " * rng.randint(1, 40)
    settings: dict[str, Any] = {
        "model": rng.choice(["base", "tuned"]), "messages": [{"role": "user", "content": text}],
        "max_tokens": rng.randint(1, 48), "temperature": rng.choice([0, 1e-38, 1.0]),
    }  # fmt: skip
    if kind == "refused":
        settings["extra_body"] = {"top_k": 5}
    try:
        if kind in {"stream", "leave"}:
            with client.chat.completions.create(**settings, stream=True) as chunks:
                for count, _ in enumerate(chunks):
                    if kind == "leave" and count == 1:
                        break
        else:
            client.chat.completions.create(**settings)
    except openai.APIStatusError as error:
        return f"{kind}: {error.status_code}"
    except openai.APIError as error:
        return f"{kind}: {type(error).__name__}"
    return kind


def soak(address: str, pid: int, requests: int, key: str = "none") -> dict[str, Any]:
    """How many requests ended how, and the server's resident bytes before and after each tenth."""
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=600)
    ends: Counter[str] = Counter()
    memory = [resident_bytes(pid)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for part in range(PARTS):
            numbers = range(part * requests // PARTS, (part + 1) * requests // PARTS)
            ends.update(threads.map(lambda number: ask(client, number), numbers))
            memory.append(resident_bytes(pid))
    return {"requests": requests, "ends": dict(sorted(ends.items())), "resident_bytes": memory}


def is_flat(memory: list[int]) -> bool:
    """The second half of the requests adds less than a tenth."""
    return memory[-1] < GROWTH * memory[len(memory) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("pid", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    result = soak(options.address, options.pid, options.requests)
    flat = is_flat(result["resident_bytes"])
    print(f"{result['requests']} requests: {result['ends']}")
    print(f"memory: {[round(size / 1e6) for size in result['resident_bytes']]} MB: {'flat' if flat else 'it grows'}")
    result = {"what": "toolkit serve, a soak", "measured_at": now(), "versions": versions(), "flat": flat, **result}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(0 if flat else 1)


if __name__ == "__main__":
    main()
