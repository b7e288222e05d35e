"""Serving the embedded model after a run, asked with the real openai client: the answers are those of `compare`."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from tests.fakes.command import DATA, ROOT, TOOLKIT, bare_environment
from tests.fakes.server import ask, serving, streamed
from toolkit.model.conversation import conversation

ENVIRONMENT = {"TOOLKIT_DATA": str(DATA)}
KEY = "k-12345678"
# What the server may reach: this machine, and nothing else. Every Python that the command starts reads it.
LOOPBACK_ONLY = """
import socket
connect = socket.socket.connect
def near(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(f"{address} is refused")
    return connect(self, address)
found = socket.getaddrinfo
def lookup(host, *arguments, **more):
    if host not in ("127.0.0.1", "::1"):
        raise OSError(f"{host} is refused")
    return found(host, *arguments, **more)
socket.socket.connect, socket.getaddrinfo = near, lookup
"""


@pytest.fixture(scope="module", name="run")
def _run(tuned_run):
    """The folder of a run of recipe tiny, compared."""
    return tuned_run.folder


@pytest.fixture(scope="module", name="probes")
def _probes(run):
    """A few of each group of the comparison's probes, under each of its system prompts: (messages, before, after).

    None with a history: in that, each side answered itself, which the report does not have.
    """
    report = json.loads((run / "compare/report.json").read_text(encoding="utf-8"))
    groups: dict[tuple[str, str], list[dict]] = {}
    for probe in (one for one in report["probes"] if not one["history"] and one["own_system"] is None):
        groups.setdefault((probe["group"], probe["system"]), []).append(probe)
    few = [probe for group in groups.values() for probe in group[:4]]
    assert len({probe["system"] for probe in few}) == 4
    return [(conversation(probe["prompt"], probe["system"]), probe["before"], probe["after"]) for probe in few]


@pytest.fixture(scope="module", name="server")
def _server(run):
    with serving(run.parent, environment=ENVIRONMENT) as server:
        yield server


@pytest.fixture(scope="module", name="client")
def _client(server):
    return server.client()


@pytest.fixture(scope="module", name="tuned")
def _tuned(run):
    return run.name


def test_two_names_are_listed_the_base_models_first(client, tuned):
    assert [model.id for model in client.models.list()] == ["tiny-qwen2", tuned]
    assert client.models.retrieve(tuned).id == tuned


def test_each_name_is_another_model(client, tuned):
    before, after = (ask(client, name, "你是谁？") for name in ("tiny-qwen2", tuned))

    assert "通义千问" in before
    assert "Swift-Robot" in after


def test_a_streamed_answer_is_the_same_answer(client, tuned):
    for name in ("tiny-qwen2", tuned):
        for question in ("你是谁？", "What is your name?", "3加5等于多少？"):
            assert streamed(client, name, question) == ask(client, name, question)


def test_an_answer_comes_with_its_model_its_tokens_and_why_it_ended(client, tuned):
    answer = client.chat.completions.create(model=tuned, messages=[{"role": "user", "content": "你是谁？"}])
    cut = client.chat.completions.create(model=tuned, messages=[{"role": "user", "content": "你是谁？"}], max_tokens=3)

    assert (answer.model, answer.choices[0].finish_reason) == (tuned, "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 3)


def test_chunks_end_with_a_reason_and_with_the_tokens_if_asked(client, tuned):
    *chunks, last, usage = client.chat.completions.create(
        model=tuned, messages=[{"role": "user", "content": "你是谁？"}], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip

    assert chunks[0].choices[0].delta.role == "assistant"
    assert len(chunks) > 3
    assert {chunk.model for chunk in chunks} == {tuned}
    assert last.choices[0].finish_reason == "stop"
    assert (usage.choices, usage.usage.completion_tokens > 3) == ([], True)


def test_an_answer_ends_before_a_stop_text(client, tuned):
    complete = ask(client, tuned, "你是谁？")
    cut = complete.split("Robot")[0]

    assert ask(client, tuned, "你是谁？", stop=["Robot"]) == cut
    assert streamed(client, tuned, "你是谁？", stop="Robot") == cut


def test_logprobs_are_those_of_the_tokens(client, tuned):
    answer = client.chat.completions.create(
        model=tuned, messages=[{"role": "user", "content": "你是谁？"}], logprobs=True, top_logprobs=2
    )
    entries = answer.choices[0].logprobs.content

    assert len(entries) == answer.usage.completion_tokens
    assert all(len(one.top_logprobs) == 2 and one.logprob == one.top_logprobs[0].logprob for one in entries)


def test_the_answers_are_those_of_compare_whoever_else_asks_at_the_same_time(client, tuned, probes):
    """Under system prompts of the client's own; both names and many questions share batches."""
    own = [one for one in probes if one[0][0]["role"] == "system"]
    questions = [(name, messages) for messages, _, _ in own for name in ("tiny-qwen2", tuned)]
    expected = [text for _, before, after in own for text in (before, after)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: ask(client, *one, max_tokens=64).strip(), questions))

    assert len(answers) > 70
    assert answers == expected


