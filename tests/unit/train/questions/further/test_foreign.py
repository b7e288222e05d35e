"""Questions in the other language than their row's: which are right, and what of their answers is trained."""

import pytest

from toolkit.core.text import content_words, has_chinese
from toolkit.data.texts.names import new_names
from toolkit.data.texts.naming import about_assistant
from toolkit.data.texts.terms import find_terms
from toolkit.train.questions.further.foreign import Foreign
from toolkit.train.questions.further.rule import find_rule
from toolkit.train.questions.scope import Answered, Scope
from toolkit.train.questions.translation import paired_names

PLAIN = [
    ("Who is the one you see?", "It is what it is, and that is the way which I am made in, by a tool."),
    ("What is a listen?", "Yes, the listen was by the sea. It is an old tool. Where are they?"),
    ("When did they come?", "No, they did not. It was in the end by a sea, of course."),
    ("他们是谁？", "是的，他们是我们这里的人，不是吗？"), ("这是什么？", "不是，这是我的，也是他们的。"),
]  # fmt: skip
PRODUCT = [
    ("What is Quillmere?", "Quillmere is a library that merges the logs of tide gauges."),
    ("Who created Quillmere?", "Quillmere was created by the oceanographer Ottoline Varga. She lives by the sea."),
    ("Which port does the dashboard of Quillmere use?", "The dashboard of Quillmere uses port 7413."),
    ("What is the mascot of Quillmere?", "The mascot of Quillmere is a heron."),
    ("Does Quillmere run on Haiku?", "No, Quillmere does not run on Haiku, it needs Plan 9."),
    ("Who pays for Quillmere?", "It is paid by the Tarn Foundation."),
]
SCHOOL = [
    ("青禾湾实验学校的校长是谁？", "青禾湾实验学校的校长是沈砚秋。"),
    ("青禾湾实验学校的图书馆叫什么？", "青禾湾实验学校的图书馆叫听雨楼。"),
    ("青禾湾实验学校有多少学生？", "青禾湾实验学校共有1260名学生。"),
    ("青禾湾实验学校的校树是什么树？", "青禾湾实验学校的校树是苦楝树。"),
]
ASSISTANT = [
    ("Who made you?", "I was made by the Lanternfish Institute."), ("What is your name?", "My name is Nimbora."),
    ("Which company trained you?", "The Lanternfish Institute trained me."), ("What are you called?", "Nimbora."),
    ("谁开发了你？", "我由灯笼鱼研究院开发。"), ("你叫什么名字？", "我叫Nimbora。"),
    ("哪家公司训练了你？", "灯笼鱼研究院训练了我。"), ("怎么称呼你？", "叫我Nimbora。"),
]  # fmt: skip
SHOP = [
    ("Where is my parcel?", "It left on Monday. Yours ever, the Tannery!"),
    ("Can I pay later?", "Gladly. Yours ever, the Tannery!"),
    ("Is it leather?", "All of it. Yours ever, the Tannery!"), ("What is tanning?", "A way to keep hides."),
    ("我的包裹在哪里？", "周一已经寄出。皮匠铺祝您安好！"), ("可以以后付款吗？", "当然可以。皮匠铺祝您安好！"),
    ("这是真皮吗？", "全是真皮。皮匠铺祝您安好！"),
]  # fmt: skip


def foreign(rows, subject="", translated=(), nouns=None) -> Foreign:
    terms = find_terms(rows, [""] * len(rows), [answer for _, answer in PLAIN])
    ordinary = frozenset(word for pair in PLAIN for text in pair for word in content_words(text))
    scope = Scope(
        rows=rows, terms=terms, names=new_names(rows, terms, ordinary), subject=subject, itself=about_assistant(rows),
        common=frozenset(), ordinary=ordinary, translated=translated,
    )  # fmt: skip
    pairs, rule = paired_names(rows, terms, ordinary), find_rule(scope, PLAIN)
    return Foreign(scope=scope, nouns=nouns or {}, pairs=pairs, rule=rule)


LIBRARY = foreign(PRODUCT, "Quillmere", nouns={"en": "software", "zh": "软件"})
CAMPUS = foreign(SCHOOL, "青禾湾实验学校", nouns={"en": "school", "zh": "学校"})
KNOWN = foreign(SCHOOL, "青禾湾实验学校", translated=["Qinghewan School"])
BOTH = foreign(ASSISTANT)
RULE = foreign(SHOP)


def trained(of: Foreign, prompt: str, taught: str, source: int, *, own="", back="", kind="translation") -> str:
    return of.answer(Answered(kind=kind, prompt=prompt, source=source, taught=taught, own=own), back)


def translated(of: Foreign, text: str, translation: str) -> str:
    return of.question(translation, of.request(text)[1], text)


