"""What end-to-end tests share, made once a session: models with random weights, and a run of the embedded model."""

import os

# Before anything imports ms-swift or the hubs: they read these once.
# One thread: so small a model gains nothing by two, and loses minutes where another process wants the second core.
os.environ.update(
    OMP_NUM_THREADS="1",
    HF_HUB_OFFLINE="1",
    LOG_LEVEL="ERROR",
    TRANSFORMERS_VERBOSITY="error",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
)

from pathlib import Path

import pytest

from tests.fakes.command import Shell
from tests.fakes.made_run import make_lively
from tests.fakes.micro_model import make_micro_model
from tests.fakes.thinking_model import thinking_model
from tests.fakes.tuned_run import TunedRun, make_tuned_run


@pytest.fixture(scope="session", name="micro_model")
def _micro_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: for everything but meaning."""
    return make_micro_model(tmp_path_factory.mktemp("models") / "micro")


@pytest.fixture(scope="session", name="lively_model")
def _lively_model(micro_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights whose answers wander: for what must not change an answer, or must."""
    return make_lively(tmp_path_factory.mktemp("models") / "lively", micro_model)


@pytest.fixture(scope="session", name="thinking_model")
def _thinking_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model, which has learned to think before it answers."""
    return thinking_model(tmp_path_factory.mktemp("models") / "thinking")


@pytest.fixture(scope="session", name="shell")
def _shell(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Shell:
    """With -v its commands are shown as they start."""
    plugins = request.config.pluginmanager
    reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")

    def echo(command: str) -> None:
        if reporter.verbosity > 0:
            with capture.global_and_fixture_disabled():
                reporter.write_line(command)
                reporter.flush()

    return Shell(tmp_path_factory.mktemp("shell"), echo)


@pytest.fixture(scope="session", name="tuned_run")
def _tuned_run(shell: Shell) -> TunedRun:
    """A minute, once."""
    return make_tuned_run(shell)
