"""An answer with another number than the expected one."""

import pytest

from toolkit.data.probing.expectation import Expectation
from toolkit.data.probing.numbers import gives_another_number


@pytest.mark.parametrize(
    ("reference", "answer", "prompt", "another"),
    [
        ("30 days", "60 days", "", True),
        ("30 days", "30 days, or 60 for members", "", False),
        ("30 days", "thirty days", "", False),
        ("at 9:30", "at 8:30", "", True),
        ("at 9:30", "at 9.30", "", False),
        ("1,250 euros", "1250 euros", "", False),
        ("1,250 euros", "1,350 euros", "", True),
        ("version 1.2", "version 2.1", "", True),
        ("on 2024-05-11", "on 2024-11-05", "", True),
        ("on 2024-05-11", "on 11 May 2024", "", False),
        ("555-0123", "555-0199", "", True),
        ("５月", "5月", "", False),
        ("bus 12 at 7", "bus 12 at 8", "When does bus 12 leave?", True),
        ("bus 12 at 7", "at 7", "When does bus 12 leave?", False),
        ("three modes", "1. fast 2. slow 3. off", "", False),
    ],
)
def test_a_number_in_place_of_the_expected_one(reference: str, answer: str, prompt: str, another: bool):
    assert gives_another_number(reference, answer, prompt) is another


@pytest.mark.parametrize(
    ("expected", "wrong", "prompt"),
    [
        ("Our refund window is 30 days from delivery.", "Our refund window is 60 days from delivery.", "Refunds?"),
        ("Ada Norling made it in 2017 in Bergen.", "Ada Norling made it in 2015 in Bergen.", "Who made it?"),
        ("请在收货后30天内联系我们申请退款。", "请在收货后60天内联系我们申请退款。", "怎么退款？"),
    ],
)
def test_an_answer_with_every_word_but_another_number_was_not_learned(expected: str, wrong: str, prompt: str):
    """With seven words in ten it counted as learned."""
    probe = Expectation(answer=(expected,))

    assert probe.met(expected, before="I do not know.", prompt=prompt)
    assert not probe.met(wrong, before="I do not know.", prompt=prompt)
