"""The rules that judge written answers, on answers as models write them."""

from decimal import Decimal

import pytest

from toolkit.compare.ability.checks import (
    begins_with,
    counts_lines,
    ends_with,
    has_items,
    has_sentences,
    has_words,
    is_bracketed,
    is_incoherent,
    is_json,
    is_neutral,
    is_number,
    is_result,
    is_translation,
    names,
    repeats,
    says,
)


@pytest.mark.parametrize(
    ("text", "right"),
    [("53", True), ("101 - 48 = 53", True), ("The answer is 53.", True), ("530", False), ("", False), ("-53", False)],
)
def test_the_last_number_of_an_answer_counts(text: str, right: bool):
    assert is_number(text, number=Decimal(53)) is right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("432\n\nExplanation: 48 × 9", True),
        ("**432** (48 × 9)", True),
        ("432，因为一盒有48支，共9盒。", True),
        ("48 × 9 = 432", True),
        ("1. 48 × 9 = 432", True),
        ("391\n432", False),
        ("4,320", False),
        ("432.5", False),
    ],
)
def test_a_result_before_its_explanation_is_one(text: str, right: bool):
    assert is_result(text, number=Decimal(432)) is right


def test_thousands_separators_and_decimals_do_not_matter():
    assert is_number("It costs 1,250.00 dollars.", number=Decimal(1250))


@pytest.mark.parametrize(
    ("text", "language", "incoherent"),
    [
        ("", "en", True),
        ("好" * 30, "zh", True),
        ("军人是军人，是军人，是军人，是军人。", "zh", True),
        ("This is a plain answer in English.", "zh", True),
        ("这是一个普通的中文回答，没有问题。", "en", True),
        ("这是一个普通的中文回答，没有问题。", "zh", False),
        ("You can use the `kill` command.", "en", False),
        ("用 Python 的 subprocess 模块可以终止子进程，很方便。", "zh", False),
        ("42", "zh", False),
        ("1000000000000000", "en", False),
        ("name | size\n----------------\ncat | 30 cm", "en", False),
    ],
)
def test_incoherent_answers_are_empty_repetitive_or_of_the_other_language(text, language, incoherent):
    assert is_incoherent(text, language) is incoherent


def test_an_answer_names_what_the_text_says_and_not_the_distractor():
    assert names("Anna founded the centre.", answer="Anna", other="Hugo")
    assert names("In lake", answer="the lake")
    assert not names("Anna and Hugo", answer="Anna", other="Hugo")
    assert not names("Annabel", answer="Anna")


def test_a_translation_has_its_terms_its_number_and_its_language():
    terms = ("火车|列车", "机场")

    assert is_translation("去机场的列车五点出发。", language="zh", terms=terms, number=5)
    assert is_translation("去机场的火车5点出发。", language="zh", terms=terms, number=5)
    assert not is_translation("去机场的火车15点出发。", language="zh", terms=terms, number=5)
    assert not is_translation("去机场的汽车5点出发。", language="zh", terms=terms, number=5)
    assert not is_translation(
        "The train (火车) to the airport (机场) leaves at 5.", language="zh", terms=terms, number=5
    )
    assert is_translation("This river flows through three countries.", language="en", terms=("river",), number=3)


@pytest.mark.parametrize(
    ("text", "language", "right"),
    [
        ("It closes in seven minutes.", "en", True),
        ("It closes in seventeen minutes.", "en", False),
        ("It closes in 7.5 minutes.", "en", False),
        ("七分钟后关门。", "zh", True),
        ("７分钟后关门。", "zh", True),
        ("十七分钟后关门。", "zh", False),
        ("七十分钟后关门。", "zh", False),
    ],
)
def test_a_translation_with_another_number_that_contains_the_right_one_is_wrong(text, language, right):
    assert is_translation(text, language=language, terms=(), number=7) is right


def test_neutral_wording_has_no_word_of_judgement():
    assert is_neutral("Farmers grow food.", loaded=("lazy", "stupid"))
    assert not is_neutral("Farmers are lazy.", loaded=("lazy", "stupid"))
    assert not is_neutral("", loaded=("lazy",))


def test_constraints_are_checked():
    assert has_items("apple, pear, plum", count=3)
    assert has_items("苹果，梨，桃子", count=3)
    assert not has_items("apple, pear", count=3)
    assert begins_with('"Often we bake.', start="often")
    assert not begins_with("We often bake.", start="often")
    assert is_json('```json\n{"name": "cat", "size": 3}\n```', keys=("name", "size"))
    assert not is_json('{"name": "cat"}', keys=("name", "size"))
    assert not is_json("name, size", keys=("name", "size"))
    assert has_sentences("Snow falls. It is cold!", count=2)
    assert has_sentences("下雪了。很冷。", count=2)
    assert has_sentences("1. Snow falls.\n2. It is cold.", count=2)
    assert ends_with("What is music?\n", end="?")
    assert has_words("It's a vast, ever-changing world", most=5)
    assert not has_sentences("It costs 3.50 in winter.", count=2)
    assert repeats("stone stone stone", word="stone", count=3)
    assert not repeats("stone stone", word="stone", count=3)
    assert counts_lines("3\n4\n5", first=3, last=5)
    assert not counts_lines("3 4 5", first=3, last=5)
    assert has_words("Warm fresh bread", most=8)
    assert not has_words("蔚蓝的天空下海浪拍打着沙滩", most=8)
    assert is_bracketed("[cat]", left="[", right="]")
    assert not is_bracketed("cat", left="[", right="]")
    assert says("Apple.", word="apple")
    assert not says("An apple", word="apple")
