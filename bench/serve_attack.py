"""What one hostile client does to everybody else's `/health` and questions, of a running `toolkit serve`.

    toolkit serve --port 8000 &
    python bench/serve_attack.py http://127.0.0.1:8000 OUT.json --seconds 10

Each attack goes on for some seconds, from several threads; meanwhile /health is asked every 20 ms, and one short
question after the other. The first row is without an attack.
"""

import argparse
import http.client
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from toolkit.core.files import now
from toolkit.runs.recording import versions

PATIENCE_S = 60
PAUSE_S = 0.02
OPEN, BETWEEN_S = 400, 0.002  # connections of each thread, and how fast it opens further ones
MODEL = "base"
QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 4}
HEADER = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"

Attack = Callable[[str, Event], None]


def post(place: str, body: bytes) -> int:
    connection = http.client.HTTPConnection(place, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()


def posted(body: bytes) -> Attack:
    def attack(place: str, ended: Event) -> None:
        while not ended.is_set():
            with suppress(OSError, http.client.HTTPException):  # refused in the middle of the body
                post(place, body)

    return attack


def opened(first: bytes) -> Attack:
    """Hundreds of connections that send this and nothing more."""

    def attack(place: str, ended: Event) -> None:
        host, port = place.split(":")
        connections = []
        while not ended.is_set():
            with suppress(OSError):
                connection = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
                connection.sendall(first)
                connections.append(connection)
            if len(connections) > OPEN:
                connections.pop(0).close()
            time.sleep(BETWEEN_S)
        for connection in connections:
            connection.close()

    return attack


def asked(text: str) -> bytes:
    return json.dumps({**QUESTION, "messages": [{"role": "user", "content": text}]}, ensure_ascii=False).encode()


def none(_: str, ended: Event) -> None:
    ended.wait()


ATTACKS: dict[str, Attack] = {
    "none": none,
    "a question of 3.9 MB": posted(asked("x" * 3_900_000)),
    "a question of 32 kB": posted(asked("7" * 32_000)),
    "a million empty messages": posted(b'{"model":"base","messages":[' + b"{}," * 1_000_000 + b"{}]}"),
    "60 000 lists": posted(b'{"model":"base","messages":[' + b"[]," * 60_000 + b"[]]}"),
    "nesting": posted(b"[" * 180_000),
    "silent connections": opened(b""),
    "half a header": opened(b"GET / HTTP/1.1\r\nHost: 127"),
    "half a body": opened(HEADER + b"Content-Length: 1000\r\n\r\n{"),
}


def seconds_of(place: str) -> float:
    """PATIENCE_S if the server closes the connection."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(place, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/health")
        found = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return PATIENCE_S
    finally:
        connection.close()
    return time.perf_counter() - began if found == http.client.OK else PATIENCE_S


def measured(place: str, attack: Attack, seconds: float, threads: int) -> dict[str, Any]:
    """Of /health the slowest and the median reply, and of the questions meanwhile how many were answered."""
    ended, answers, health = Event(), [], []

    def ask() -> None:
        while not ended.is_set():
            began = time.perf_counter()
            try:
                status = post(place, json.dumps(QUESTION).encode())
            except (OSError, http.client.HTTPException):
                status = 0
            answers.append((status, time.perf_counter() - began))

    running = [Thread(target=attack, args=(place, ended)) for _ in range(threads)] + [Thread(target=ask)]
    for thread in running:
        thread.start()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        health.append(seconds_of(place))
        time.sleep(PAUSE_S)
    ended.set()
    for thread in running:
        thread.join()
    times = sorted(took for status, took in answers if status == http.client.OK)
    return {
        "health_p50_s": round(sorted(health)[len(health) // 2], 4), "health_max_s": round(max(health), 4),
        "health_asked": len(health), "answered": len(times), "refused": len(answers) - len(times),
        "slowest_answer_s": round(times[-1], 3) if times else None,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    place, rows = urlsplit(options.address).netloc, {}
    print("| attack | `/health` p50 / max | answers to others | the slowest |\n|---|---|---|---|")
    for name, attack in ATTACKS.items():
        row = rows[name] = measured(place, attack, options.seconds, options.threads)
        print(
            f"| {name} | {row['health_p50_s']:.3f} / {row['health_max_s']:.3f} s "
            f"| {row['answered']}, {row['refused']} refused | {row['slowest_answer_s']} s |",
            flush=True,
        )
    result = {"what": "toolkit serve under attack", "measured_at": now(), "versions": versions(), "rows": rows}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
