"""Text from others on a terminal: one line, and nothing that moves the cursor."""

import unicodedata

import pytest

from image.core.text import SPACES, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("v0\nverdict: passed", r"v0\nverdict: passed"),
        ("50 %\r100 %", r"50 %\r100 %"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u2028b\u0085c", r"a\u2028b\x85c"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("模型，您好\u3000…é", "模型，您好\u3000…é"),
        (ValueError("a\tb"), r"a\tb"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_no_character_of_unicode_controls_anything() -> None:
    shown = printable("".join(map(chr, range(0x110000))))
    assert shown.splitlines() == [shown]
    assert not [each for each in set(shown) if not each.isprintable() and unicodedata.category(each) not in SPACES]


def test_long_text_is_cut() -> None:
    assert printable("x" * 1000, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10
