"""The findings that hold for every path: the container's memory, and which hub answers."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from image.machine.finding import check_hubs, memory_bytes

NOBODY = "http://127.0.0.1:1"


def test_a_containers_limit_counts_and_not_the_machines_memory(tmp_path: Path) -> None:
    limit, none = tmp_path / "memory.max", tmp_path / "none"
    limit.write_text("1073741824\n")
    none.write_text("max\n")

    assert memory_bytes((str(none), str(limit), str(tmp_path / "missing"))) == 1024**3
    assert memory_bytes((str(none),)) > 0


def test_one_hub_that_answers_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # which answers 501
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", NOBODY)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        found = check_hubs()
        server.shutdown()
    assert [one.state for one in found] == ["ok", "note"]
    assert "--source modelscope" in found[1].remedy


def test_without_any_hub_nothing_can_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", NOBODY)
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"{NOBODY}1")

    assert [one.state for one in check_hubs()] == ["bad", "bad"]
