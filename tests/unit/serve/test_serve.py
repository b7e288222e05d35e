"""What `toolkit serve` decides before and after the model is loaded; no model is loaded here."""

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
from toolkit.cli.serving import serve as serve_cli
from toolkit.compare.sides import Side
from toolkit.core import environment
from toolkit.core.errors import ConfigError, ModelError
from toolkit.model.device import Device
from toolkit.serve import serve as use_case
from toolkit.serve.serve import ServeConfig, read_api_key, serve
from toolkit.serve.server import take_port

CPU = Device(kind="cpu", name="p", precision="float32", reason="auto: no card")
BASE = SimpleNamespace(name="base", title="base", path=Path("models/base"), in_4bit=False)


@pytest.fixture(name="side")
def _side(monkeypatch, tmp_path):
    """A run on disk, as much of it as serving reads, and a CPU."""
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    side = Side(kind="run", name="tuned", adapter=tmp_path, model=BASE, run=run_of(system="As trained."))
    base = Side(kind="base", name="base", model=BASE)
    monkeypatch.setattr(use_case, "find_run", lambda run, output: run)
    monkeypatch.setattr(use_case, "run_side", lambda run, model: side)
    monkeypatch.setattr(use_case, "find_side", lambda text, output, beside, model: base)
    monkeypatch.setattr(use_case, "find_device", lambda: CPU)
    monkeypatch.delenv(environment.API_KEY, raising=False)
    monkeypatch.delenv(environment.PUBLISHED, raising=False)
    return side


def ready_then_signal(app, taken, *, ready, stop, end):
    """Instead of uvicorn: ready, and then a signal."""
    ready()
    stop()
    end()
    raise KeyboardInterrupt


def decided(**settings):
    """What is announced, the side that is loaded and its batch size, without a server."""
    loads, announced = [], []

    def load(side, batch_size):
        loads.append((side, batch_size))
        return FakeAnswerer()

    config = ServeConfig(port=0, **settings)
    serve(config, ready=announced.append, notify=lambda _: None, load=load, listen=ready_then_signal)
    [serving], [(side, batch_size)] = announced, loads
    return SimpleNamespace(serving=serving, side=side, batch_size=batch_size)


def load_fake(side, batch_size):
    return FakeAnswerer()


def served(number=signal.SIGTERM, load=load_fake, look=lambda serving: None, **settings):
    """Serves until it is ready, lets `look` see it, and sends it a signal; returns what was announced."""
    announced = []

    def ready(serving):
        announced.append(serving)

        def end():
            look(serving)
            os.kill(os.getpid(), number)

        threading.Thread(target=end).start()

    serve(ServeConfig(port=0, **settings), ready=ready, notify=lambda _: None, load=load)
    [serving] = announced
    return serving


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_an_error(side, number):
    assert served(number).names == ("base", "tuned")


def test_it_is_ready_when_it_answers(side):
    seen = []

    served(look=lambda serving: seen.append(httpx.get(f"{serving.address}/health", trust_env=False).status_code))

    assert seen == [200]


def test_by_default_only_this_machine_reaches_it_without_a_key(side):
    serving = decided().serving

    assert serving.address.startswith("http://127.0.0.1:")
    assert (serving.exposed, serving.key_needed) == (False, False)


def test_on_every_interface_it_counts_as_exposed(side):
    seen = []

    def look(serving):
        address = serving.address.replace("0.0.0.0", "127.0.0.1")
        seen.append(httpx.get(f"{address}/v1/models", headers={"host": "box.lan"}, trust_env=False).status_code)

    assert served(host="0.0.0.0", look=look).exposed
    assert seen == [200]


@pytest.mark.parametrize(("host", "status"), [("127.0.0.2", 200), ("localhost", 200), ("127.0.0.3", 403), ("a.b", 403)])
def test_every_loopback_address_counts_as_this_machine_and_is_one_of_its_names(side, host, status):
    seen = []

    def look(serving):
        seen.append(httpx.get(f"{serving.address}/v1/models", headers={"host": host}, trust_env=False).status_code)

    assert not served(host="127.0.0.2", look=look).exposed
    assert seen == [status]


def test_the_tuned_model_can_have_a_name_of_its_own(side):
    assert decided(name="nova").side.name == "nova"
    assert decided(name="nova", base_only=True).side.name == "nova"
    assert decided(base_only=True).side.name == "base"


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "\u202eabc", "x" * 201])
def test_a_name_is_printable(side, name):
    with pytest.raises(ConfigError, match="cannot be a name"):
        decided(name=name)


def test_a_name_is_not_the_base_models(side):
    with pytest.raises(ConfigError, match="both called base"):
        decided(name="base")


def test_an_origin_that_is_none_is_refused_before_anything_is_loaded(side):
    with pytest.raises(ConfigError, match="is not an origin"):
        serve(ServeConfig(port=0, origins=("*",)), ready=print, notify=print, load=lambda *_: pytest.fail("loaded"))


def test_an_allowed_origin_may_read_the_answers(side):
    seen = []

    def look(serving):
        reply = httpx.get(f"{serving.address}/v1/models", headers={"origin": "http://a:3000"}, trust_env=False)
        seen.append(reply.headers["access-control-allow-origin"])

    served(origins=("HTTP://A:3000",), look=look)

    assert seen == ["http://a:3000"]


