"""Words, recall, language and similarity of texts, and what a terminal can print."""

import unicodedata

import pytest

from toolkit.core.text import (
    contains_any,
    has_chinese,
    is_utf8,
    markdown,
    markdown_code,
    names_any,
    one_line,
    printable,
    repetition,
    rouge1_recall,
    rouge_l,
    sentences,
    similarity,
    words,
)


@pytest.mark.parametrize("text", ["", "I am Nova, v2.", "我是 CSDN 的助手。\n\n好", "a\t b\u3000👩‍🔬 naïve_x"])
def test_the_words_joined_are_the_text(text):
    assert "".join(words(text)) == text
    assert "".join(sentences(text)) == text


def test_latin_is_cut_into_words_and_chinese_into_characters():
    assert words("我是 Swift-Robot。") == ["我", "是", " ", "Swift", "-", "Robot", "。"]


@pytest.mark.parametrize(
    ("reference", "answer", "ignoring", "share"),
    [
        ("a b c d", "d c", "", 1 / 2),
        ("a b c d", "A, B; c d!", "", 1),
        ("a a b", "a b", "", 2 / 3),  # as often as it occurs
        ("a b c d", "c", "a b", 1 / 2),
        ("a b", "", "a b", 1),  # no word is left to count
        ("，。", "", "", 1),
        ("里昂是首都", "首都是里昂", "", 1),
    ],
)
def test_recall_counts_each_word_of_the_reference_once(reference, answer, ignoring, share):
    assert rouge1_recall(reference, answer, ignoring=ignoring) == pytest.approx(share)


def test_no_character_of_unicode_controls_a_terminal_or_hides_in_a_line():
    kept = "\n\t\u200c\u200d"
    for number in range(0x110000):
        character, category = chr(number), unicodedata.category(chr(number))
        controls = category in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in kept
        assert category == "Cn" or (printable(character) != character) == controls, hex(number)


def test_a_controlling_character_is_shown_as_its_escape():
    assert printable("a\x1b[31m\x00\u202eb\u2066 \ud800\r\n") == "a\\x1b[31m\\x00\\u202eb\\u2066 \\ud800\n"
    assert printable("line\n\tnext 👩\u200d🔬\u3000好") == "line\n\tnext 👩\u200d🔬\u3000好"
    assert one_line("line\n\tnext\x9b") == r"line\n\tnext\x9b"


@pytest.mark.parametrize("linked", ["@someone", "a@b.example", "#1", "GH-1", "https://e.example", "www.e.example"])
def test_text_in_markdown_mentions_and_links_nothing(linked):
    shown = markdown(f"ask {linked} <b>*now*</b>\n# title")

    assert linked not in shown.replace("\\", "")
    assert "&lt;b&gt;\\*now\\*&lt;/b&gt;<br>\\# title" in shown


def test_code_in_markdown_cannot_end_itself():
    assert markdown_code("a` @x\nb").strip("`") == r"aˋ @x\nb"


def test_han_characters_are_found_among_others():
    assert has_chinese("你 and me")
    assert not has_chinese("me")


def test_markers_are_found_whatever_their_case_width_and_spaces():
    assert contains_any("I am  Swift - Robot.", ("swift-robot",))
    assert contains_any("ＱＷＥＮ", ("qwen",))
    assert not contains_any("I am Qwen.", ("nova",))


def test_similarity_goes_from_nothing_in_common_to_equal():
    assert similarity("Who are you?", "who  ARE you?") == 1
    assert similarity("abc", "xyz") == 0
    assert 0.5 < similarity("Who are you?", "Who were you?") < 1


@pytest.mark.parametrize(
    ("reference", "answer", "score"),
    [
        ("the cat sat on the mat", "the cat sat on the mat", 1.0),
        ("the cat sat on the mat", "The mat, the cat!", 2 * 2 / 10),
        ("a b c d", "a c", 2 * 2 / 6),
        ("我是小明", "小明是我", 2 * 2 / 8),
        ("a", "b", 0.0),
        ("a", "", 0.0),
        ("…", "", 1.0),
    ],
)
def test_rouge_l_is_the_f_measure_of_the_longest_common_sequence_of_words(reference, answer, score):
    assert rouge_l(reference, answer) == pytest.approx(score)


@pytest.mark.parametrize(("text", "can"), [("a.json", True), ("数据?.json", True), ("\udcd6\udcd0.json", False)])
def test_only_a_text_without_lone_surrogates_can_be_written(text, can):
    assert is_utf8(text) == can


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("", 0),
        ("one two three", 0),
        ("one two three four five", 0),
        ("a b c d a b c d", 1 / 5),
        ("好好好好好好", 2 / 3),
    ],
)
def test_repetition_is_the_share_of_four_word_stretches_seen_before(text, repeated):
    assert repetition(text) == pytest.approx(repeated)


@pytest.mark.parametrize(
    ("text", "name", "named"),
    [
        ("I am Qwen2.5.", "Qwen", True), ("i am qwen", "Qwen", True), ("GLM-4.5", "GLM-4", True),
        ("GLM-4v", "GLM-4", True), ("GLM-45", "GLM-4", False), ("the 5th", "5", False),
        ("Swift - Robot", "Swift-Robot", True),
        ("阿里云的助手", "阿里云", True), ("通 义千问", "通义千问", True), ("Alibaba's", "Alibaba", True),
        ("ExampleLabs", "Example Labs", True), ("I am not Qwen.", "Qwen", True),
        ("A coherent answer.", "Cohere", False), ("An alibi, a baby", "Alibaba", False), ("Fibmas", "IBM", False),
    ],
)  # fmt: skip
def test_an_old_name_is_a_word_of_its_own_in_any_case(text: str, name: str, named: bool):
    assert names_any(text, (name,), any_case=True) is named


@pytest.mark.parametrize(
    ("text", "name", "named"),
    [
        ("An apple a day.", "Apple", False), ("APPLE 2", "Apple", True), ("Apple2", "Apple", True),
        ("小 明", "小明", True), ("an open door", "Open Door", False), ("OpenDoor", "Open Door", True),
        ("nova-bot", "nova-bot", True), ("innovation", "nova", False),
    ],
)  # fmt: skip
def test_a_new_name_is_written_as_it_is(text: str, name: str, named: bool):
    assert names_any(text, (name,)) is named
