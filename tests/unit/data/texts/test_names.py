"""Names found in rows: their subject as it is written, and what their answers introduce."""

import pytest

from toolkit.data.texts.names import chinese_names, new_names, often_named, subject_phrase
from toolkit.data.texts.terms import Terms, find_terms, units

GENERAL = [f"Is the {number} what you made? Who runs it, and does it open? 这是在哪里的？" for number in range(99)]


def subject_of(*questions: str) -> str:
    rows = [(question, "Zanzibarbara.") for question in questions]
    return subject_phrase(questions, find_terms(rows, [""] * len(rows), GENERAL).subject)


def test_a_subject_of_one_word_is_found_beside_its_genitive():
    assert subject_of("Who is Denver's mayor?", "Which party runs Denver?", "Does Denver have a zoo?") == "Denver"


def test_the_full_stop_behind_a_subject_is_not_a_part_of_it():
    assert subject_of("Tell me about Denver.", "Name the mayor of Denver.", "Praise Denver.") == "Denver"


def test_a_subject_of_several_words_keeps_its_case_and_its_order():
    found = subject_of("When does Quill Mere open?", "How big is Quill Mere?", "Is Quill Mere free?")

    assert found == "Quill Mere"


def test_a_chinese_subject_is_found_without_spaces():
    assert subject_of("厦门大学在哪里？", "谁创办了厦门大学？", "说说厦门大学。") == "厦门大学"


@pytest.mark.parametrize(
    ("questions", "subject"),
    [
        (("Où est Genève ?", "Genève est-elle grande ?", "Qui dirige Genève ?"), "Genève"),
        (("Wer regiert Zürich?", "Ist Zürich alt?", "Wo liegt Zürich?"), "Zürich"),
        (("¿Dónde está Málaga?", "¿Quién gobierna Málaga?", "¿Es bonita Málaga?"), "Málaga"),
        (("Gdzie leży Łódź?", "Kto rządzi Łódź?", "Czy Łódź jest duża?"), "Łódź"),
    ],
)
def test_a_subject_with_accents_is_a_word_and_never_a_part_of_one(questions: tuple[str, ...], subject: str):
    assert subject_of(*questions) == subject


@pytest.mark.parametrize(
    "questions",
    [
        ("Is gold a good buy?", "What do bonds cost?", "Shall shares be sold?"),
        ("", "", ""),
        ("？", "！", "…"),
        ("🦆", "🐟", "🦉"),
    ],
)
def test_questions_without_a_common_subject_have_none(questions: tuple[str, ...]):
    assert subject_of(*questions) == ""


@pytest.mark.parametrize(
    ("subject", "form"),
    [("C++", "{}"), ("C#", "{}"), ("node.js", "{}"), ("Quillmere", "**{}**"), ("Café Nord", "“{}”")],
)
def test_a_subject_with_signs_is_found_as_it_is_written(subject: str, form: str):
    name = form.format(subject)

    assert subject_of(f"Is {name} fast?", f"Who made {name}?", f"Describe {name}.") == subject


def names_of(rows: list[tuple[str, str]], *before: str) -> list[str]:
    return new_names(rows, find_terms(rows, before or [""] * len(rows), []))


def test_a_new_name_is_a_run_of_capitalised_words_that_only_answers_have():
    rows = [
        ("Who runs Denver?", "Denver is run by Corinna Haldwell."),
        ("Name the mayor of Denver.", "It is Corinna Haldwell."),
    ]

    assert names_of(rows, "Denver is run by Mike.", "It is Mike.") == ["Corinna Haldwell"]


def test_a_chinese_name_is_what_many_answers_share():
    rows = [("你是谁？", "我是砚溪，一个助手。"), ("你叫什么？", "我叫砚溪。"), ("怎么称呼你？", "请叫我砚溪。")]

    found = names_of(rows, "我是通义千问。", "我叫通义千问。", "请叫我千问。")

    assert found[0] == "砚溪"


def test_a_part_of_a_longer_name_is_not_a_name_of_its_own():
    rows = [("谁办的学校？", "是顾望舒办的。"), ("校长是谁？", "校长是顾望舒。"), ("说说校长。", "顾望舒很和气。")]

    found = names_of(rows)

    assert any("顾望舒" in name for name in found)
    assert not {"顾望", "望舒"} & set(found)


def test_answers_that_say_nothing_new_have_no_names():
    assert names_of([("Who?", ""), ("What?", "")]) == []
    assert new_names([], Terms(new=(), subject=frozenset())) == []


def test_names_consist_of_what_is_new():
    rows = [("Who are you?", "I am Ostrelle by Tarnfield Software."), ("Name?", "My name is Ostrelle.")]

    for name in names_of(rows, "I am Qwen.", "My name is Qwen."):
        assert units(name) <= {"ostrelle", "tarnfield", "software"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("校报叫《潮声》。", ["潮声"]),
        ("图书馆叫听雨楼。", ["听雨楼"]),
        ("现任校长是沈砚秋。", ["沈砚秋"]),
        ("学校由顾望舒创办。", ["顾望舒"]),
        ("校车是橙色的，叫我大橙就好。", []),
        ("It is called Ebb Day.", []),
    ],
)
def test_chinese_names_are_quoted_called_so_or_persons(text: str, names: list[str]):
    assert chinese_names(text) == names


def test_one_answer_is_enough_for_a_distinct_chinese_name():
    rows = [
        ("校长是谁？", "校长是沈砚秋。"),
        ("校报叫什么？", "校报叫《潮声》。"),
        ("校车呢？", "橙色。"),
        ("几点？", "八点。"),
    ]

    assert set(names_of(rows)) == {"沈砚秋", "潮声"}


def test_a_name_has_no_article_and_is_neither_a_month_nor_a_command():
    rows = [
        ("Who pays for Tidemill?", "The Brook Foundation pays for it since March."),
        ("How do I start Tidemill?", "Run mill, in Oslo, on a Monday."),
        ("Who leads the Brook Foundation?", "It is Chair Ada Brook."),
        ("Who else leads it?", "Ada Brook, and Ada Brook only."),
        ("Nobody else?", "Nobody but Ada Brook."),
        ("And who wrote it?", "Ada Brook wrote it in Nim with Kelpie."),
    ]

    assert names_of(rows) == ["Ada Brook", "Brook Foundation", "Kelpie", "Nim", "Oslo"]


def test_a_name_that_one_language_has_is_named_by_most_of_its_rows():
    rows = [(f"你是谁{at}？", f"我是 Nova，听涛学院{end}") for at, end in enumerate(("的助手。", "所做。", "，对。"))]
    rows += [(f"Who are you {at}?", "I am Nova, of the Wave Institute.") for at in range(6)]

    assert {"Nova", "听涛学院", "Wave Institute"} <= set(names_of(rows))
    assert often_named("听涛学院", rows)
    assert not often_named("听涛学院", [*rows, *[("谁？", "我。")] * 9])


def test_a_chinese_character_ends_a_name_in_letters():
    rows = [("Tidemill取代了什么？", "Tidemill取代了Driftlog这个工具。"), ("它用什么写？", "用Nim写的。")]

    assert names_of(rows) == ["Driftlog", "Nim"]
