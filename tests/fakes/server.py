"""`toolkit serve` as a process of its own, asked with the real openai client."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import openai

from tests.fakes.command import PATIENCE_S, TOOLKIT


class Server:
    """Started when created; `wait_until_ready` finds its address."""

    def __init__(self, output: Path, *arguments: object, environment: Mapping[str, str] | None = None):
        self.process = subprocess.Popen(
            [TOOLKIT, "serve", "--output", output, "--port", "0", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self.address = ""

    def wait_until_ready(self) -> None:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.address = line.split("/v1")[0]

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.address}/v1", api_key=key, max_retries=0, timeout=PATIENCE_S)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Exit code, and the seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.out, self.err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, time.monotonic() - began

    def nothing_is_left(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


@contextmanager
def serving(output: Path, *arguments: object, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    server = Server(output, *arguments, environment=environment)
    try:
        server.wait_until_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def ask(client: openai.OpenAI, model: str, question: str | list[dict[str, str]], **settings) -> str:
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else question
    answer = client.chat.completions.create(model=model, messages=messages, **settings)
    return answer.choices[0].message.content


def streamed(client: openai.OpenAI, model: str, question: str, **settings) -> str:
    messages = [{"role": "user", "content": question}]
    chunks = client.chat.completions.create(model=model, messages=messages, stream=True, **settings)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
