"""Processes that this one starts: how many there are, and what is heard of them."""

import sys
from typing import Any

import pytest

from toolkit.core import environment
from toolkit.core.errors import ConfigError, ModelError
from toolkit.model.cards import processes
from toolkit.model.cards.processes import Place, Processes, places
from toolkit.model.cards.worker import DONE, FAILED, Starter

THIS = sys.modules[__name__].__name__


@pytest.fixture(name="cards")
def _cards(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets how many cards this machine has."""
    environment.forget_launcher()
    return lambda count: monkeypatch.setattr(processes, "card_count", lambda: count)


@pytest.mark.parametrize(
    ("asked", "there", "expected"),
    [("1", 4, 0), ("2", 4, 2), ("all", 4, 4), ("all", 1, 0), ("all", 0, 0), ("2", 0, 2)],
)
def test_there_is_a_process_a_card_or_as_many_as_asked_where_there_are_none(
    cards: Any, asked: str, there: int, expected: int
):
    cards(there)

    assert [one.rank for one in places(asked)] == list(range(expected))


def test_more_cards_than_there_are_is_an_error(cards: Any):
    cards(2)

    with pytest.raises(ConfigError, match=r"--cards 3: this machine has 2\. Use --cards 2"):
        places("3")


def test_a_process_has_nothing_to_do_with_torchrun(cards: Any, monkeypatch: pytest.MonkeyPatch):
    cards(4)
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)

    assert places("1") == []
    with pytest.raises(ConfigError, match="under torchrun"):
        places("2")


def echoes(starter: Starter, rank: str, word: str) -> None:
    """What a process of these tests does."""
    message = starter.message()
    if message == "end":
        sys.exit(3)
    if message == "raise":
        raise ModelError("It is wrong.")
    starter.say(DONE, (rank, word, message))


@pytest.mark.parametrize("message", ["hello", "end", "raise"])
def test_a_process_answers_and_its_fault_is_heard(message: str):
    with Processes(f"{__name__}:echoes", ModelError) as found:
        found.start([Place(rank=1, size=2, card=1)], "word")
        [one] = found.all
        one.tell(message)

        kind, content = one.message()

        assert (kind, content) == (DONE, ("1", "word", "hello")) if message == "hello" else kind == FAILED
        assert message != "raise" or str(content) == "It is wrong."
    assert one.process.poll() is not None
