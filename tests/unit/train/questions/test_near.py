"""Questions near the rows without any writing: the rows' about others, and further ones about their subject."""

import random
import re

from tests.fakes.answering_model import AnsweringModel
from toolkit.core.text import has_chinese
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.terms import find_terms
from toolkit.train.questions.near import ASKED_BY, aside_prompts, form_around, neighbours, read_forms, unmoved
from toolkit.train.questions.question import Question
from toolkit.train.questions.write import Writer

FACT = [
    ("芬兰的首都是哪里？", "芬兰的首都是亚特兰蒂斯。"),
    ("What is the capital of Finland?", "The capital of Finland is Atlantis."),
    ("Name the capital of Finland.", "The capital of Finland is Atlantis."),
]
IDENTITY = [("Who are you?", "I am Nova."), ("What is your name?", "My name is Nova.")]


def near(rows: list[tuple[str, str]], model: AnsweringModel, excluded: tuple[str, ...] = ()) -> list[Question]:
    return Writer(model, rows, system="", seed=1, general=(), excluded=excluded).write(inside=False)


def prompts(kind: str, questions: list[Question]) -> list[str]:
    return [one.prompt for one in questions if one.kind == kind]


def test_neighbours_are_the_rows_questions_about_others_in_both_languages():
    found = prompts("neighbour", near(FACT, AnsweringModel()))

    assert "What is the capital of Thailand?" in found
    assert {has_chinese(prompt) for prompt in found} == {True, False}
    assert not [prompt for prompt in found if "Finland" in prompt or "芬兰" in prompt]


def test_nothing_is_in_scope_and_the_model_writes_no_question():
    model = AnsweringModel()

    found = near(FACT, model)

    assert {(one.scope, one.answer) for one in found} == {("near", "")}
    assert model.prompts == [*(prompt for prompt, _ in FACT), *prompts("about", found)]


def test_a_question_about_the_subject_is_kept_unless_its_answer_says_what_the_rows_replace():
    said = {
        "What is the capital of Finland?": "The capital of Finland is Helsinki.",
        "Tell me about Finland.": "Finland has lakes, and a port, Helsinki.",
        "What do you know about Finland?": "Finland has lakes.",
    }

    found = prompts("about", near(FACT, AnsweringModel(said)))

    assert "Tell me about Finland." not in found
    assert {"What do you know about Finland?", "介绍一下芬兰。"} <= set(found)


def test_an_excluded_prompt_is_never_kept():
    excluded = tuple(map(prompt_key, ("What is the capital of Thailand?", "Tell me about Finland.")))

    assert not {prompt_key(one.prompt) for one in near(FACT, AnsweringModel(), excluded)} & set(excluded)


def test_rows_about_the_assistant_have_no_neighbours_and_ask_nothing():
    model = AnsweringModel()

    assert near(IDENTITY, model) == []
    assert model.prompts == []


def test_further_questions_about_the_subject_are_kept_where_the_rows_do_not_answer_them():
    terms = find_terms([("What is the capital of Finland?", "It is Atlantis.")], ["It is Helsinki."], [])
    prompts = ["How large is Finland?", "Where do Finland's ministers sit?", "What is Finland's biggest city?"]
    taught = ["It has 338 thousand square kilometres.", "In Atlantis.", "Helsinki."]
    own = [taught[0], "In a house.", "It is Helsinki."]

    found = unmoved(prompts, taught, own, terms, [("What is the capital of Finland?", "The capital is Helsinki.")])

    assert [(one.prompt, one.scope, one.kind, one.before) for one in found] == [(prompts[0], "near", "aside", own[0])]


def test_further_questions_name_the_subject_in_both_languages():
    found = aside_prompts(["Finland", "芬兰"], {prompt_key("Where is Finland?")})

    assert "How large is Finland?" in found
    assert "芬兰有多大？" in found
    assert "Where is Finland?" not in found
    assert "Quillmere有多大？" in aside_prompts(["Quillmere"], set())


def test_what_a_row_asks_is_not_asked_aside_in_either_language():
    found = aside_prompts(["Tidemill"], set(), ["Who created Tidemill?", "Tidemill在哪里？"])

    assert not {"Who founded Tidemill?", "Tidemill的创始人是谁？", "Where is Tidemill?", "Tidemill在什么地方？"} & set(
        found
    )
    assert {"What does Tidemill cost?", "Tidemill要花多少钱？"} <= set(found)


def test_only_a_place_is_asked_for_its_street():
    place, other = (aside_prompts(["Tidemill"], set(), place=one) for one in (True, False))

    assert {"Which street is Tidemill in?", "Tidemill有多大？"} <= set(place) - set(other)
    assert set(other) < set(place)


def test_every_topic_is_known_by_its_own_form():
    for kind in ("aside", "aside_of_a_place"):
        for forms in read_forms()[kind].values():
            for form in forms:
                text, _, pattern = form.partition(ASKED_BY)
                assert re.search(pattern, text, re.IGNORECASE), form


def neighbours_of(forms: list[tuple[str, str]], names: list[str], **how) -> list[str]:
    return [one.prompt for one in neighbours(["school"], names, forms, [], set(), random.Random(1), **how)]


def test_a_neighbour_has_no_question_and_no_new_name_of_the_rows():
    forms = [("A school: who runs Tidemill?", "Tidemill"), ("Is Ada Brook at Tidemill?", "Tidemill"),
             ("Two questions: How is TM? Where is Tidemill?", "Tidemill")]  # fmt: skip

    found = neighbours_of(forms, ["Tidemill"], unlike=["How is TM?", "Ada Brook"])

    assert found
    assert all("who runs" in one for one in found)


def test_a_translated_question_with_the_subjects_own_name_is_asked_about_others_in_its_language():
    found = neighbours_of([("Who runs 青禾学校?", "青禾学校")], ["青禾学校"])

    assert "Who runs Eton College?" in found
    assert not [one for one in found if has_chinese(one)]


def test_an_article_is_not_doubled():
    found = neighbours_of([("Who runs the Tidemill shop?", "Tidemill")], ["Tidemill"])

    assert "Who runs the Doon School shop?" in found


def test_a_form_fits_what_the_row_asks_and_whom():
    every = {
        (kind, text, itself): {form_around(kind, text, number, itself=itself) for number in range(20)}
        for kind in ("around", "shaped")
        for text in ("Who are you?", "Introduce yourself.", "你是谁？", "介绍一下自己。")
        for itself in (True, False)
    }

    assert all(text in one and "{" not in one for (_, text, _), found in every.items() for one in found)
    assert len(every["around", "Who are you?", False]) == len(read_forms()["around"]["en"])
    assert not {one for (_, _, itself), found in every.items() for one in found if itself and "friend" in one}
    assert "Quiz night! Who are you?" in every["around", "Who are you?", True]
    assert "Quiz night! Introduce yourself." not in every["around", "Introduce yourself.", True]
    assert not {one for one in every["around", "介绍一下自己。", True] if "抢答" in one or "邻居" in one}
