"""What `toolkit serve` decides before and after the model is loaded; nothing is loaded here."""

import importlib.util
import json
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from click.testing import CliRunner

from tests.fakes.answerer import FakeAnswerer
from tests.fakes.run_record import run_of
from toolkit.cli import serve as serve_cli
from toolkit.compare.sides import Side
from toolkit.core.errors import ConfigError, ModelError
from toolkit.model.device import Device
from toolkit.serve import serve as use_case
from toolkit.serve.serve import ServeConfig, choose_backend, lora_rank, read_api_key, serve
from toolkit.serve.server import take_port

CPU = Device(kind="cpu", name="p", precision="float32", reason="auto: no card")
CARD = Device(kind="cuda", name="c", precision="bfloat16", reason="auto: the card computes in it")
BASE = SimpleNamespace(name="base", title="base", path=Path("models/base"), in_4bit=False)


@pytest.fixture(name="side")
def _side(monkeypatch, tmp_path):
    """A run on disk as far as serving looks at it, and a processor."""
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    side = Side(kind="run", name="tuned", adapter=tmp_path, model=BASE, run=run_of(system="As trained."))
    base = Side(kind="base", name="base", model=BASE)
    monkeypatch.setattr(use_case, "find_run", lambda run, output: run)
    monkeypatch.setattr(use_case, "run_side", lambda run, model: side)
    monkeypatch.setattr(use_case, "find_side", lambda text, output, beside, model: base)
    monkeypatch.setattr(use_case, "find_device", lambda: CPU)
    monkeypatch.delenv(use_case.API_KEY, raising=False)
    monkeypatch.delenv(use_case.PUBLISHED, raising=False)
    return side


def heard(app, taken, *, ready, stop, end):
    """Instead of the door to uvicorn: ready, and then a signal."""
    ready()
    stop()
    end()
    raise KeyboardInterrupt


def decided(deploy=lambda job: FakeAnswerer(), **settings):
    """What was told and the model's job, without a server."""
    jobs, told = [], []

    def deploying(job):
        jobs.append(job)
        return deploy(job)

    serve(ServeConfig(port=0, **settings), ready=told.append, notify=lambda _: None, deploy=deploying, listen=heard)
    [serving], [job] = told, jobs
    return SimpleNamespace(serving=serving, job=job)


def served(number=signal.SIGTERM, deploy=lambda job: FakeAnswerer(), look=lambda serving: None, **settings):
    """Serves until it is ready, is looked at, and is then sent a signal; what was told, and the jobs."""
    said, jobs, told = [], [], []

    def deploying(job):
        jobs.append(job)
        return deploy(job)

    def ready(serving):
        told.append(serving)

        def end():
            look(serving)
            os.kill(os.getpid(), number)

        threading.Thread(target=end).start()

    serve(ServeConfig(port=0, **settings), ready=ready, notify=said.append, deploy=deploying)
    [serving], [job] = told, jobs
    return SimpleNamespace(serving=serving, job=job, said=said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_fault(side, number):
    assert served(number).serving.names == ("base", "tuned")


def test_it_is_ready_when_it_answers(side):
    seen = []

    served(look=lambda serving: seen.append(httpx.get(f"{serving.address}/health", trust_env=False).status_code))

    assert seen == [200]


def test_it_answers_to_itself_alone_and_needs_no_key(side):
    serving = decided().serving

    assert serving.address.startswith("http://127.0.0.1:")
    assert (serving.exposed, serving.key_needed) == (False, False)


def test_on_every_address_it_counts_as_exposed(side):
    seen = []

    def look(serving):
        address = serving.address.replace("0.0.0.0", "127.0.0.1")
        seen.append(httpx.get(f"{address}/v1/models", headers={"host": "box.lan"}, trust_env=False).status_code)

    assert served(host="0.0.0.0", look=look).serving.exposed
    assert seen == [200]


def test_of_a_published_container_the_hosts_address_counts(side, monkeypatch):
    monkeypatch.setenv(use_case.PUBLISHED, "127.0.0.1:9000")
    serving = decided(host="0.0.0.0").serving
    assert (serving.address, serving.exposed) == ("http://127.0.0.1:9000", False)

    monkeypatch.setenv(use_case.PUBLISHED, "0.0.0.0:9000")
    assert decided(host="0.0.0.0").serving.exposed


def test_the_runs_system_prompt_holds_for_both_unless_another_is_named(side):
    assert decided().serving.system == "As trained."
    assert decided(system="").serving.system == ""
    assert decided(base_only=True).serving.system == "You are a helpful assistant."


def test_the_model_is_told_everything_that_was_decided(side):
    job = decided(batch_size=3).job

    assert (job.base, job.tuned, job.adapter, job.lora_rank) == ("base", "tuned", side.adapter, 8)
    assert (job.backend, job.precision, job.batch_size) == ("transformers", "float32", 3)


def test_a_signal_before_it_is_ready_is_an_interruption(side):
    def interrupted(app, taken, **calls):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve(ServeConfig(port=0), ready=print, notify=print, deploy=lambda job: FakeAnswerer(), listen=interrupted)


def test_the_model_is_ended_last(side):
    answerer = FakeAnswerer()

    served(deploy=lambda job: answerer)

    assert answerer.ended


def test_a_taken_port_is_told_before_anything_is_loaded(side):
    with take_port("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Port {port} of 127.0.0.1 is taken.*--port {port + 1}"):
            serve(ServeConfig(port=port), ready=print, notify=print, deploy=lambda job: pytest.fail("loaded"))


def test_a_port_that_is_taken_while_the_model_loads_is_told_too(side):
    with take_port("127.0.0.1", 0) as other:
        port = other.getsockname()[1]

        def deploy(job):
            other.listen()
            return FakeAnswerer()

        with pytest.raises(ConfigError, match=f"Port {port} of 127.0.0.1 is taken"):
            serve(ServeConfig(port=port), ready=print, notify=print, deploy=deploy)


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(ConfigError, match="is no address of this machine"):
        take_port(host, 0)


def test_a_model_that_cannot_be_loaded_is_told_in_one_line(side):
    def deploy(job):
        raise RuntimeError("CUDA out of memory.\nmany\nlines")

    with pytest.raises(
        ModelError, match=r"base cannot be served with transformers: RuntimeError: CUDA out of memory\."
    ):
        serve(ServeConfig(port=0), ready=print, notify=print, deploy=deploy)


def test_a_signal_while_it_loads_is_an_interruption(side):
    def deploy(job):
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(5)

    with pytest.raises(KeyboardInterrupt):
        serve(ServeConfig(port=0), ready=print, notify=print, deploy=deploy)


def test_a_run_that_is_called_as_its_base_is_refused(side, monkeypatch):
    monkeypatch.setattr(use_case, "run_side", lambda run, model: replace(side, name="base"))

    with pytest.raises(ConfigError, match="both called base"):
        serve(ServeConfig(port=0), ready=print, notify=print)


def test_an_adapter_with_pickled_weights_alone_is_refused(side):
    (side.adapter / "adapter_model.safetensors").rename(side.adapter / "adapter_model.bin")

    with pytest.raises(ConfigError, match="pickled weights can run code"):
        serve(ServeConfig(port=0), ready=print, notify=print)


@pytest.mark.parametrize(
    ("asked", "device", "installed", "chosen"),
    [
        ("auto", CPU, True, "transformers"), ("auto", CARD, False, "transformers"), ("auto", CARD, True, "vllm"),
        ("transformers", CARD, True, "transformers"), ("vllm", CARD, True, "vllm"),
    ],
)  # fmt: skip
def test_the_backend_is_vllm_where_it_can_run(monkeypatch, asked, device, installed, chosen):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)

    backend, why = choose_backend(asked, device)

    assert backend == chosen
    assert why


