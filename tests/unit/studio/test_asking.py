"""Questions to both sides: kept by run, the newest first; what nobody answers any more says so."""

import sys
import time
from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.studio.asking import MOST_KEPT, WAITING, Asker, Exchange

RUN = "v0-20260101-000000"
# Speaks as `toolkit serve` does, without a model: an address on stdout, then the API.
SERVER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer " + os.environ["TOOLKIT_API_KEY"]
        answer = {"choices": [{"message": {"content": f" {body['model']}: {body['messages'][0]['content']} "}}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/v1 answers", flush=True)
server.serve_forever()
"""


@pytest.fixture(name="program")
def _program(monkeypatch: pytest.MonkeyPatch):
    def use(script: str) -> None:
        monkeypatch.setattr("toolkit.studio.asking.PROGRAM", (sys.executable, "-c", script))

    return use


@pytest.fixture(name="asker")
def _asker(tmp_path: Path):
    asker = Asker(tmp_path, tmp_path, (), lambda: None)
    yield asker
    asker.close()


def answered(asker: Asker) -> list[Exchange]:
    until = time.monotonic() + 60
    while any(one.state == WAITING for one in asker.exchanges(RUN)):
        assert time.monotonic() < until
        time.sleep(0.02)
    return asker.exchanges(RUN)


def test_both_sides_answer_over_one_load(asker: Asker, program):
    program(SERVER)
    asker.ask(RUN, " Who? ")
    answered(asker)
    first = asker.server
    asker.ask(RUN, "Where?")

    where, who = answered(asker)

    assert (who.question, who.before, who.after) == ("Who?", "base: Who?", "tuned: Who?")
    assert where.before == "base: Where?"
    assert asker.server is first


def test_a_model_that_does_not_load_says_why(asker: Asker, program):
    program("import sys; print('Loading', file=sys.stderr); sys.exit('Error: The adapter is gone.')")
    asker.ask(RUN, "Who?")

    [one] = answered(asker)

    assert (one.state, one.error) == ("failed", "The adapter is gone.")


def test_the_models_memory_is_given_back(asker: Asker, program):
    program(SERVER)
    asker.ask(RUN, "Who?")
    answered(asker)
    child = asker.server.child

    asker.close()

    assert child.poll() is not None
    assert asker.server is None


def test_what_waited_when_a_studio_ended_is_not_waited_for(asker: Asker, tmp_path: Path):
    asker._put(RUN, Exchange(question="Who?"))

    [one] = Asker(tmp_path, tmp_path, (), lambda: None).exchanges(RUN)

    assert (one.state, one.error) == ("failed", "The studio was closed.")


def test_the_newest_come_first_and_the_oldest_go(asker: Asker):
    for number in range(MOST_KEPT + 2):
        asker._put(RUN, Exchange(question=str(number), state="answered"))
    asker._put(RUN, Exchange(question="5", state="answered"))

    questions = [one.question for one in asker.exchanges(RUN)]

    assert questions[:2] == ["5", str(MOST_KEPT + 1)]
    assert len(questions) == MOST_KEPT


@pytest.mark.parametrize("question", ["", "  ", "x" * 9000])
def test_a_question_has_a_length(asker: Asker, question: str):
    with pytest.raises(DataError, match="1 to 8000"):
        asker.ask(RUN, question)
