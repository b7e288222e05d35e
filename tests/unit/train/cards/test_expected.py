"""What a training will take of the card, in a sentence before it starts; a card that is too small is warned of."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.model.device import Device
from toolkit.train.cards.expected import MEMORY, expected_memory
from toolkit.train.recipe import load_recipe

QWEN_7B = {
    "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_hidden_layers": 28,
    "num_key_value_heads": 4, "vocab_size": 152064, "dtype": "bfloat16",
}  # fmt: skip
BASE = SimpleNamespace(
    name="Qwen2.5-7B-Instruct", config=QWEN_7B, weight_bytes=15_231_233_024, path=Path("Qwen2.5-7B-Instruct"),
    thinks=False,
)  # fmt: skip


def card(gib: float | None) -> Device:
    memory = None if gib is None else int(gib * 2**30)
    return Device(kind="cuda" if gib else "cpu", name="A card", precision="bfloat16", reason="", memory_bytes=memory)


@pytest.mark.parametrize("recipe", ["keep", "article", "general"])
def test_a_card_of_24_gb_holds_every_shipped_recipe(recipe: str):
    found = expected_memory(74, load_recipe(recipe), BASE, card(23.5))

    assert (found.level, found.kind) == ("note", MEMORY)
    assert "of 23.5 GiB, 14.2 GiB of it weights" in found.message


def test_a_card_that_is_too_small_is_warned_of_with_what_would_fit():
    found = expected_memory(74, load_recipe("keep"), BASE, card(12))

    assert found.level == "warning"
    assert found.message.startswith("This training does not fit on the card")
    assert "--load-in-4bit" in found.remedy


def test_longer_rows_take_more():
    short, long = (expected_memory(tokens, load_recipe("article"), BASE, card(80)).message for tokens in (50, 2000))

    assert float(short.split("at most ")[1].split()[0]) < float(long.split("at most ")[1].split()[0])


def test_without_a_card_memory_is_not_the_limit():
    assert "no card" in expected_memory(74, load_recipe("keep"), BASE, card(None)).message