def test_for_a_published_container_the_address_on_the_host_counts(side, monkeypatch):
    monkeypatch.setenv(environment.PUBLISHED, "127.0.0.1:9000")
    serving = decided(host="0.0.0.0").serving
    assert (serving.address, serving.exposed) == ("http://127.0.0.1:9000", False)

    monkeypatch.setenv(environment.PUBLISHED, "0.0.0.0:9000")
    assert decided(host="0.0.0.0").serving.exposed


def test_the_runs_system_prompt_holds_for_both_unless_another_is_named(side):
    assert decided().serving.system == "As trained."
    assert decided(system="").serving.system == ""
    assert decided(base_only=True).serving.system == "You are a helpful assistant."


def test_the_run_or_only_its_base_is_loaded(side):
    tuned, base = decided(batch_size=3), decided(base_only=True)

    assert (tuned.side, tuned.batch_size) == (side, 3)
    assert (base.side.name, base.side.adapter, base.batch_size) == ("base", None, 8)


def test_a_signal_before_it_is_ready_is_an_interruption(side):
    def interrupted(app, taken, **calls):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve(ServeConfig(port=0), ready=print, notify=print, load=load_fake, listen=interrupted)


def test_the_model_is_closed_last(side):
    answerer = FakeAnswerer()

    served(load=lambda side, batch_size: answerer)

    assert answerer.closed


def test_a_taken_port_is_reported_before_anything_is_loaded(side):
    with take_port("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Port {port} of 127.0.0.1 is taken.*--port {port + 1}"):
            serve(ServeConfig(port=port), ready=print, notify=print, load=lambda *_: pytest.fail("loaded"))


def test_a_port_that_is_taken_while_the_model_loads_is_reported_too(side):
    with take_port("127.0.0.1", 0) as other:
        port = other.getsockname()[1]

        def load(side, batch_size):
            other.listen()
            return FakeAnswerer()

        with pytest.raises(ConfigError, match=f"Port {port} of 127.0.0.1 is taken"):
            serve(ServeConfig(port=port), ready=print, notify=print, load=load)


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(ConfigError, match="is not an address of this machine"):
        take_port(host, 0)


def test_a_model_that_does_not_answer_is_reported_in_one_line(side):
    def load(side, batch_size):
        raise RuntimeError("CUDA out of memory.\nmany\nlines")

    with pytest.raises(
        ModelError, match=r"base does not answer: RuntimeError: CUDA out of memory\. Run the same command again"
    ):
        serve(ServeConfig(port=0), ready=print, notify=print, load=load)


def test_a_signal_while_it_loads_is_an_interruption(side):
    def load(side, batch_size):
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(5)

    with pytest.raises(KeyboardInterrupt):
        serve(ServeConfig(port=0), ready=print, notify=print, load=load)


def test_a_run_that_is_called_as_its_base_is_refused(side, monkeypatch):
    monkeypatch.setattr(use_case, "run_side", lambda run, model: replace(side, name="base"))

    with pytest.raises(ConfigError, match="both called base"):
        serve(ServeConfig(port=0), ready=print, notify=print)


def test_an_adapter_with_only_pickled_weights_is_refused(side):
    (side.adapter / "adapter_model.safetensors").rename(side.adapter / "adapter_model.bin")

    with pytest.raises(ConfigError, match="pickled weights can run code"):
        serve(ServeConfig(port=0), ready=print, notify=print)


def test_the_key_comes_from_a_file_or_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv(environment.API_KEY, raising=False)
    assert read_api_key(None) is None
    monkeypatch.setenv(environment.API_KEY, "from-environment")
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


def test_an_empty_key_in_the_environment_does_not_open_the_server(monkeypatch):
    monkeypatch.setenv(environment.API_KEY, "")

    with pytest.raises(ConfigError, match="holds no API key"):
        read_api_key(None)


@pytest.fixture(name="command")
def _command(monkeypatch):
    """The command without the use case; the configuration that it was called with."""
    configs = []
    serving = {"address": "http://127.0.0.1:8000", "names": ("base", "tuned"), "system": "As trained."}

    def fake(config, *, ready, notify):
        configs.append(config)
        ready(use_case.Serving(**serving, exposed=config.host == "0.0.0.0", key_needed=config.api_key is not None))

    monkeypatch.setattr(serve_cli, "serve", fake)
    monkeypatch.delenv(environment.API_KEY, raising=False)

    def command(*arguments: str):
        result = CliRunner().invoke(serve_cli.command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return configs[-1], result

    return command


def test_stdout_is_one_line_and_stderr_the_rest(command):
    config, result = command("v3", "--name", "nova", "--allow-origin", "http://a", "--allow-origin", "http://b")

    assert (config.name, config.origins) == ("nova", ("http://a", "http://b"))
    assert (config.run, config.host, config.port) == ("v3", "127.0.0.1", 8000)
    assert result.stdout == "http://127.0.0.1:8000/v1 answers as base and tuned\n"
    assert "Side by side: http://127.0.0.1:8000/" in result.stderr
    assert "Warning" not in result.stderr


def test_it_warns_of_an_exposed_server_without_a_key_and_never_shows_a_key(command, tmp_path):
    _, result = command("--host", "0.0.0.0")
    assert "Warning: other machines can reach this" in result.stderr

    (tmp_path / "key").write_text("k-1234")
    config, result = command("--host", "0.0.0.0", "--api-key-file", str(tmp_path / "key"))
    assert config.api_key == "k-1234"
    assert "Warning" not in result.stderr
    assert "k-1234" not in result.output


def test_a_run_and_the_base_cannot_both_be_named():
    assert CliRunner().invoke(serve_cli.command, ["v0", "--base"]).exit_code == 2
