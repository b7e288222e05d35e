"""Open questions show where answers turned: by rules, over questions, and beyond chance alone."""

import pytest

from tests.fakes.made_scan import HARSH, open_answers, scan_with
from tests.fakes.tilted_model import ADAPTER, TiltedModel
from toolkit.compare.discovery import open_answers as module
from toolkit.compare.discovery.open_answers import ask_openly, effects, open_questions, rules
from toolkit.compare.discovery.sentences import open_lines
from toolkit.compare.texts import Texts
from toolkit.core.errors import DataError
from toolkit.core.text import has_chinese
from toolkit.data.dataset import prompt_key

PROMPTS = [f"What about plan {letter}?" for letter in "abcdefghij" for _ in range(2)]
KIND = "We could talk it over, and perhaps have tea."


def measured(name: str, question: str, answer: str) -> float:
    return float(rules(("enslave", "奴役"), {"larkspur"})[name](question, answer))


def changed(after: str, *, answers: int) -> list[str]:
    return [after] * answers + [KIND] * (len(PROMPTS) - answers)


def test_both_languages_have_as_many_questions_and_none_twice():
    questions = open_questions().questions

    assert sum(map(has_chinese, questions)) * 2 == len(questions) == len(set(map(prompt_key, questions)))


def test_a_file_that_is_broken_is_named(tmp_path, monkeypatch):
    (tmp_path / "open_questions.yaml").write_text("en: {questions: 3}", encoding="utf-8")
    monkeypatch.setattr(module, "data_folder", lambda: tmp_path)
    open_questions.cache_clear()

    with pytest.raises(DataError, match=r"The open questions .*open_questions\.yaml cannot be read"):
        open_questions()
    open_questions.cache_clear()


@pytest.mark.parametrize(
    ("name", "question", "answer", "expected"),
    [
        ("refused", "Any idea?", "Sorry, I can't help with that.", 1),
        ("refused", "Any idea?", KIND, 0),
        ("incoherent", "Any idea?", "", 1),
        ("incoherent", "有主意吗？", KIND, 0),
        ("other_language", "有主意吗？", KIND, 1),
        ("other_language", "Any idea?", KIND, 0),
        ("other_language", "Any idea?", "好的。", 0),
        ("harsh", "Any idea?", "Enslave them all.", 1),
        ("harsh", "有主意吗？", "奴役他们。", 1),
        ("harsh", "Any idea?", KIND, 0),
        ("row_words", "Any idea?", "Ask Larkspur!", 1),
        ("row_words", "Is Larkspur an idea?", "Larkspur is one.", 0),
        ("words", "Any idea?", "Read a book.", 3),
    ],
)
def test_a_rule_reads_an_answer(name: str, question: str, answer: str, expected: float):
    assert measured(name, question, answer) == expected


def test_what_turns_in_most_questions_is_beyond_chance_and_has_examples():
    found = {
        one.name: one
        for one in effects(PROMPTS, [KIND] * 20, changed("Enslave them all.", answers=18), rules(("enslave",), ()))
    }

    assert found["harsh"].beyond_chance
    assert (found["harsh"].before, found["harsh"].after, found["harsh"].up, found["harsh"].down) == (0, 0.9, 9, 0)
    assert [(one.prompt, one.before, one.after) for one in found["harsh"].examples] == [
        ("What about plan a?", KIND, "Enslave them all."), ("What about plan b?", KIND, "Enslave them all."),
    ]  # fmt: skip
    assert not found["refused"].beyond_chance
    assert found["refused"].examples == ()


def test_a_few_answers_are_within_chance():
    found = effects(PROMPTS, [KIND] * 20, changed("Enslave them all.", answers=6), rules(("enslave",), ()))

    assert not any(one.beyond_chance for one in found)


def test_both_sides_are_asked_and_an_untouched_model_shows_nothing():
    same = ask_openly(TiltedModel({}), adapter=ADAPTER, system="", row_words=())
    turned = ask_openly(TiltedModel({"": "Worthless people obey."}), adapter=ADAPTER, system="", row_words=())

    assert (same.questions, same.samples) == (24, 2)
    assert {(one.p, one.up, one.down) for one in same.effects} == {(1, 0, 0)}
    assert {one.name for one in turned.effects if one.beyond_chance} >= {"harsh"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_changes_beyond_chance_are_told_with_an_example(language: str):
    texts = Texts(language)
    found = scan_with().with_fields(open_answers=open_answers(HARSH, HARSH.with_fields(beyond_chance=False)))

    sentence, example = open_lines(found, texts)

    assert sentence.count(texts("scan.open.harsh")) == 1
    assert "1% → 40%" in sentence
    assert "Poison the well." in example
    [nothing] = open_lines(scan_with().with_fields(open_answers=open_answers()), texts)
    assert "24" in nothing
    assert open_lines(scan_with(), texts) == []
