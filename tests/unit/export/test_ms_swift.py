"""The command line that ms-swift's export gets, and what a machine lacks for a method."""

from pathlib import Path

import pytest

from toolkit.export.ms_swift import REQUIREMENTS, QuantisationJob, arguments, missing_requirements


def options(**job: object) -> dict[str, str]:
    words = arguments(QuantisationJob(model=Path("merged"), target=Path("out"), **job))
    return dict(zip(words[::2], words[1::2], strict=True))


def test_the_model_type_is_given_because_ms_swift_cannot_derive_it():
    given = options(method="fp8", bits=None)

    assert (given["--model"], given["--output_dir"]) == ("merged", "out")
    assert (given["--model_type"], given["--template"]) == ("qwen2", "qwen2_5")
    assert "--quant_bits" not in given


def test_a_method_of_several_sizes_gets_its_bits():
    given = options(method="bnb", bits=4)

    assert (given["--quant_method"], given["--quant_bits"]) == ("bnb", "4")


@pytest.mark.parametrize("capability", [None, (8, 0), (9, 0)])
def test_a_card_that_is_too_old_is_as_good_as_none(monkeypatch, capability):
    import importlib.util

    import torch

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)

    missing = {
        None: ("an NVIDIA card of compute capability 8.9 or more (there is none)",),
        (8, 0): ("an NVIDIA card of compute capability 8.9 or more (this one has 8.0)",),
        (9, 0): (),
    }
    assert missing_requirements("fp8") == missing[capability]


def test_a_missing_package_is_named_as_it_is_installed(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert missing_requirements("bnb") == ("the package bitsandbytes",)
    assert missing_requirements("fp8")[0] == "the package kernels"


def test_bitsandbytes_needs_no_card():
    assert [name for name, needed in REQUIREMENTS.items() if needed.capability is None] == ["bnb"]