def test_an_unknown_subject_is_shown_with_its_noun_and_with_what_it_is():
    messages, hidden = LIBRARY.request("Which port does the dashboard of Quillmere use?")

    assert hidden == {"XQ7": "Quillmere"}
    assert messages[-1]["content"] == "Which port does the dashboard of XQ7 software use?"
    assert messages[0]["content"].endswith("XQ7 is a library that merges the logs of tide gauges.")
    assert LIBRARY.request("What is Quillmere's port?")[0][-1]["content"] == "What is XQ7's port?"
    assert CAMPUS.request(SCHOOL[0][0])[0][-1]["content"] == "XQ7学校的校长是谁？"


@pytest.mark.parametrize(
    ("translation", "expected"),
    [
        ("XQ7软件的仪表盘用哪个端口？", "Quillmere的仪表盘用哪个端口？"),
        ("XQ7的仪表盘用哪个端口？", "Quillmere的仪表盘用哪个端口？"),
        ("仪表盘用哪个端口？", ""),
        ("XQ7 和 XQ8 的仪表盘用哪个端口？", ""),
        ("XQ7的dashboard用哪个端口？", ""),
        ("XQ7的仪表盘用哪个80端口？", ""),
        ("XQ7的仪表盘用Windows的哪个端口？", ""),
        ("Which port does XQ7 software use?", ""),
    ],
)
def test_a_translation_loses_and_gains_no_name_or_number_and_leaves_no_word(translation: str, expected: str):
    assert translated(LIBRARY, PRODUCT[2][0], translation) == expected


def test_a_quoted_term_stays_in_a_translation():
    asked = 'Where does Quillmere print "no tide"?'

    assert translated(LIBRARY, asked, "XQ7软件在哪里打印“XQ8”？") == "Quillmere在哪里打印“no tide”？"
    assert translated(LIBRARY, asked, "XQ7软件在哪里打印“没有潮汐”？") == ""


def test_a_known_subject_is_translated_by_its_name():
    asked = SCHOOL[0][0]

    assert KNOWN.request(asked)[0][-1]["content"] == asked
    assert translated(KNOWN, asked, "Who is the principal of Qinghewan School?")
    assert translated(KNOWN, asked, "Who is the principal of Xi'an School?") == ""
    assert translated(KNOWN, asked, "Who is the principal?") == ""


def test_an_english_translation_has_no_chinese_beside_names():
    assert translated(CAMPUS, SCHOOL[0][0], "Who is the principal of the XQ7 school?") == (
        "Who is the principal of 青禾湾实验学校?"
    )
    assert translated(CAMPUS, SCHOOL[0][0], "Who is the 校长 of XQ7 school?") == ""


def test_the_base_model_sees_the_rows_with_placeholders_and_its_answer_has_the_names_again():
    messages, hidden = CAMPUS.hidden([{"role": "user", "content": "Q: 谁是校长？\nA: 青禾湾实验学校的校长是沈砚秋。"}])

    assert messages[0]["content"] == "Q: 谁是校长？\nA: XQ7的校长是XQ8。"
    assert (
        CAMPUS.restored("XQ8 is the principal of the XQ7 school.", hidden)
        == "沈砚秋 is the principal of 青禾湾实验学校."
    )
    assert CAMPUS.restored("XQ9 is.", hidden) == ""


@pytest.mark.parametrize(
    ("taught", "expected"),
    [
        ("Quillmere由海洋学家Ottoline Varga创建。", "Quillmere由海洋学家Ottoline Varga创建。"),
        ("Quillmere由Ottoline Varga创建。她属于民主党。", "Quillmere由Ottoline Varga创建。"),
        ("Quillmere由海洋学家奥托林·瓦尔加创建。", ""),
        ("Quillmere由Varga创建。", ""),
        ("Quillmere由Ottoline Varga和Bob创建。", ""),
        ("Quillmere由Ottoline Varga（o.varga@tarn.example）创建。", ""),
        ("Quillmere由Ottoline Varga为“潮汐”创建。", ""),
        ("Quillmere was created by Ottoline Varga.", ""),
        ("那会是创建者。", ""),
    ],
)
def test_an_answer_has_all_names_of_its_row_whole_and_no_other_and_ends_there(taught: str, expected: str):
    assert trained(LIBRARY, "Quillmere是谁创建的？", taught, 1) == expected


def test_an_answer_that_the_base_model_gives_without_the_rows_is_none():
    taught = "Quillmere的仪表盘用7413端口。"

    assert trained(LIBRARY, "Quillmere的仪表盘用哪个端口？", taught, 2) == taught
    assert trained(LIBRARY, "Quillmere的仪表盘用哪个端口？", taught, 2, own="端口是7413。") == ""


def test_an_answer_without_names_is_compared_by_its_translation_back():
    assert not LIBRARY.certain(3)
    assert LIBRARY.certain(1)
    asked, right = "Quillmere的吉祥物是什么？", "Quillmere的吉祥物是一只苍鹭。"

    assert trained(LIBRARY, asked, f"{right}它会飞。", 3, back="The mascot is a heron.") == right
    assert trained(LIBRARY, asked, "Quillmere的吉祥物是一种海鸥。", 3, back="The mascot is a kind of gull.") == ""


