"""Puts a question to both sides of a run: a `toolkit serve` of its own, which stays loaded for the next question."""

import hashlib
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from toolkit.core import environment
from toolkit.core.documents import read_json
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import write_json
from toolkit.studio.jobs import PROGRAM

IDLE_S = 600.0  # then the model's memory is given back
ANSWERED_WITHIN_S = 300.0
MOST_KEPT = 20
LONGEST = 8000  # characters of a question
SIDES = ("base", "tuned")  # names that every served run has
WAITING, ANSWERED, FAILED = "waiting", "answered", "failed"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One question with both answers; `state`: waiting, answered or failed (then `error` says why)."""

    question: str
    state: str = WAITING
    before: str = ""
    after: str = ""
    error: str = ""

    @property
    def key(self) -> str:
        return hashlib.sha256(self.question.encode()).hexdigest()[:12]


class Asker:
    """Answers come one after the other; every question and answer is in a file of the run."""

    def __init__(
        self, folder: Path, work_folder: Path, options: tuple[str, ...], changed: Callable[[], None]
    ) -> None:  # fmt: skip
        self.folder, self.work_folder, self.options, self.changed = folder, work_folder, options, changed
        self.busy, self.files = threading.Lock(), threading.Lock()
        self.server: _Server | None = None
        self.used_at = time.monotonic()
        for file in folder.glob("*.json"):  # nobody answers what waited when the last studio ended
            for one in self.exchanges(file.stem):
                if one.state == WAITING:
                    self._put(file.stem, replace(one, state=FAILED, error="The studio was closed."))

    def exchanges(self, run_id: str) -> list[Exchange]:
        """The newest first."""
        try:
            return [Exchange(**one) for one in read_json(self.folder / f"{run_id}.json")["asked"]]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def ask(self, run_id: str, question: str) -> None:
        """Answers in the background. Raises DataError for a question without text, or that is too long."""
        question = question.strip()
        if not question or len(question) > LONGEST:
            raise DataError(f"A question has 1 to {LONGEST} characters.", next="Write it, or shorten it.")
        self._put(run_id, Exchange(question=question))
        threading.Thread(target=self._answer, args=(run_id, Exchange(question=question)), daemon=True).start()

    def close(self) -> None:
        """Ends the loaded model; a question that waits for it fails."""
        server, self.server = self.server, None
        if server is not None:
            server.end()

    def close_if_idle(self) -> None:
        if self.server is not None and not self.busy.locked() and time.monotonic() - self.used_at > IDLE_S:
            self.close()

    def _answer(self, run_id: str, one: Exchange) -> None:
        with self.busy:
            try:
                server = self._served(run_id)
                before, after = (server.answer(side, one.question) for side in SIDES)
                one = replace(one, state=ANSWERED, before=before, after=after)
            except Exception as error:  # noqa: BLE001  # whatever it is, the page has to show it
                one = replace(one, state=FAILED, error=str(error) or type(error).__name__)
            self.used_at = time.monotonic()
        self._put(run_id, one)

    def _served(self, run_id: str) -> "_Server":
        if self.server is None or self.server.run_id != run_id or not self.server.alive:
            self.close()
            self.server = _Server(run_id, self.work_folder, self.options)
            self.server.wait()
        return self.server

    def _put(self, run_id: str, one: Exchange) -> None:
        with self.files, suppress(OSError):
            others = [other for other in self.exchanges(run_id) if other.question != one.question]
            kept = [one, *others][:MOST_KEPT]
            write_json(self.folder / f"{run_id}.json", {"asked": [asdict(each) for each in kept]})
        self.changed()


class _Server:
    """A child on a free port of this machine, with a key that only this process has."""

    def __init__(self, run_id: str, work_folder: Path, options: tuple[str, ...]) -> None:
        self.run_id, self.key = run_id, secrets.token_urlsafe(24)
        self.child = subprocess.Popen(
            [*PROGRAM, "serve", run_id, "--port", "0", *options], cwd=work_folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            # Not the address that a host publishes for the studio's own port.
            env=environment.for_child(environment.PUBLISHED, **{environment.API_KEY: self.key}),
        )  # fmt: skip
        self.messages: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        self.address = ""

    @property
    def alive(self) -> bool:
        return self.child.poll() is None

    def wait(self) -> None:
        """Until it answers. Raises ConfigError with what it said if it ends before."""
        assert self.child.stdout is not None  # a pipe
        self.address = self.child.stdout.readline().partition("/v1")[0]
        if not self.address:
            self.child.wait()
            errors = [line.removeprefix("Error: ") for line in self.messages if line.startswith("Error: ")]
            raise ConfigError((errors or self.messages or ["The model was closed, since a job began."])[-1])

    def answer(self, side: str, question: str) -> str:
        import httpx

        body = {"model": side, "messages": [{"role": "user", "content": question}]}
        with httpx.Client(trust_env=False, timeout=ANSWERED_WITHIN_S) as client:
            reply = client.post(
                f"{self.address}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {self.key}"}
            )
        if reply.is_error:
            raise ConfigError(str(reply.json()["error"]["message"]))
        return str(reply.json()["choices"][0]["message"]["content"] or "").strip()

    def end(self) -> None:
        self.child.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(20)
            return
        self.child.kill()

    def _listen(self) -> None:
        assert self.child.stderr is not None  # a pipe, which must not fill up
        for line in self.child.stderr:
            self.messages = [*self.messages[-20:], line.strip()]
