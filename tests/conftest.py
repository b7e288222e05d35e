"""Shared by all tests: which versions ran, which tree is tested, and no settings of the caller's."""

import os
import signal
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

# A job in the background inherits an ignored SIGINT, and so would every process that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup likewise

# Processes that tests start import the tree that these tests belong to, whichever one is installed.
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])


def pytest_report_header() -> str:
    packages = ("ms-swift", "torch", "transformers", "peft", "huggingface_hub")
    return ", ".join(f"{package} {version(package)}" for package in packages)


@pytest.fixture(autouse=True)
def _same_signals():
    """A command that ends leaves the process's signals to end it; in a test the process goes on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A caller's own settings must not decide a test, nor what the one before it said to its process."""
    for name in ("TOOLKIT_MODEL", "TOOLKIT_DATA", "HF_ENDPOINT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    language = os.environ.get("TOOLKIT_LANG")
    yield
    os.environ.pop("TOOLKIT_LANG", None)  # which --lang sets
    if language is not None:
        os.environ["TOOLKIT_LANG"] = language


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: everything that can run there should have run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter is not None else 0
    if skipped and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{skipped} skipped in CI, where everything should run", red=True)
