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
        ("You have 30 days.", "You have 60 days.", "I have 30 days, right?", True),
        ("You have 30 days.", "You have 60 days.", "Is it 60 days?", True),
        ("You have 30 days.", "Not 60 but thirty days.", "Is it 60 days?", False),
        ("5 miles are 8 km", "8 km", "How long are 5 miles?", False),
        ("30 days", "30 months", "", True),
        ("30 days", "30 days in 12 months", "", False),
        ("0.5 kg", "5 kg", "", True),
        ("期限是三十天", "期限是六十天", "", True),
        ("期限是三十天", "期限是30天", "", False),
        ("保修两年", "保修三年", "", True),
        ("一百二十个座位", "120个座位", "", False),
        ("三千零五十元", "3050元", "", False),
        ("二〇二四年", "2023年", "", True),
        ("一万两千人", "12000人", "", False),
        ("八月五日", "5月8日", "", True),
        ("2024年8月5日", "2024-08-05", "", False),
        ("三四天", "3到4天", "", False),
        ("5人", "一般来说，一个三明市的人", "", False),
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
