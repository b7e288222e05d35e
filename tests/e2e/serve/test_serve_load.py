"""A served model under a mixed load: answers under every name, what it renders, and memory that stays flat."""

import socket
import threading
import time
from pathlib import Path

import httpx
import openai
import pytest

from bench.serve_soak import resident_bytes, soak
from tests.fakes.made_run import make_run
from tests.fakes.server import ask, serving

RUN = "v0-20260101-000000"
HEALTH_WITHIN_S = 5.0  # generous: a machine that runs tests is busy; bench/serve_attack.py measures it


@pytest.fixture(scope="module", name="output")
def _output(lively_model, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("load") / "output"
    make_run(output, lively_model, seed=2, strength=0.3)
    return output


@pytest.fixture(scope="module", name="server")
def _server(output):
    with serving(output, "--allow-origin", "http://localhost:3000") as server:
        yield server


def test_base_and_tuned_are_the_same_models_under_names_that_stay(server):
    client = server.client()
    base, tuned = (ask(client, name, "Who are you?", max_tokens=16) for name in ("base", "tuned"))

    assert base == ask(client, "lively", "Who are you?", max_tokens=16)
    assert tuned == ask(client, RUN, "Who are you?", max_tokens=16)
    assert base != tuned
    assert [model.id for model in client.models.list()] == ["lively", RUN]
    assert client.models.retrieve("tuned").id == "tuned"


def test_a_run_can_be_served_under_another_name(output):
    with serving(output, "--name", "nova") as server:
        client = server.client()
        assert [model.id for model in client.models.list()] == ["lively", "nova"]
        assert ask(client, "nova", "Hi", max_tokens=8) == ask(client, "tuned", "Hi", max_tokens=8)


@pytest.mark.parametrize("temperature", [0, -0.0, 1e-38, 5e-324])
def test_a_temperature_near_zero_is_greedy(server, temperature):
    client = server.client()

    assert ask(client, "tuned", "Hi", max_tokens=12, temperature=temperature) == ask(
        client, "tuned", "Hi", max_tokens=12
    )


@pytest.mark.parametrize("roles", [("user", "user"), ("user", "system", "user"), ("system",), ("user", "assistant")])
def test_what_the_template_renders_is_answered(server, roles):
    messages = [{"role": role, "content": None if role == "assistant" else "Hi"} for role in roles]

    assert ask(server.client(), "tuned", messages, max_tokens=4) is not None


def test_a_field_that_is_not_known_is_refused_with_its_name(server):
    with pytest.raises(openai.BadRequestError, match="top_k"):
        ask(server.client(), "tuned", "Hi", extra_body={"top_k": 20})


def test_health_is_answered_while_others_send_long_questions_and_half_requests(server):
    port = int(server.address.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    threads = [threading.Thread(target=long_question, args=(server.address,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert httpx.get(f"{server.address}/health", trust_env=False, timeout=60).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    for connection in silent:
        connection.close()

    assert slowest < HEALTH_WITHIN_S
    assert ask(server.client(), "base", "Hi", max_tokens=2) is not None


def long_question(address: str) -> None:
    for size in (30_000, 120_000, 3_900_000):
        question = {"model": "base", "messages": [{"role": "user", "content": "7" * size}], "max_tokens": 1}
        try:
            reply = httpx.post(f"{address}/v1/chat/completions", json=question, trust_env=False, timeout=60)
        except httpx.NetworkError:  # refused before the body was sent to its end
            continue
        assert reply.status_code in {400, 413}


def test_memory_stays_flat(server):
    """120 requests here; bench/serve_soak.py sends 1000."""
    soak(server.address, server.process.pid, 40)  # what is loaded on the way is loaded
    before = resident_bytes(server.process.pid)
    result = soak(server.address, server.process.pid, 120)

    assert set(result["ends"]) <= {"answer", "stream", "leave", "too long: 400", "refused: 400"}
    assert result["resident_bytes"][-1] < 1.25 * before
    assert httpx.get(f"{server.address}/health", trust_env=False).json()["under_way"] == 0
