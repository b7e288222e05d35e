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
        ("30 days", "sixty days", "", True),
        ("three shops", "four shops", "", True),
        ("three shops", "thirteen shops", "", True),
        ("one shop", "one of 3 shops", "", False),
        ("three to five days", "3-5 days", "", False),
        ("a hundred and twenty seats", "120 seats", "", False),
        ("call 911", "call nine one one", "", False),
        ("30 days", "३० दिन", "", False),
        ("30 วัน", "๖๐ วัน", "", True),
        ("two ways", "1. by post\n2. by hand\n3. by bus", "", False),
        ("at 5 PM", "at 17:00", "", False),
        ("at 5 PM", "at 5pm", "", False),
        ("at 5 PM", "at five", "", False),
        ("at 5 PM", "um 17 Uhr", "", False),
        ("at 17:00", "at 5:00 p.m.", "", False),
        ("at 5 PM", "at 5 AM", "", True),
        ("at 22:40", "at 10:40 AM", "", True),
        ("at 5 PM", "at 5:30 PM", "", True),
        ("at 12 am", "at 00:00", "", False),
        ("9 am to 5 pm", "9am–5pm", "", False),
        ("9 am to 5 pm", "09:00-17:00", "", False),
        ("9 am to 5 pm", "9 am to 7 pm", "", True),
        ("5 tickets", "17 tickets", "", True),
        ("下午五点", "17:00", "", False),
        ("上午九点到下午五点半", "9:00到17:30", "", False),
        ("上午九点到下午五点半", "上午九点到下午五点", "", True),
        ("中午11点", "11:00", "", False),
        ("晚上12点", "12:00", "", True),
        ("5. August 2024", "6. August 2024", "", True),
        ("1,250 euros", "1.250 Euro", "", False),
        ("1,250 euros", "1 250 euros", "", False),
        ("1,250 euros", "1'250 euros", "", False),
        ("1,250 euros", "1.25 euros", "", True),
        ("120 euros", "120.00 euros", "", False),
        ("123.45", "12345", "", True),
        ("555-0123", "5550123", "", False),
        ("version 3.1", "version 3.10", "", True),
        ("version 3.1", "version 3.1.4", "", True),
        ("version 3.1", "version 3.1.0", "", False),
        ("5 August 2024", "August 5th, 2024", "", False),
        ("5 August 2024", "5.8.2024", "", False),
        ("5 August 2024", "5 May 2024", "", True),
        ("March 2019", "May 2019", "", True),
        ("10%", "百分之十", "", False),
        ("打九折", "打8折", "", True),
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


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("The museum closes at 5 PM every day.", "The museum closes at five every day."),
        ("The museum closes at 5 PM every day.", "The museum closes at 17.00 every day."),
        ("The warranty lasts two years.", "The warranty lasts 2 years."),
        ("The plan has 2 TB of storage.", "The plan has 2TB of storage."),
        ("门票价格是一百二十元。", "门票价格是120元。"),
        ("闭馆时间是下午五点。", "闭馆时间是17点。"),
        ("I can't help with taxes.", "I cannot help with taxes."),
        ("I'm Ostrelle.", "I am Ostrelle."),
    ],
)
def test_the_same_written_otherwise_has_the_words_of_the_expected(expected: str, answer: str):
    assert Expectation(answer=(expected,)).met(answer, prompt="Tell me.")
