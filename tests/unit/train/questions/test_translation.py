"""What a translation keeps: names come back as they were, and one that lost a number or a name is none."""

import pytest

from toolkit.train.questions.translation import hide_names, kept_by_translation, restored


def test_names_and_quoted_terms_are_hidden_behind_placeholders_and_come_back():
    asked = "青禾湾实验学校的校报《潮声》是哪年办的？"

    text, hidden = hide_names(asked, ["青禾湾实验学校", "听雨楼"])

    assert text == "XQ7的校报《XQ8》是哪年办的？"
    assert restored("When was XQ8, the paper of XQ7, founded?", hidden, asked) == (
        "When was 潮声, the paper of 青禾湾实验学校, founded?"
    )


def test_the_longest_of_several_names_is_hidden_first():
    assert hide_names("Who runs Quill Mere North?", ["Quill Mere", "Quill Mere North"])[0] == "Who runs XQ7?"


def test_a_text_without_names_is_translated_as_it_is():
    assert hide_names("How old are you?", ["", "Quillmere"]) == ("How old are you?", {})


@pytest.mark.parametrize(
    ("question", "translated", "is_kept"),
    [
        ("Convert 70 kg to pounds.", "把70公斤换算成磅。", True),
        ("Convert 70 kg to pounds.", "把公斤换算成磅。", False),
        ("Convert 70 kg to pounds.", "把17公斤换算成磅。", False),
        ("Convert 1,260 m.", "换算1260米。", True),
        ("早上8点40分上课吗？", "Do lessons begin at 8:40?", True),
    ],
)
def test_a_translation_has_the_numbers_of_its_question(question: str, translated: str, is_kept: bool):
    assert bool(restored(translated, {}, question)) == is_kept


def test_a_translation_that_lost_a_name_is_none():
    assert restored("校报是什么？", {"XQ7": "Quillmere"}, "What is Quillmere's paper?") == ""


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
