"""One of several processes that train: what all devices have in common."""

from toolkit.model.device import Device
from toolkit.train.cards.worker import alike


def card(free: int, precision: str = "bfloat16", name: str = "Card") -> Device:
    return Device(kind="cuda", name=name, precision=precision, reason="auto", memory_bytes=100, free_bytes=free)


def test_all_count_as_the_fullest_card():
    found = alike([card(90), card(40), card(70)])

    assert (found.free_bytes, found.cards, found.name) == (40, 3, "Card")


def test_a_card_that_cannot_compute_in_bfloat16_decides_for_all():
    assert alike([card(9), card(9, "float32", "Old card")]).precision == "float32"
    assert alike([card(9), card(9, "float16", "Old card")]).precision == "float16"
    assert alike([card(9, "float32", "Older card"), card(9, "float16", "Old card")]).precision == "float32"
    assert alike([card(9), card(9, "float32", "Old card")]).name == "Card and Old card"
