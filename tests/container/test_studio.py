"""`make studio` in the container: reached on this host with its token alone, at work on this host's runs."""

import os
import signal
from pathlib import Path

import httpx

from tests.container.host import Host
from tests.container.serving import free_port, ready
from tests.fakes.studio import Browser

MODEL = "tiny-qwen2"


def test_its_pages_open_with_the_token_and_what_they_write_is_the_callers(host: Host, finished_run: Path) -> None:
    port = free_port()
    process = host.start_make("studio", MODEL=MODEL, OUTPUT=str(host.output), PORT=str(port))
    with ready(process) as line:
        address, _, token = line.strip().partition("/?token=")
        assert address == f"http://127.0.0.1:{port}"
        assert token
        assert httpx.get(f"{address}/runs", trust_env=False).status_code == 403
        browser = Browser(line.strip())
        assert finished_run.name in browser.get("/runs")
        browser.post("/note", run=finished_run.name, note="written in the container")
        assert "written in the container" in browser.get(f"/runs/{finished_run.name}")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)

    assert "Stopped." in err
    assert host.docker("ps", "--all", "--quiet").stdout == ""
    written = [path for path in (host.output / ".studio").rglob("*") if path.is_file()]
    assert any("written in the container" in path.read_text(encoding="utf-8") for path in written)
    assert {path.stat().st_uid for path in written} == {os.getuid()}