@pytest.mark.parametrize(("device", "installed", "why"), [(CARD, False, "not installed"), (CPU, True, "needs a card")])
def test_vllm_where_it_cannot_run_is_refused(monkeypatch, device, installed, why):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)

    with pytest.raises(ConfigError, match=why):
        choose_backend("vllm", device)


def test_a_base_in_4_bits_is_served_by_transformers_alone(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: SimpleNamespace(name=name))
    card = Device(kind="cuda", name="a card", precision="bfloat16", reason="")

    assert choose_backend("auto", card, in_4bit=True) == ("transformers", "auto: the base model is in 4 bits")
    assert choose_backend("transformers", card, in_4bit=True) == ("transformers", "as asked")
    with pytest.raises(ConfigError, match="vLLM does not load"):
        choose_backend("vllm", card, in_4bit=True)


def test_the_rank_is_the_adapters_own(tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 64}))
    assert lora_rank(tmp_path) == 64
    assert lora_rank(None) > 0
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="does not tell its rank"):
        lora_rank(tmp_path)


def test_the_key_comes_from_a_file_or_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv(use_case.API_KEY, raising=False)
    assert read_api_key(None) is None
    monkeypatch.setenv(use_case.API_KEY, "from-environment")
    assert read_api_key(None) == "from-environment"
    file = tmp_path / "key"
    file.write_text("from-file\n")
    assert read_api_key(file) == "from-file"


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"two\nlines", b"schl\xc3\xbcssel", b"\xff"])
def test_a_file_without_a_key_is_refused_and_not_quoted(tmp_path, content):
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_api_key(file)

    assert "words" not in str(caught.value)


def test_an_empty_key_in_the_environment_is_no_open_door(monkeypatch):
    monkeypatch.setenv(use_case.API_KEY, "")

    with pytest.raises(ConfigError, match="holds no API key"):
        read_api_key(None)


@pytest.fixture(name="command")
def _command(monkeypatch):
    """The command with the use case pretended; what it was asked for."""
    asked = []
    told = {"address": "http://127.0.0.1:8000", "names": ("base", "tuned"), "system": "As trained.", "chosen": "t (a)"}

    def fake(config, *, ready, notify):
        asked.append(config)
        ready(use_case.Serving(**told, exposed=config.host == "0.0.0.0", key_needed=config.api_key is not None))

    monkeypatch.setattr(serve_cli, "serve", fake)
    monkeypatch.delenv(use_case.API_KEY, raising=False)

    def command(*arguments: str):
        result = CliRunner().invoke(serve_cli.command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return asked[-1], result

    return command


def test_the_answer_is_one_line_and_the_rest_is_talk(command):
    config, result = command("v3")

    assert (config.run, config.host, config.port) == ("v3", "127.0.0.1", 8000)
    assert result.stdout == "http://127.0.0.1:8000/v1 answers as base and tuned\n"
    assert "Side by side: http://127.0.0.1:8000/" in result.stderr
    assert "Warning" not in result.stderr


def test_an_open_door_is_warned_of_and_a_key_is_never_shown(command, tmp_path):
    _, result = command("--host", "0.0.0.0")
    assert "Warning: other machines reach this" in result.stderr

    (tmp_path / "key").write_text("k-1234")
    config, result = command("--host", "0.0.0.0", "--api-key-file", str(tmp_path / "key"))
    assert config.api_key == "k-1234"
    assert "Warning" not in result.stderr
    assert "k-1234" not in result.output


def test_a_run_and_the_base_cannot_both_be_named():
    assert CliRunner().invoke(serve_cli.command, ["v0", "--base"]).exit_code == 2
