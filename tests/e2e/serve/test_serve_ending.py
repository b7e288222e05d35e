"""How serving begins and ends: signals, clients that leave, taken ports. The model has random weights."""

import signal
import socket
import threading
import time

import httpx
import openai
import pytest

from tests.fakes.command import PATIENCE_S
from tests.fakes.finetune_user import wait_for
from tests.fakes.made_run import make_run
from tests.fakes.server import Server, ask, serving

LONG = 3000  # tokens; takes seconds


@pytest.fixture(scope="module", name="output")
def _output(lively_model, tmp_path_factory):
    output = tmp_path_factory.mktemp("ending") / "output"
    make_run(output, lively_model, seed=2, strength=0.3)
    return output


def long_answer(client: openai.OpenAI, model: str = "lively"):
    """A long answer, after its first chunk."""
    chunks = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Who are you?"}], stream=True
    )
    next(iter(chunks))
    return chunks


def test_clients_that_leave_make_room_for_the_next(output):
    """Without that, the last question would wait for four complete answers: the server decodes one at a time."""
    with serving(output, "--max-new-tokens", LONG, "--batch-size", 1) as server:
        client = server.client()
        began = time.monotonic()
        ask(client, "lively", "Who are you?")
        complete_s = time.monotonic() - began
        threads = [threading.Thread(target=lambda: long_answer(client).close()) for _ in range(4)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ask(client, "lively", "你好", max_tokens=2)

    assert time.monotonic() - began < 2 * complete_s  # on a busy machine, too


def under_way(server: Server) -> int:
    """How many questions are being answered."""
    return httpx.get(f"{server.address}/health", trust_env=False, timeout=PATIENCE_S).json()["under_way"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle_of_answers_and_leaves_nothing(output, number):
    with serving(output, "--max-new-tokens", LONG) as server:
        client, errors = server.client(), []

        def listen() -> None:
            try:
                for _ in long_answer(client):
                    pass
            except openai.APIError as error:
                errors.append(str(error))

        def wait() -> None:
            try:
                ask(client, "v0-20260101-000000", "Who are you?")
            except openai.APIStatusError as error:
                errors.append(str(error.status_code))

        threads = [threading.Thread(target=one) for one in (listen, wait)]
        for thread in threads:
            thread.start()
        wait_for(lambda: under_way(server) == 2, server.process)
        code, took_s = server.stop(number)
        for thread in threads:
            thread.join(PATIENCE_S)

    assert code == 0
    assert took_s < 20
    assert server.err.endswith("Stopped.\n")
    assert "Traceback" not in server.err
    assert sorted(errors) == ["503", "The server is stopping."]
    assert server.nothing_is_left()


def test_a_signal_while_it_loads_interrupts_it(output):
    server = Server(output)
    assert "Loading lively" in server.process.stderr.readline()
    code, _ = server.stop()

    assert (code, server.out) == (130, "")
    assert server.nothing_is_left()


def test_a_taken_port_is_reported_at_once(output):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(output, "--port", port)
        out, err = server.process.communicate(timeout=PATIENCE_S)

    assert (server.process.returncode, out) == (3, "")
    assert (
        err == f"Error: Port {port} of 127.0.0.1 is taken. Name another: --port {port + 1}, or 0 for any free port.\n"
    )


def test_no_port_listens_before_there_is_an_answer(output):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(output, "--port", port)
    try:
        assert "Loading lively" in server.process.stderr.readline()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        server.wait_until_ready()
        assert ask(server.client(), "lively", "你好", max_tokens=1) is not None
        assert server.stop()[0] == 0
    finally:
        server.process.kill()
        server.process.communicate()


def test_only_the_base_model_has_one_name(output, lively_model):
    with serving(output, "--base", "--model", lively_model) as server:
        assert [model.id for model in server.client().models.list()] == ["lively"]
        assert ask(server.client(), "lively", "你好", max_tokens=3)
