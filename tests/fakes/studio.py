"""`toolkit studio` as a process of its own, and a browser without a screen that sends what forms do."""

import html
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.fakes.command import DATA, PATIENCE_S, TOOLKIT, bare_environment


class Browser:
    """Opens the address with the token; `address` without it."""

    def __init__(self, opened: str, **headers: str) -> None:
        self.address, _, self.token = opened.partition("/?token=")
        self.client = httpx.Client(base_url=self.address, trust_env=False, timeout=30, headers=headers)
        self.client.get("/", params={"token": self.token})

    def get(self, path: str) -> str:
        reply = self.client.get(path)
        assert reply.status_code == 200, reply.text
        return html.unescape(reply.text)

    def reply(self, path: str, *, origin: str | None = None, files=None, form_token=None, **fields) -> httpx.Response:
        """Of a POST, as a form of the first page would send it."""
        if form_token is None:
            [form_token, *_] = re.findall(r'name="form_token" value="(\w+)"', self.client.get("/").text)
        headers = {"Origin": self.address if origin is None else origin}
        return self.client.post(path, data={"form_token": form_token, **fields}, files=files, headers=headers)

    def post(self, path: str, **fields) -> str:
        """Where it leads."""
        reply = self.reply(path, **fields)
        assert reply.status_code == 303, html.unescape(reply.text)
        return reply.headers["location"]

    def row(self, file: str, number: int) -> dict[str, str]:
        """The hidden fields of a row's form."""
        page = self.get(f"/data?file={file}")
        [form] = re.findall(rf'<form[^>]*id="row-{number}".*?</form>', page, re.DOTALL)
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)) | {"text": re.findall(
            r"<textarea[^>]*>\n(.*?)</textarea>", form, re.DOTALL
        )}  # fmt: skip

    def wait_for(self, path: str, text: str, within_s: float = PATIENCE_S) -> str:
        """The page once it has the text."""
        until = time.monotonic() + within_s
        while text not in (page := self.get(path)):
            assert time.monotonic() < until, page
            time.sleep(0.2)
        return page

    def wait_for_end(self, path: str) -> str:
        """Of a job."""
        until = time.monotonic() + PATIENCE_S
        while 'id="stop"' in (page := self.get(path)):
            assert time.monotonic() < until, page
            time.sleep(0.2)
        return page


class Studio:
    """In the folder `home`, with the embedded model unless `arguments` say otherwise."""

    def __init__(self, home: Path, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        self.home, self.output = home, home / "output"
        self.process = subprocess.Popen(
            [TOOLKIT, "studio", "--port", "0", "--model", "tiny-qwen2", *map(str, arguments)], cwd=home,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=bare_environment(home, TOOLKIT_DATA=str(DATA), OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
            | dict(environment or {}),
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.process.stderr.read()

    def browser(self, **headers: str) -> Browser:
        return Browser(self.address, **headers)

    def job(self, path: str) -> dict:
        """As its file has it."""
        file = self.output / ".studio" / "jobs" / path.rpartition("/")[2] / "job.json"
        return json.loads(file.read_text(encoding="utf-8"))

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Exit code and stderr."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, err


@contextmanager
def studio(home: Path, *arguments: object, environment: Mapping[str, str] | None = None) -> Iterator[Studio]:
    """Ended at the end, and with it whatever it started."""
    started = Studio(home, *arguments, environment=environment)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.stop(signal.SIGTERM)
