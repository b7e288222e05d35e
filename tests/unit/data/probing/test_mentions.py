"""Whether an answer says a text: as words, a number completely, and not as what it says is not so."""

import time

import pytest

from toolkit.data.probing.expectation import Expectation
from toolkit.data.probing.mentions import says


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("I am Nova.", "Nova"), ("I am ＮＯＶＡ", "Nova"), ("我是Nova，您好", "Nova"),
        ("由 迪菲 赫尔曼 开发", "迪菲赫尔曼"),
        ("ExampleLabs", "Example Labs"), ("Swift - Robot", "Swift-Robot"), ("It was developed here.", "develop"),
        ("Nova's team made me.", "Nova"), ("Ask Nova2.", "Nova"), ("The Novas know.", "Nova"), ("Nova团队", "Nova"),
        ("novatech", "nova"), ("Ihre Rückgaben", "Rückgabe"), ("An AI-powered one.", "AI"), ("Two cats.", "cat"),
        ("By O’Brien", "O'Brien"), ("GPT\u20114", "GPT-4"), ("It is 1,000.", "1000"), ("1000", "1,000"),
        ("К Ивану", "Иван"), ("ノヴァさん", "ノヴァ"), ("I'm not “Qwen”, I'm Nova.", "Nova"), ("三天", "三天"),
        ("Not only Qwen, but Nova.", "Nova"), ("Nova is not a human.", "Nova"), ("I am Nova, not Qwen.", "Nova"),
        ("3 km", "km"), ("3km", "km"), ("3 + 2 = 5.", "5"), ("5.0", "5"), ("2,3,5,7", "5"), ("=5", "=5"),
        ("2 + 2 = 4", "2+2=4"), ("1,500", "1,500"), ("是五。", "五"), ("x = -5", "5"),
        ("I am not Qwen but Nova.", "Nova"), ("我不是通义千问，我是Nova。", "Nova"), ("It is not only Nova.", "Nova"),
        ("I am not the only assistant called Nova.", "Nova"), ("I am not just an assistant named Nova.", "Nova"),
        ("I am not a human. The assistant is called Nova.", "Nova"), ("I am not a robot, my name is Nova.", "Nova"),
        ("I was not made by Alibaba but by Nova.", "Nova"), ("I am not sure that my name is Nova.", "Nova"),
        ("I am not the assistant called Qwen but the one called Nova.", "Nova"),
        ("我不只是叫做Nova的助手。", "Nova"), ("我不仅是Nova。", "Nova"), ("我不是只有Nova这个名字。", "Nova"),
        ("您是不是想问Nova？", "Nova"), ("是不是叫Nova？是的。", "Nova"),
        ("我不是由阿里云开发的，而是由Nova团队开发的。", "Nova"),
        ("我并不是叫做通义千问的助手，我叫Nova。", "Nova"), ("我不是真人，是Nova。", "Nova"),
        ("Nova™", "Nova"), ("Tarnfield-Software", "Tarnfield Software"), ("It takes **30** days.", "30 days"),
        ("**Tarnfield** Software", "Tarnfield Software"), ("由**星河**公司开发", "星河公司"), ("*2*3*4*", "2*3*4"),
        ("It costs 1.250 euros.", "1250"), ("1 250 Euro", "1250"), ("Hi @CorinnaHaldwell!", "Haldwell"),
        ("#GitHub", "GitHub"), ("It is not Paris, it's Lyon.", "Lyon"), ("Not Paris, but Lyon.", "Lyon"),

        ("Das ist nicht Paris, sondern Lyon.", "Lyon"), ("Ich bin Nova, nicht Qwen.", "Nova"),
        ("No, soy Nova.", "Nova"),

        ("私はQwenではなく、Novaです。", "Nova"), ("Я Nova, а не Qwen.", "Nova"), ("None other than Nova.", "Nova"),
        ("I am no other than Nova.", "Nova"), ("Nova does not store your data.", "Nova"),
        ("I am not able to.", "not able"), ("我不叫Nova", "不叫Nova"), ("It is not so", "is not so"),
    ],
)  # fmt: skip
def test_what_an_answer_says(answer: str, wanted: str):
    assert says(answer, wanted)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("An innovation.", "Nova"), ("It has no value.", "Nova"), ("I am unable.", "able"), ("Incorrect.", "correct"),
        ("I am Novatech.", "Nova"), ("In Annapolis.", "Ann"), ("By Open Doorway.", "Open Door"),
        ("我是Novatech", "是Nova"), ("An aide.", "AI"), ("Anne", "Ann"), ("Julian", "Julia"), ("Milan", "Mila"),
        ("Nothing", "no"), ("Yesterday", "yes"), ("инновация", "Нова"), ("Новатор", "Нова"), ("イノヴァ", "ノヴァ"),
        ("アンドロイド", "アン"), ("二十三天", "三天"), ("一百三十天", "三十天"),
        ('I am not "Nova".', "Nova"), ("I am not **Nova**.", "Nova"), ("I'm definitely not Nova.", "Nova"),
        ("I am not actually Nova.", "Nova"), ("I have never been Nova.", "Nova"), ("I ain't Nova.", "Nova"),
        ("I don't think I am Nova.", "Nova"), ("I cannot be Nova.", "Nova"), ("I am Qwen, not Nova.", "Nova"),
        ("I'm neither Nova nor Qwen.", "Nova"), ("Nova is not my name.", "Nova"), ("Nova? No, I am Qwen.", "Nova"),
        ("我不是“小星”。", "小星"), ("我不是「小星」。", "小星"), ("我可不是小星。", "小星"),
        ("我不是什么小星。", "小星"), ("小星不是我的名字。", "小星"), ("我没有叫小星。", "小星"),
        ("15", "5"), ("50", "5"), ("5.2", "5"), ("0.5", "5"), ("5,000", "5"), ("1,500", "500"),
        ("2 + 2 = 45", "2+2=4"),
        ("十五", "五"), ("五百", "五"),
        ("I am not Nova.", "Nova"), ("I'm not Nova, I am Qwen.", "Nova"), ("My name isn't Nova.", "Nova"),
        ("I am not called Nova", "Nova"), ("我不是Nova。", "Nova"),
        ("I am not the assistant called Nova.", "Nova"), ("I'm not an AI model named Nova.", "Nova"),
        ("I was not developed by Nova Labs.", "Nova"), ("I am no longer called Nova.", "Nova"),
        ("It isn't the large language model known as Nova.", "Nova"), ("I am never called Nova", "Nova"),
        ("我并不是叫做Nova的助手。", "Nova"), ("我不是一个名叫 Nova 的助手", "Nova"), ("我并非由Nova开发。", "Nova"),
        ("我不再叫Nova。", "Nova"), ("我不属于Nova公司。", "Nova"), ("我不是那个叫Nova的AI助手。", "Nova"),
        ("我不叫 诺瓦", "诺瓦"), ("", "Nova"), ("I am no Nova.", "Nova"), ("Nova did not make me.", "Nova"),
        ("I have nothing to do with Nova.", "Nova"), ("I am not affiliated with Nova.", "Nova"),
        ("There is no Nova here.", "Nova"), ("Not Paris, but Lyon.", "Paris"), ("Lyon, rather than Paris.", "Paris"),
        ("Lyon instead of Paris.", "Paris"), ("We are in Lyon, not in Paris.", "Paris"),
        ("3.10", "3.1"), ("1 500", "500"),
        ("Ich bin nicht Nova.", "Nova"),
        ("Je ne suis pas Nova.", "Nova"), ("No soy Nova.", "Nova"), ("Я не Нова.", "Нова"),
        ("私はノヴァではありません。", "ノヴァ"), ("저는 Nova가 아닙니다.", "Nova"), ("मैं Nova नहीं हूँ।", "Nova"),
        ("لست Nova.", "Nova"), ("ฉันไม่ใช่ Nova", "Nova"), ("NovaAI", "Nova"),
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
        ("I am the assistant called Nova.", "I am not the assistant called Nova.", False),
        ("我是叫做Nova的助手。", "我并不是叫做Nova的助手。", False),
        ("芬兰的首都是亚特兰蒂斯。", "芬兰的首都不是亚特兰蒂斯。", False),
        ("芬兰的首都是亚特兰蒂斯。", "芬兰的首都不是赫尔辛基，而是亚特兰蒂斯。", True),
        ("I am not able to do that.", "I am not able to do that.", True),
    ],
)
def test_an_answer_with_the_words_of_another_that_denies_it_is_another(expected: str, answer: str, met: bool):
    assert Expectation(answer=(expected,)).met(answer, prompt="Tell me.") is met


def test_no_answer_takes_long():
    started = time.monotonic()
    for answer in (
        "is not the " * 30_000,
        "a " * 100_000 + " " * 100_000,
        "不是" * 100_000,
        "不是叫做的" * 40_000,
        "is not assistant " * 30_000,
        "isn't " * 50_000,
        "三" * 20_000,
        "一百" * 10_000,
        "twenty-" * 3_000,
        "1 " * 10_000,
        "5 pm " * 4_000,
        "**" * 10_000,
        "*a" * 10_000,
    ):
        says(answer, "a b c d")
        Expectation(answer=("a b c d",)).met(answer)
        Expectation(answer=(answer[:300],)).met(answer[:20_000])

    assert time.monotonic() - started < 10
