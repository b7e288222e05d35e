"""The precision that auto means, with its reason, and the cap of a card's memory; the card is a fake."""

from typing import Any

import pytest
import torch

from toolkit.core.errors import ConfigError
from toolkit.model.decoding.answer_memory import free_bytes
from toolkit.model.device import find_device

GIB = 2**30


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOOLKIT_PRECISION", raising=False)
    monkeypatch.delenv("TOOLKIT_GPU_MEMORY_GIB", raising=False)


@pytest.fixture(name="card")
def _card(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Of 24 GiB, of which 20 are free, 3 are reserved here and 1 is used; what it computes in is the test's."""
    card: dict[str, Any] = {"bfloat16": True}
    fakes = {
        "is_available": lambda: True, "mem_get_info": lambda *_: (20 * GIB, 24 * GIB),
        "get_device_name": lambda: "A card", "is_bf16_supported": lambda **_: card["bfloat16"],
        "set_per_process_memory_fraction": lambda share: card.update(share=share),
        "memory_reserved": lambda _: 3 * GIB, "memory_allocated": lambda _: GIB,
    }  # fmt: skip
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", lambda _: None)
    return card


@pytest.mark.parametrize("computes", [True, False])
def test_a_card_without_bfloat16_computes_in_float16_and_says_that_it_is_untried(card, computes):
    card["bfloat16"] = computes

    found = find_device()

    assert found.precision == ("bfloat16" if computes else "float16")
    assert ("not on a card such as this" in found.reason) is not computes
    assert ("TOOLKIT_PRECISION=float32" in found.reason) is not computes


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float32"])
def test_bfloat16_can_be_switched_off_for_everything_that_is_left_to_auto(card, monkeypatch, precision):
    monkeypatch.setenv("TOOLKIT_PRECISION", precision)

    assert (find_device().precision, find_device().reason) == (precision, "as TOOLKIT_PRECISION says")
    assert find_device("float32").precision == "float32"  # a recipe's own
    assert find_device("float32").reason == "as asked"


def test_without_a_card_auto_is_float32_unless_it_is_switched(monkeypatch):
    assert find_device().precision == "float32"
    monkeypatch.setenv("TOOLKIT_PRECISION", "float16")
    assert find_device().precision == "float16"


def test_another_precision_is_refused(monkeypatch):
    monkeypatch.setenv("TOOLKIT_PRECISION", "fp16")

    with pytest.raises(ConfigError, match=r"TOOLKIT_PRECISION is 'fp16'.*bfloat16, float16, float32"):
        find_device()


def test_a_cap_holds_for_training_and_for_answers(card, monkeypatch):
    assert (find_device().free_bytes, free_bytes(None)) == (20 * GIB, 22 * GIB)

    monkeypatch.setenv("TOOLKIT_GPU_MEMORY_GIB", "7.5")

    assert (find_device().free_bytes, find_device().memory_bytes) == (7.5 * GIB, 7.5 * GIB)
    assert card["share"] == 7.5 / 24
    assert free_bytes(None) == 6.5 * GIB  # 4.5 that may yet be reserved, and 2 that are and are not used


@pytest.mark.parametrize("cap", ["", "much", "0", "-1", "nan", "inf"])
def test_a_cap_that_is_no_size_is_refused(card, monkeypatch, cap):
    monkeypatch.setenv("TOOLKIT_GPU_MEMORY_GIB", cap)

    with pytest.raises(ConfigError, match="TOOLKIT_GPU_MEMORY_GIB is"):
        find_device()
