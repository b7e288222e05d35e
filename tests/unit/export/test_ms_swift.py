"""What ms-swift's export is told, and what a machine lacks for it."""

from pathlib import Path

import pytest

from toolkit.export.ms_swift import NEEDS, QuantisingJob, arguments, lacking


def words(**job: object) -> dict[str, str]:
    given = arguments(QuantisingJob(model=Path("merged"), target=Path("out"), **job))
    return dict(zip(given[::2], given[1::2], strict=True))


def test_the_model_is_named_with_its_type_which_ms_swift_cannot_tell():
    told = words(method="fp8", bits=None)

    assert (told["--model"], told["--output_dir"]) == ("merged", "out")
    assert (told["--model_type"], told["--template"]) == ("qwen2", "qwen2_5")
    assert "--quant_bits" not in told
    assert "--dataset" not in told


def test_methods_that_watch_the_model_get_the_runs_own_rows():
    told = words(method="awq", bits=4, calibration=Path("train.jsonl"))

    assert (told["--quant_method"], told["--quant_bits"], told["--dataset"]) == ("awq", "4", "train.jsonl")


@pytest.mark.parametrize("capability", [None, (8, 0), (9, 0)])
def test_a_card_that_is_too_old_is_as_good_as_none(monkeypatch, capability):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)

    gaps = {
        None: ("an NVIDIA card of compute capability 8.9 or more (there is none)",),
        (8, 0): ("an NVIDIA card of compute capability 8.9 or more (this one has 8.0)",),
        (9, 0): (),
    }
    assert lacking("fp8") == gaps[capability]


def test_a_package_that_is_missing_is_named_as_it_is_installed(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert lacking("bnb") == ("the package bitsandbytes",)
    assert lacking("gptq")[:2] == ("the package optimum", "the package gptqmodel")


def test_only_bitsandbytes_needs_no_card():
    assert [name for name, needs in NEEDS.items() if needs.card is None] == ["bnb"]
