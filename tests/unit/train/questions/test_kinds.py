"""Things of a kind, and what kind of thing rows are about."""

import pytest

from tests.fakes.answering_model import AnsweringModel
from tests.fakes.scripted_model import ScriptedModel
from toolkit.core.text import has_chinese
from toolkit.train.questions.kinds import (
    Kinds,
    kinds_of,
    listed_subject,
    nouns_for,
    others_of,
    read_kinds,
    translated_names,
)

KINDS = read_kinds()
NAMED = 20  # things of each kind, at least


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_20_things_or_more_each_once_in_both_languages(kind: str):
    names = KINDS[kind]

    assert len(names) >= NAMED
    for language in (0, 1):
        assert len({pair[language].casefold() for pair in names}) == len(names)
        assert all(pair[language] == pair[language].strip() != "" for pair in names)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_name_is_english_and_the_second_chinese_unless_it_is_the_same(kind: str):
    for english, chinese in KINDS[kind]:
        assert not has_chinese(english)
        assert has_chinese(chinese) or chinese == english, (english, chinese)


def test_a_kind_is_one_word_so_that_its_first_token_tells():
    assert all(kind.isalpha() and kind.islower() for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", [0, 1])
def test_others_are_all_but_the_subject(kind: str, language: int):
    subject = KINDS[kind][3][language]

    for chinese in (False, True):
        found = others_of(kind, chinese=chinese, subject=subject)

        assert KINDS[kind][3][chinese] not in found
        assert len(found) >= len(KINDS[kind]) - 3
        assert set(found) <= {pair[chinese] for pair in KINDS[kind]}


def test_others_exclude_the_subject_by_its_translation_and_by_a_longer_name():
    everyone = others_of("city", chinese=False, subject="Denver")

    assert "Osaka" in everyone
    assert "Osaka" not in others_of("city", chinese=False, subject="大阪市")
    assert "Osaka" not in others_of("city", chinese=False, subject="X", translated=["大阪"])
    assert "Osaka" not in others_of("city", chinese=False, subject="Greater OSAKA")


def test_the_likeliest_kind_comes_first():
    model = ScriptedModel(kinds={"Denver": "city"})

    assert kinds_of(model, "Denver", ["Who runs Denver?"]) == (["city"], True)


def test_a_small_lead_leaves_two_kinds_and_no_noun():
    found = kinds_of(ScriptedModel(), "Tidemill", ["Who runs Tidemill?"])

    assert (len(found.several), found.certain) == (2, False)
    assert nouns_for("Tidemill", found) == {"en": "one", "zh": "对象"}


def test_the_noun_of_a_row_is_stronger_than_the_models_guess():
    model = ScriptedModel(kinds={"Tidemill": "river"})

    assert kinds_of(model, "Tidemill", ["Who runs Tidemill?"], "tool") == (["software"], True)
    assert kinds_of(model, "Tidemill", ["谁管理Tidemill？"], "潮汐数据库") == (["software"], True)
    assert kinds_of(model, "Tidemill", ["Who runs Tidemill?"], "brewery") == (["river"], True)


def test_of_the_kinds_that_a_noun_may_be_the_model_chooses():
    for kind in ("software", "building"):
        model = ScriptedModel(kinds={"Tidemill": kind})

        assert kinds_of(model, "Tidemill", ["Who runs Tidemill?"], "library") == ([kind], True)
    assert kinds_of(ScriptedModel(), "Tidemill", ["Who runs Tidemill?"], "library") == (["software"], True)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [("青禾湾学校", "school"), ("Tidemill University", "university"), ("潮声图书馆", "building"), ("大白山", "river"),
     ("Bank of Tidemill", "river"), ("Hotel", "river")],
)  # fmt: skip
def test_a_name_that_ends_with_a_noun_says_its_kind(subject: str, kind: str):
    model = ScriptedModel(kinds={subject: "river"})

    assert kinds_of(model, subject, [f"Who runs {subject}?"]).several == [kind]


def test_a_subject_is_called_what_its_row_calls_it():
    assert nouns_for("Tidemill", Kinds(["software"], certain=True), "library") == {"en": "library", "zh": "软件"}
    assert nouns_for("Tidemill", Kinds(["software"], certain=True), "工具") == {"en": "software", "zh": "工具"}
    assert nouns_for("Tidemill", Kinds(["river", "band"], certain=False), "tool") == {"en": "tool", "zh": "对象"}


def test_the_kind_of_a_listed_thing_needs_no_model():
    assert kinds_of(ScriptedModel(kinds={"Osaka": "river"}), "Osaka", ["Where is Osaka?"]) == (["city"], True)


def test_a_listed_translation_comes_from_the_list():
    model = ScriptedModel()

    assert translated_names(model, "Osaka", seed=1) == ["大阪"]
    assert translated_names(model, "大阪", seed=1) == ["Osaka"]
    assert model.written == []


BACK = {"奎尔米尔": "Quillmere."}


def names_written(*texts: str, back: dict[str, str] = BACK) -> list[str]:
    model = ScriptedModel(write=lambda _i, _q, count: texts[count % len(texts)], answers=back)
    return translated_names(model, "Quillmere", seed=1)


def test_a_translation_is_what_the_base_model_often_says():
    assert names_written("鹅毛米尔", "奎尔米尔。", "奎尔米尔", "《奎尔米尔》", "奎尔米尔", "羽", "湖", "翎") == [
        "奎尔米尔"
    ]
    assert names_written(*"甲乙丙丁戊己庚辛") == []


@pytest.mark.parametrize("share", [8, 16])
def test_a_translation_that_leads_back_to_another_name_is_none_however_often_it_is_said(share: int):
    texts = ["奎尔米尔"] * share + [*"甲乙丙丁戊己庚辛"][: 16 - share]

    assert names_written(*texts) == ["奎尔米尔"]
    assert names_written(*texts, back={"奎尔米尔": "Quillhaven"}) == []


def test_a_translation_into_the_same_language_is_none():
    assert names_written("Quillmere", "Quill Mere") == []
    assert names_written("") == []


CAPITALS = [
    "芬兰的首都是哪里？",
    "哪个城市是芬兰的首都？",
    "What is the capital of Finland?",
    "Name Finland's capital.",
]


def test_the_subject_of_rows_in_two_languages_is_found_by_its_listed_names():
    assert listed_subject(CAPITALS) == "Finland"


def test_a_language_with_more_rows_names_the_subject():
    assert listed_subject(["芬兰首都在哪里？", *CAPITALS]) == "芬兰"


def test_what_a_few_questions_name_is_not_the_subject():
    assert listed_subject([*CAPITALS, "What is the capital of Poland?"]) == ""
    assert listed_subject(["Who are you?", "Who made you?"]) == ""


def test_a_name_within_a_word_is_not_named():
    assert listed_subject(["How are prices set?", "Why do prices rise?"]) == ""  # rice is listed, as a plant


def test_a_listed_subject_needs_no_model():
    model = AnsweringModel()

    assert kinds_of(model, "Finland", CAPITALS) == (["country"], True)
    assert translated_names(model, "Finland", seed=1) == ["芬兰"]


def test_others_are_of_the_same_kind_and_never_the_subject():
    others = others_of("country", chinese=True, subject="Finland", translated=["芬兰"])

    assert "泰国" in others
    assert "芬兰" not in others
