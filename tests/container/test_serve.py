"""Serving from the container: reached on this host at 127.0.0.1 alone, by the real client, and gone after Ctrl-C."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import openai
import pytest

from tests.container.host import Host
from tests.container.serving import free_port, ready

MODEL = "tiny-qwen2"
ASK_INSIDE = """
import os, openai
client = openai.OpenAI(base_url="http://127.0.0.1:%d/v1", api_key=os.environ.get("TOOLKIT_API_KEY", "none"))
for model in client.models.list():
    answer = client.chat.completions.create(model=model.id, messages=[{"role": "user", "content": "你是谁？"}])
    print(answer.choices[0].message.content)
"""


def start(host: Host, port: int, *, options: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    return host.start(
        "run", "--model", MODEL, "--output", str(host.output), "--publish", str(port), *options, "--",
        "toolkit", "serve", "--host", "0.0.0.0", "--port", str(port),
    )  # fmt: skip


def ask(port: int, key: str = "none") -> list[str]:
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0, timeout=60)
    told = []
    for model in client.models.list():
        answer = client.chat.completions.create(model=model.id, messages=[{"role": "user", "content": "你是谁？"}])
        told.append(str(answer.choices[0].message.content))
    return told


def test_both_names_answer_out_here_and_inside_and_ctrl_c_ends_it(host: Host, finished_run: Path) -> None:
    port = free_port()
    process = host.start_make("serve", MODEL=MODEL, OUTPUT=str(host.output), PORT=str(port))
    with ready(process) as line:
        assert line == f"http://127.0.0.1:{port}/v1 answers as {MODEL} and {finished_run.name}\n"
        before, after = ask(port)
        assert "通义千问" in before
        assert "Swift-Robot" in after
        container = host.docker("ps", "--quiet").stdout.strip()
        inside = host.docker("exec", container, "/opt/venv/bin/python", "-c", ASK_INSIDE % port)
        assert inside.stdout.splitlines() == [before, after], inside.stderr
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)

    assert "Stopped." in err
    assert "Warning" not in err
    assert host.docker("ps", "--all", "--quiet").stdout == ""


def test_no_other_address_of_this_machine_leads_there(host: Host, finished_run: Path) -> None:
    port = free_port()
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    with ready(start(host, port)):
        for address in (one for one in own if ":" not in one):
            with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                socket.create_connection((address, port), timeout=5)
        assert ask(port)


def test_a_key_goes_in_and_is_asked_for_and_a_signal_ends_it_with_0(
    host: Host, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setitem(host.environment, "TOOLKIT_API_KEY", "k-12345678")
    process = start(host, port)
    with ready(process):
        with pytest.raises(openai.AuthenticationError):
            ask(port, "wrong")
        assert len(ask(port, "k-12345678")) == 2
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)

    assert process.returncode == 0
    assert "k-12345678" not in out + err


def test_a_taken_port_is_told(host: Host, finished_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(host, taken.getsockname()[1])
        _, err = process.communicate(timeout=300)

    assert process.returncode == 9
    assert "make serve PORT=" in err