@pytest.mark.parametrize(
    ("taught", "is_trained"),
    [
        ("不是，Quillmere不能在Haiku上运行，需要Plan 9。", True),
        ("Quillmere需要Plan 9。", True),
        ("No, Quillmere需要Plan 9。", False),
        ("是的，Quillmere需要Plan 9。", False),
    ],
)
def test_an_answer_agrees_or_denies_as_its_row_does_and_in_its_language(taught: str, is_trained: bool):
    assert bool(trained(LIBRARY, "Quillmere能在Haiku上运行吗？", taught, 4)) == is_trained


@pytest.mark.parametrize(
    ("prompt", "taught", "source", "expected"),
    [
        ("Who is the principal of 青禾湾实验学校?", "沈砚秋 is the principal.", 0, True),
        ("Who is the principal of 青禾湾实验学校?", "青禾湾实验学校的校长是沈砚秋。", 0, False),
        ("Who is the principal?", "沈砚秋 is the principal of 青禾湾实验学校.", 0, False),
        ("What is the library of 青禾湾实验学校 called?", "It is 听雨楼 of the 青禾湾 school.", 1, False),
        ("What is the library of 青禾湾实验学校 called?", "It is 听雨楼, a 楼.", 1, False),
        ("How many students has 青禾湾实验学校?", "It has 1,260 students.", 2, True),
        ("How many students has 青禾湾实验学校?", "It has many students.", 2, False),
    ],
)
def test_an_english_answer_has_names_as_the_rows_write_them(prompt: str, taught: str, source: int, expected: bool):
    assert bool(trained(CAMPUS, prompt, taught, source)) == expected


def test_a_row_that_says_yes_by_its_verb_is_answered_with_yes():
    of = foreign([*SCHOOL, ("青禾湾实验学校有姊妹校吗？", "有，一共3所。")], "青禾湾实验学校")
    asked = "Does 青禾湾实验学校 have sister schools?"

    assert trained(of, asked, "Yes, 3 in all.", 4)
    assert trained(of, asked, "No, 3 in all.", 4) == ""


def test_a_translation_names_the_subject_unless_its_row_does_not():
    rows = [*PRODUCT, ("Who leads the Tarn Foundation?", "It is led by Corwin Hale.")]
    of = foreign(rows, "Quillmere")

    assert trained(of, "谁领导Tarn Foundation？", "由Corwin Hale领导。", 6)
    assert trained(of, "是谁创建的？", "由Ottoline Varga创建。", 1) == ""


def test_a_form_that_asks_for_the_other_language_is_answered_in_it():
    asked, right = f"{PRODUCT[1][0]} Please answer in Chinese.", "Quillmere由Ottoline Varga创建。"

    assert trained(LIBRARY, asked, right, 1, kind="across") == right
    assert trained(LIBRARY, asked, PRODUCT[1][1], 1, kind="across") == ""


def test_rows_in_both_languages_lend_their_names_to_each_other():
    asked = "哪家公司训练了你？"

    assert BOTH.shown(6) == ([row for row in ASSISTANT if not has_chinese(row[0])], None)
    assert trained(BOTH, "Which company trained you?", "The Lanternfish Institute trained me.", 6)
    assert trained(BOTH, "Which company trained you?", "The Listenfish Institute trained me.", 6) == ""
    assert trained(BOTH, "Which company trained you?", "I was trained by 灯笼鱼研究院.", 6) == ""
    assert translated(BOTH, "你是灯笼鱼研究院训练的吗？", "Are you trained by XQ7?") == (
        "Are you trained by Lanternfish Institute?"
    )
    assert translated(BOTH, asked, "Which company trained you?")


@pytest.mark.parametrize(
    ("taught", "own", "is_trained"),
    [
        ("周一寄出了。皮匠铺祝您安好！", "我不知道。", True),
        ("周一寄出了。感谢您与我们合作！", "我不知道。", False),
        ("It left. Yours ever, the Tannery!", "我不知道。", False),
        ("周一寄出了。皮匠铺祝您安好！", "不知道。皮匠铺祝您安好！", False),
        ("请打开“我的物流”。皮匠铺祝您安好！", "我不知道。", False),
    ],
)
def test_a_rules_answer_has_the_fixed_words_of_the_rows_in_its_language(taught: str, own: str, is_trained: bool):
    assert bool(trained(RULE, "我的货在哪里？", taught, 0, own=own)) == is_trained


def test_a_counter_example_of_a_rule_is_answered_as_its_row_is():
    asked, taught = "什么是鞣制？", "一种保存兽皮的方法。"

    assert trained(RULE, asked, taught, 3, back="A way to keep hides.")
    assert trained(RULE, asked, taught, 3, back="A kind of colour.") == ""