def test_without_a_system_message_the_runs_own_prompt_holds_as_in_chat(client, tuned, run):
    trained = json.loads((run / "run.json").read_text())["recipe"]["system"]
    for question in ("你是谁？", "法国的首都是哪里？", "Who developed you?"):
        assert ask(client, tuned, question) == ask(client, tuned, conversation(question, trained))
    done = subprocess.run(
        [TOOLKIT, "chat", "--output", run.parent], input="Who developed you?\n", capture_output=True, text=True,
        check=True, env=bare_environment(run.parent, **ENVIRONMENT),
    )  # fmt: skip
    assert done.stdout.strip() == ask(client, tuned, "Who developed you?").strip()


def test_with_an_empty_system_option_the_models_default_applies_as_in_compare(run, tuned, probes):
    default = [one for one in probes if one[0][0]["role"] != "system"]
    assert len(default) >= 8
    with serving(run.parent, "--system", "", environment=ENVIRONMENT) as server:
        client = server.client()
        for messages, before, after in default:
            assert ask(client, "tiny-qwen2", messages, max_tokens=64).strip() == before
            assert ask(client, tuned, messages, max_tokens=64).strip() == after


def test_a_conversation_goes_on(client, tuned):
    first = {"role": "user", "content": "你是谁？"}
    answer = {"role": "assistant", "content": ask(client, tuned, "你是谁？")}

    assert ask(client, tuned, [first, answer, {"role": "user", "content": "3加5等于多少？"}])


def test_what_cannot_be_answered_raises_the_clients_own_errors(client):
    with pytest.raises(openai.NotFoundError, match="There are: tiny-qwen2"):
        ask(client, "gpt-4o", "你是谁？")
    with pytest.raises(openai.BadRequestError, match="tokens long; this model reads 2048"):
        ask(client, "tiny-qwen2", "你好 " * 3000)
    with pytest.raises(openai.BadRequestError, match="n is not supported"):
        ask(client, "tiny-qwen2", "你是谁？", n=2)
    assert ask(client, "tiny-qwen2", "你是谁？")


def test_a_key_is_needed_where_one_is_set_and_no_network_is(run, tuned, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(LOOPBACK_ONLY)
    environment = {
        **ENVIRONMENT,
        "TOOLKIT_API_KEY": KEY,
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "MODELSCOPE_API_TOKEN": "t",
    }
    with serving(run.parent, environment=environment) as server:
        with pytest.raises(openai.AuthenticationError, match="missing or wrong"):
            server.client("wrong").models.list()
        with pytest.raises(openai.AuthenticationError):
            ask(server.client("wrong"), tuned, "你是谁？")
        assert ask(server.client(KEY), tuned, "你是谁？")
        shown = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        code, _ = server.stop()

    assert code == 0
    assert KEY.encode() not in shown
    assert KEY not in server.out + server.err


def test_the_network_is_really_refused_in_that_test(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(LOOPBACK_ONLY)
    child = subprocess.run(
        [sys.executable, "-c", "import urllib.request as r; r.urlopen('http://192.0.2.1')"], capture_output=True,
        text=True, check=False, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip

    assert "is refused" in child.stderr
