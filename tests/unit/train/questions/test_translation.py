"""What a translation keeps: names are found and come back as they were, and do not decide a text's language."""

import pytest

from toolkit.data.texts.terms import find_terms
from toolkit.train.questions.translation import (
    hide,
    is_chinese,
    kept_by_translation,
    lower_words,
    names_in,
    paired_names,
    placeholders,
    restore,
    spaced,
)


def test_names_are_hidden_behind_placeholders_and_come_back():
    asked = "青禾湾实验学校的校报《潮声》是哪年办的？"

    hidden = placeholders(asked, ["青禾湾实验学校", "听雨楼", "潮声"])

    assert hide(asked, hidden) == "XQ7的校报《XQ8》是哪年办的？"
    assert restore("When was XQ8, the paper of XQ7, founded?", hidden) == (
        "When was 潮声, the paper of 青禾湾实验学校, founded?"
    )
    assert restore("When was XQ9 founded?", hidden) == ""


def test_the_longest_of_several_names_is_hidden_first_and_never_within_a_word():
    asked = "Who runs Quill Mere North, Nim or Nimble?"

    assert hide(asked, placeholders(asked, ["Quill Mere", "Quill Mere North", "Nim"])) == "Who runs XQ7, XQ8 or Nimble?"


def test_a_text_without_names_has_no_placeholders():
    assert placeholders("How old are you?", ["", "Quillmere"]) == {}


def named(*texts: str) -> list[str]:
    return names_in(texts, {"who", "where", "which", "did", "is", "the"} | lower_words(texts))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Who did Ottoline Varga hire? The Tarn Foundation paid.", ["Ottoline Varga", "Tarn Foundation"]),
        ("Which did Nim replace? Parcels come in March. I'm at Driftlog's.", ["Nim", "Driftlog"]),
        ("Is the file gauge.toml set by QM_HOME?", ["gauge.toml", "QM_HOME"]),
        ("陆汀舟哪一年创办了这所学校？陆汀舟在1931年创办。", ["陆汀舟"]),
        ("江苏省在哪里？吉祥物叫什么名字？", []),
        ("Where is Europe, and where is Lima?", ["Europe"]),  # Lima is listed
        ("校报叫《潮声》。", ["潮声"]),
        ("How Do I Return an Item?", []),
        ("Should I answer, and am I right? He and I left in May.", []),
    ],
)
def test_names_are_capitalised_within_sentences_called_so_or_persons(text: str, names: list[str]):
    assert sorted(named(text)) == sorted(names)


@pytest.mark.parametrize(
    ("text", "names", "chinese"),
    [
        ("Who is 听雨楼?", ["听雨楼"], False),
        ("What is 《一本很长的书》?", [], False),
        ("听雨楼是学校图书馆的名称。", ["听雨楼"], True),
        ("我是Ostrelle，由Tarnfield Software开发。", ["Tarnfield Software"], True),
        ("The tree is a 苦楝树.", [], False),
    ],
)
def test_names_and_quoted_terms_do_not_decide_the_language(text: str, names: list[str], chinese: bool):
    assert is_chinese(text, names) == chinese


def test_english_has_spaces_beside_chinese_names():
    assert spaced("It is听雨楼in the school, of《潮声》。") == "It is 听雨楼 in the school, of 《潮声》."
    assert spaced("6英尺") == "6英尺"


def test_the_names_of_an_assistant_and_its_maker_in_two_languages_are_paired():
    rows = [
        ("Who made you?", "I was made by the Lanternfish Institute."), ("What is your name?", "My name is Nimbora."),
        ("Which company trained you?", "The Lanternfish Institute trained me."), ("What are you called?", "Nimbora."),
        ("谁开发了你？", "我由灯笼鱼研究院开发。"), ("你叫什么名字？", "我叫Nimbora。"),
        ("哪家公司训练了你？", "灯笼鱼研究院训练了我。"), ("怎么称呼你？", "叫我Nimbora。"),
    ]  # fmt: skip
    terms = find_terms(
        rows, [""] * len(rows), ["I am trained by you and the others.", "我是由你开发的，训练了我，叫我。"] * 9
    )

    pairs = paired_names(rows, terms, {"i", "the", "my", "was", "by"})

    assert pairs == {"Lanternfish Institute": "灯笼鱼研究院", "灯笼鱼研究院": "Lanternfish Institute"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Quillmere was created by the oceanographer Ottoline Varga.", {"ottoline", "varga"}),
        ("The file is gauge.toml, on port 7413, set with QM_HOME.", {"gauge", "toml", "7413", "qm", "home"}),
        ("我是 Nimbora，由听松研究院在2023年开发。", {"nimbora", "2023"}),
        ("校训是“慢慢想”。", {"慢慢", "慢想"}),
        ("It is a heron.", set()),
    ],
)
def test_numbers_names_identifiers_and_quoted_terms_are_kept(text: str, kept: set[str]):
    assert kept <= kept_by_translation(text)
    assert not {"created", "heron", "file", "研究"} & kept_by_translation(text)
