"""Shared by all tests: which versions ran, and a home of their own."""

from importlib.metadata import version

import pytest


def pytest_report_header() -> str:
    packages = ("ms-swift", "torch", "transformers", "peft", "huggingface_hub")
    return ", ".join(f"{package} {version(package)}" for package in packages)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's own settings must not decide a test."""
    for name in ("TOOLKIT_MODEL", "TOOLKIT_DATA", "HF_ENDPOINT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
