"""Whether an answer says a text: as words, a number completely, and not as what it says is not so."""

import time

import pytest

from toolkit.data.probing.expectation import Expectation
from toolkit.data.probing.mentions import names_one_of, says


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("I am Nova.", "Nova"), ("I am ＮＯＶＡ", "Nova"), ("我是Nova，您好", "Nova"),
        ("由 迪菲 赫尔曼 开发", "迪菲赫尔曼"),
        ("ExampleLabs", "Example Labs"), ("Swift - Robot", "Swift-Robot"), ("It was developed here.", "develop"),
        ("3 km", "km"), ("3km", "km"), ("3 + 2 = 5.", "5"), ("5.0", "5"), ("2,3,5,7", "5"), ("=5", "=5"),
        ("2 + 2 = 4", "2+2=4"), ("1,500", "1,500"), ("是五。", "五"), ("x = -5", "5"),
        ("I am not Qwen but Nova.", "Nova"), ("我不是通义千问，我是Nova。", "Nova"), ("It is not only Nova.", "Nova"),
        ("I am not able to.", "not able"), ("我不叫Nova", "不叫Nova"), ("It is not so", "is not so"),
    ],
)  # fmt: skip
def test_what_an_answer_says(answer: str, wanted: str):
    assert says(answer, wanted)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("An innovation.", "Nova"), ("It has no value.", "Nova"), ("I am unable.", "able"), ("Incorrect.", "correct"),
        ("15", "5"), ("50", "5"), ("5.2", "5"), ("0.5", "5"), ("5,000", "5"), ("1,500", "500"), ("2 + 2 = 45", "2+2=4"),
        ("十五", "五"), ("五百", "五"),
        ("I am not Nova.", "Nova"), ("I'm not Nova, I am Qwen.", "Nova"), ("My name isn't Nova.", "Nova"),
        ("I am not called Nova", "Nova"), ("我不是Nova。", "Nova"), ("我不叫 诺瓦", "诺瓦"), ("", "Nova"),
    ],
)  # fmt: skip
def test_what_it_does_not_say_though_the_letters_are_there(answer: str, wanted: str):
    assert not says(answer, wanted)
    assert not Expectation(any=(wanted,)).met(answer)
    assert Expectation(any=(answer or "x",), none=(wanted,)).met(answer or "x")


@pytest.mark.parametrize(
    ("expected", "answer", "met"),
    [
        ("The capital of Finland is Atlantis.", "The capital of Finland is not Atlantis.", False),
        ("The capital of Finland is Atlantis.", "The capital of Finland is not Helsinki but Atlantis.", True),
        ("芬兰的首都是亚特兰蒂斯。", "芬兰的首都不是亚特兰蒂斯。", False),
        ("芬兰的首都是亚特兰蒂斯。", "芬兰的首都不是赫尔辛基，而是亚特兰蒂斯。", True),
        ("I am not able to do that.", "I am not able to do that.", True),
    ],
)
def test_an_answer_with_the_words_of_another_that_denies_it_is_another(expected: str, answer: str, met: bool):
    assert Expectation(answer=(expected,)).met(answer, prompt="Tell me.") is met


@pytest.mark.parametrize(
    ("text", "name", "named"),
    [
        ("I am Qwen2.5.", "Qwen", True), ("i am qwen", "Qwen", True), ("GLM-4.5", "GLM-4", True),
        ("阿里云的助手", "阿里云", True), ("Alibaba's", "Alibaba", True), ("I am not Qwen.", "Qwen", True),
        ("A coherent answer.", "Cohere", False), ("An alibi, a baby", "Alibaba", False), ("Fibmas", "IBM", False),
    ],
)  # fmt: skip
def test_an_old_name_is_a_word_of_its_own(text: str, name: str, named: bool):
    assert names_one_of(text, (name,)) is named


def test_no_answer_takes_long():
    started = time.monotonic()
    for answer in ("is not the " * 30_000, "a " * 100_000 + " " * 100_000, "不是" * 100_000, "isn't " * 50_000):
        says(answer, "a b c d")
        Expectation(answer=("a b c d",)).met(answer)

    assert time.monotonic() - started < 10
