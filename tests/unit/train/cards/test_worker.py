"""One of several processes: what all devices have in common, and errors that reach another process."""

import pickle

import pytest

from toolkit.core.errors import ConfigError, ToolkitError
from toolkit.model.device import Device
from toolkit.train.cards.worker import alike, portable


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


class UnsendableError(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def received(error: Exception) -> BaseException:
    with pytest.raises(type(error)) as caught:
        _raise(error)
    return pickle.loads(pickle.dumps(portable(caught.value)))


def _raise(error: Exception) -> None:
    raise error


def test_an_error_arrives_with_its_class_its_advice_and_its_traceback():
    found = received(ConfigError("It is wrong.", next="Correct it."))

    assert type(found) is ConfigError
    assert (str(found), found.what, found.next) == ("It is wrong. Correct it.", "It is wrong.", "Correct it.")
    assert "raise error" in str(found.__cause__)


def test_an_error_that_cannot_be_sent_arrives_as_its_text():
    found = received(UnsendableError("out", "of order"))

    assert not isinstance(found, ToolkitError)
    with pytest.raises(RuntimeError, match="UnsendableError: out of order"):
        raise found
