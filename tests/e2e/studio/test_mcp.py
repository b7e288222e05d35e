"""The server on the wire, byte by byte: every line on stdout is a message as the protocol's schema has it."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from mcp_types.methods import validate_server_result
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.fakes.command import DATA, TOOLKIT, bare_environment
from tests.fakes.paired import two_runs

VERSIONS = HANDSHAKE_PROTOCOL_VERSIONS[-2:]
HELLO = {"capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
RUN = "v0-20260101-000000"
# A client's whole day; the answers are checked against the schema of their methods.
REQUESTS = [
    ("tools/list", {}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "toolkit://runs"}),
    ("resources/read", {"uri": "toolkit://docs/agents.md"}),
    ("tools/call", {"name": "runs", "arguments": {}}),
    ("tools/call", {"name": "compare", "arguments": {"run": "v0"}}),
    ("tools/call", {"name": "check", "arguments": {"data": "../x"}}),
    ("ping", {}),
]


class Wire:
    """`toolkit mcp` as a process; what it answers, line by line."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [TOOLKIT, "mcp", "--model", "tiny-qwen2"], cwd=home, env=bare_environment(home, TOOLKIT_DATA=str(DATA)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def send(self, text: str) -> None:
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def ask(self, number: int, method: str, params: dict) -> dict:
        self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.process.stdout.readline())
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == number:
                return message


@pytest.fixture(name="wire")
def _wire(tmp_path: Path):
    two_runs(tmp_path / "output")
    wire = Wire(tmp_path)
    yield wire
    wire.process.kill()
    wire.process.communicate()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_answer_is_as_the_protocols_schema_says(wire: Wire, version: str):
    hello = wire.ask(0, "initialize", {"protocolVersion": version, **HELLO})["result"]
    validate_server_result("initialize", version, hello)
    assert hello["protocolVersion"] == version
    wire.send('{"jsonrpc": "2.0", "method": "notifications/initialized"}')

    for number, (method, params) in enumerate(REQUESTS, start=1):
        validate_server_result(method, version, wire.ask(number, method, params)["result"])

    rest, err = wire.process.communicate()  # which closes its stdin
    assert (wire.process.returncode, rest) == (0, "")
    assert "Traceback" not in err


def test_what_is_no_message_ends_nothing(wire: Wire):
    wire.ask(0, "initialize", {"protocolVersion": VERSIONS[-1], **HELLO})
    for text in ("", "{", "[]", '{"jsonrpc": "2.0"}', "\ufffd", '{"jsonrpc": "2.0", "id": 5, "method": "none/such"}'):
        wire.send(text)

    assert wire.ask(9, "ping", {})["result"] == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_though_stdin_is_open(wire: Wire, number: int):
    wire.ask(0, "initialize", {"protocolVersion": VERSIONS[-1], **HELLO})

    wire.process.send_signal(number)

    assert wire.process.wait(60) == 0
    assert wire.process.stderr.read() == "Stopped.\n"
