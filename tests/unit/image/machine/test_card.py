"""The card and the driver, as what nvidia-smi prints is judged. No card."""

import pytest

from image.core.project import GIB, find_lock
from image.machine.card import Card, check_card, check_driver, find_card

SEVEN_B = find_lock("qwen2.5-7b-instruct")


def told(text: str | None):
    return lambda _: text


def test_the_card_with_the_most_free_memory_counts() -> None:
    card = find_card(told("NVIDIA A10, 580.65.06, 1024, 23028\nNVIDIA L4, 580.65.06, 22000, 23034\n"))
    assert card == Card(name="NVIDIA L4", driver="580.65.06", free_bytes=22000 * 1024**2, total_bytes=23034 * 1024**2)


@pytest.mark.parametrize("text", [None, "", "No devices were found\n", "NVIDIA A10, 580, [N/A], [N/A]\n"])
def test_a_driver_that_tells_nothing_is_no_card(text: str | None) -> None:
    assert find_card(told(text)) is None


def test_a_card_of_24_gb_will_do_and_one_of_16_will_not() -> None:
    assert check_card(Card(name="c", driver="580", free_bytes=23 * GIB, total_bytes=24 * GIB), SEVEN_B).state == "ok"
    small = check_card(Card(name="c", driver="580", free_bytes=15 * GIB, total_bytes=16 * GIB), SEVEN_B)
    assert small.state == "bad"
    assert "Training needs up to 23 GiB" in small.why


def test_without_a_card_only_a_small_model_runs() -> None:
    assert check_card(None, SEVEN_B).state == "bad"
    assert check_card(None, find_lock("tiny-qwen2")).state == "note"


@pytest.mark.parametrize(("driver", "state"), [("580.65.06", "ok"), ("590.1", "ok"), ("570.133.20", "bad")])
def test_the_driver_must_know_the_cuda_of_torch(driver: str, state: str) -> None:
    finding = check_driver(Card(name="c", driver=driver, free_bytes=GIB, total_bytes=GIB), "13")
    assert finding.state == state
    assert "CUDA 13 needs 580 or newer" in finding.what
