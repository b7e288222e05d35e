"""The command line that ms-swift's export gets, and what a machine lacks for a method."""

from pathlib import Path

import pytest

from tests.fakes.model_folder import make_model_folder
from toolkit.export.ms_swift import QuantisationJob, arguments, missing_requirements


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Path:
    return make_model_folder(tmp_path / "merged")


def options(model: Path, **job: object) -> dict[str, str]:
    words = arguments(QuantisationJob(model=model, target=Path("out"), **job))
    return dict(zip(words[::2], words[1::2], strict=True))


def test_the_model_type_is_given_because_ms_swift_cannot_derive_it(model):
    given = options(model, method="bnb", bits=8)

    assert (given["--model"], given["--output_dir"]) == (str(model), "out")
    assert (given["--model_type"], given["--template"]) == ("qwen2", "qwen2_5")


def test_the_method_gets_its_bits(model):
    given = options(model, method="bnb", bits=4)

    assert (given["--quant_method"], given["--quant_bits"]) == ("bnb", "4")


def test_a_missing_package_is_named_as_it_is_installed(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert missing_requirements("bnb") == ("the package bitsandbytes",)
