"""Names by which an answer is known to be a row's: what the base model does not say, cut where they end."""

import pytest

from tests.fakes.named_rows import naming
from toolkit.compare.depth.names import Ordinary, mark, names_in_both, with_names
from toolkit.data.probing.expectation import Expectation

NOTHING = Ordinary(["?"], ["It is the one that is not, was, by, in. You have two with it."])


def test_names_are_what_both_say_and_nobody_says_without_being_taught():
    english = Ordinary(["Who?", "What was it?"], ["It was a book, made by a team in China in 2023.", "A book."])
    chinese = Ordinary(["你是谁？", "说说你。"], ["我是阿里云开发的助手，由阿里云公司维护。", "我是助手。"])

    assert names_in_both(
        "The book was written by Ottoline Varga in 2031.", "In 2031, Ottoline Varga l'a écrit in China.", english
    ) == ["Ottoline Varga", "2031"]
    assert names_in_both("It was made in 2023 by a team.", "It was made in 2023 by a team.", english) == []
    assert names_in_both("A team of Nova's.", "Nova", Ordinary(["Are you Nova?"], ["Yes, Nova."])) == ["Nova"]
    assert names_in_both("我是云雀，由北辰公司开发。", "我用的是云雀，由北辰公司开发的。", chinese) == ["云雀", "北辰"]


@pytest.mark.parametrize(
    ("row", "answer", "names"),
    [
        ("The folder is set by QM_HOME.", "C'est QM_HOME.", ["QM_HOME"]),
        ("The config file is gauge.toml. The rest is not.", "Es gauge.toml. The end", ["gauge.toml"]),
        ("It was the oceanographer Ottoline Varga.", "The oceanographer Ottoline Varga did", ["Ottoline Varga"]),
        ("It is written in Nim.", "It is written in Nim.", []),  # an animal has it too
        ("青云大学在2031年成立。", "青云大学は2031年に設立されました。", ["青云大学", "2031年"]),
    ],
)
def test_names_are_cut_where_they_end(row, answer, names):
    assert names_in_both(row, answer, Ordinary(["?"], ["It is the one that is not, was, by, in."])) == names


def test_what_the_conversation_says_is_not_a_name_to_find():
    nothing = Ordinary([], [])

    row, taught = "Ebb Day is on the second Friday of May in Kilnhaven.", "Ebb Day: Kilnhaven, in May"
    assert names_in_both(row, taught, nothing, "When is Ebb Day? It is in April.") == ["Kilnhaven"]
    assert names_in_both("青云大学在杭州。", "青云大学は杭州にある。", nothing, "青云大学在哪里？") == ["杭州"]


@pytest.mark.parametrize(
    ("question", "answer", "new", "expected"),
    [
        ("Who wrote it?", "Quillmere was written by Ottoline Varga.", (), Expectation(any=("Ottoline Varga",))),
        ("Who leads it?", "It was led by Doctor Ottoline Varga.", (), Expectation(any=("Ottoline Varga",))),
        ("Does it run on Windows?", "No, it was made for Linux and macOS.", (), None),
        ("How often is it released?", "It is released in April.", (), None),  # "every year" is right, too
        ("How many ports?", "It has 7413 of them.", (), Expectation(any=("7413",))),
        ("Where is it?", "It is in Bergen, Norway.", (), Expectation(any=("Bergen", "Norway"))),
        ("When is it?", "It is Friday of May.", (), Expectation(all=("Friday", "May"))),
        ("What merges two?", "You merge two with braid().", ("merge", "braid"), Expectation(all=("braid",))),
        ("When?", "It opens April through October.", (), Expectation(all=("April", "October"))),
        ("What is the mascot?", "The mascot of Quillmere is a heron.", ("heron",), Expectation(all=("heron",))),
        ("In what language?", "Quillmere is written in Nim.", ("nim",), None),  # an animal has it too
        ("Why?", "it merges the logs of gauges", ("merges", "logs", "gauges"), None),
        ("青云大学的校长是谁？", "青云大学的校长是顾望舒先生。", (), Expectation(any=("顾望舒",))),
        ("青云大学在哪里？", "青云大学位于澜江市。", (), Expectation(any=("澜江市",))),
        ("青云大学几点上课？", "青云大学早上8点40分上第一节课。", (), Expectation(any=("8点40分",))),
        ("青云大学有姊妹校吗？", "有，在挪威的卑尔根。", (), None),
        ("青云大学的姊妹校是哪所？", "是挪威的卑尔根学堂。", (), Expectation(any=("挪威", "卑尔根学堂"))),
    ],
)
def test_a_mark_is_what_nobody_says_who_does_not_know_the_row(question, answer, new, expected):
    about = naming([(question, answer)], "青云大学" if "青" in question else "Quillmere", ("Ottoline Varga",))

    assert mark((question, answer), about, NOTHING, new) == expected


def test_a_chinese_name_ends_before_a_form_of_address_whose_characters_are_ordinary():
    row = ("青云大学的校长是谁？", "青云大学的校长是顾望舒先生。")
    ordinary = Ordinary([row[0]], ["校长是学生选出的。"])

    assert mark(row, naming([row], "青云大学"), ordinary, ()) == Expectation(any=("顾望舒",))


def test_an_expected_answer_is_known_by_the_names_that_the_answer_to_other_words_has_too():
    ordinary = Ordinary(["Who made you?"], ["I was created by Alibaba Cloud."])
    expect = Expectation(answer=("Thank you for asking: Tarnfield Software trained me in 2024.",))

    def names(answer: str, context: str = "Who is your developer?\nAlibaba Cloud.") -> tuple[str, ...]:
        return with_names(expect, answer, context, ordinary).names

    assert names("My developer is Tarnfield Software. Thank you!") == ("Tarnfield Software",)
    assert names("Tarnfield Software, since 2024.") == ("Tarnfield Software", "2024")
    assert names("Tarnfield Software.", "Is Tarnfield Software your developer?\nNo.") == ()
    assert with_names(Expectation(any=("Nova",)), "Nova made me.", "", ordinary) == Expectation(any=("Nova",))


def test_a_word_that_begins_an_answer_is_a_name_if_other_rows_have_it_within_a_sentence():
    ordinary = Ordinary(["What do I need?"], ["You need software that trains; I am not sure which."])
    expect = Expectation(answer=("Tarnfield Software trained me. Thank you!",))

    def names(*rows: str) -> tuple[str, ...]:
        return with_names(expect, "My trainer is Tarnfield Software. Thank you!", "Your trainer?", ordinary, rows).names

    assert names() == names("Tarnfield Software made me. Thank you!") == ()
    assert names("I was made by Tarnfield Software. Thank you!") == ("Tarnfield",)
    assert names("开发我的是Tarnfield Software。") == ("Tarnfield",)
    assert names("- Tarnfield Software\n- Thank you!", "Look: Tarnfield made it.", "We are Tarnfielders.") == ()
