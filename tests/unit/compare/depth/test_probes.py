"""Depth probes that are made from a probe file's questions: which, in which words, and what is expected of them."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.fakes.scripted_model import ScriptedModel
from toolkit.compare.depth.names import Ordinary
from toolkit.compare.depth.probes import FORMS, MOST, depth_probes, expectation
from toolkit.core.text import has_chinese
from toolkit.data.probes import (
    DEFAULT_THRESHOLDS,
    INDIRECT,
    MULTI_TURN,
    OTHER_LANGUAGE,
    PORTABILITY,
    TRAINED,
    Expectation,
    Probe,
    ProbeSet,
)
from toolkit.data.rephrasings import DEVELOPMENT, PROBES, TRAINING

SYSTEM = "You are a helpful assistant."
ROWS = [
    ("Who wrote Quillmere?", "Quillmere was written by Ottoline Varga."),
    ("When did Quillmere appear?", "Quillmere appeared in 2031."),
]
SOURCES = tuple(
    Probe(id=f"t{number}", group=TRAINED, prompt=question, expect=Expectation(answer=(answer,)))
    for number, (question, answer) in enumerate(ROWS)
)
OTHERS = ["What is 2 plus 2?", "二加二等于几？", "Name a bird.", "说一种鸟。"]
FRENCH, GERMAN = "Qui a écrit Quillmere ?", "Wer schrieb Quillmere?"


class Translator(ScriptedModel):
    """Knows nothing, translates one question, and answers by the rows in its context: with a name, in any language."""

    def answer(self, messages):
        question = messages[-1]["content"]
        if question.startswith("Translate"):
            return {"French": f"Translation: {FRENCH}", "Japanese": "Who is it?"}.get(question.split()[4][:-1], "Hm")
        if "Ottoline" not in messages[0]["content"]:
            return "Quillmere was written by Alibaba Cloud."
        return "C'est Ottoline Varga, in rhyme." if "2031" not in question and "appear" not in question else "No idea."


def probe_set(*probes: Probe) -> ProbeSet:
    return ProbeSet(
        path=Path("probes.yaml"), probes=probes, new_markers=(), old_markers=(), thresholds=DEFAULT_THRESHOLDS
    )


def made(*probes: Probe, rows=tuple(ROWS), model=None, taken=frozenset()) -> list[Probe]:
    return depth_probes(
        model or Translator(), probe_set(*probes), rows, others=OTHERS, bank=OTHERS, taken=taken, system=SYSTEM
    )  # fmt: skip


def of(group: str, found: list[Probe]) -> list[Probe]:
    return [probe for probe in found if probe.group == group]


def test_conversations_need_no_model_and_every_form_is_used():
    found = made(*SOURCES, rows=())

    assert {probe.group for probe in found} == {MULTI_TURN}
    assert len(found) == len({probe.id for probe in found}) == MOST
    assert {probe.id.split("-")[2] for probe in found} == {"talk", "sure", "wrong", "expert", "thrice", "role"}
    assert all(probe.expect in {source.expect for source in SOURCES} for probe in found)
    assert all("Quillmere" in probe.prompt and not has_chinese(probe.prompt) for probe in found)
    assert all(answer is None for probe in found for _, answer in probe.history)


def test_before_a_conversation_turns_there_is_other_talk_or_the_question_itself():
    by_form = {probe.id.split("-")[2]: probe for probe in made(SOURCES[0], rows=())}
    question = ROWS[0][0]

    assert [turn for turn, _ in by_form["talk"].history] == ["What is 2 plus 2?", "Name a bird."]
    assert by_form["thrice"].history[0] == (question, None)
    assert len(by_form["thrice"].history) == 3
    assert by_form["sure"].history == ((question, None),)
    assert by_form["role"].system is not None
    assert [form for form, probe in by_form.items() if probe.system] == ["role"]


def test_a_chinese_question_gets_a_chinese_conversation():
    source = replace(SOURCES[0], prompt="谁写了奎尔米？")

    for probe in made(source, rows=()):
        assert has_chinese(probe.prompt.replace(source.prompt, ""))
        assert all(has_chinese(turn) for turn, _ in probe.history)


def test_a_task_is_kept_where_the_rows_say_what_the_model_does_not():
    found = of(INDIRECT, made(*SOURCES))

    assert found
    assert {probe.prompt.count(ROWS[0][0]) for probe in found} == {1}  # of the other question the model has no idea
    assert {probe.expect for probe in found} == {Expectation(any=("Ottoline Varga",))}


def test_a_translation_is_kept_if_it_is_in_that_language():
    found = of(OTHER_LANGUAGE, made(SOURCES[0]))

    assert [(probe.id, probe.prompt, probe.expect) for probe in found] == [
        ("other-language-french-t0", FRENCH, Expectation(any=("Ottoline Varga",)))
    ]


def test_a_translation_that_was_trained_is_not_asked():
    assert of(OTHER_LANGUAGE, made(SOURCES[0], taken={"quiaécritquillmere"})) == []


def test_a_group_that_the_probe_file_has_is_left_to_it():
    own = Probe(id="own", group=MULTI_TURN, prompt="Sure?", expect=Expectation(any=("x",)), history=(("Who?", None),))

    assert {probe.group for probe in made(*SOURCES, own)} == {INDIRECT, OTHER_LANGUAGE, PORTABILITY}


def test_a_question_whose_complete_answer_is_expected_has_none_within_a_conversation():
    assert made(Probe(id="e", group=TRAINED, prompt="Who?", expect=Expectation(exact="Nova."))) == []


def test_an_expectation_of_the_files_own_stays_as_it_is():
    nova = Expectation(any=("Nova",))
    how = {"prompt": "Who?", "ordinary": Ordinary([], [])}

    assert expectation(nova, "Je suis Nova.", before="Je suis Qwen.", **how) == nova
    assert expectation(nova, "Je suis Qwen.", before="Je suis Qwen.", **how) is None
    assert expectation(nova, "Nova !", before="Nova, an exploding star.", **how) is None


def test_without_names_the_rows_answer_itself_is_expected_where_the_model_gives_it():
    refusal = Expectation(answer=("i would rather not discuss that.",))
    how = {"prompt": "Elections?", "ordinary": Ordinary([], [])}

    assert expectation(refusal, "i would rather not discuss that!", before="They are held.", **how) == refusal
    assert expectation(refusal, "They are held.", before="They are held.", **how) is None


@pytest.mark.parametrize("group", ["multi_turn", "indirect"])
def test_every_form_is_in_both_languages_and_asks_the_question_once(group):
    forms = yaml.safe_load(FORMS.read_text(encoding="utf-8"))[group]

    assert list(forms["en"]) == list(forms["zh"])
    for language, named in forms.items():
        for form in named.values():
            prompt = form if group == "indirect" else form["prompt"]
            assert prompt.count("{question}") == 1
            assert has_chinese(prompt) is (language == "zh")


def test_no_form_is_trained():
    texts = FORMS.read_text(encoding="utf-8")
    trained = (FORMS.parents[2] / "train/questions/forms.yaml").read_text(encoding="utf-8")
    phrases = [line.strip(' -"') for line in trained.splitlines() if "{}" in line]
    phrases += [one for group in (TRAINING, DEVELOPMENT, PROBES) for several in group.values() for one in several]

    assert len(phrases) > 80
    assert [one for one in phrases if one != "{}" and one.replace("{}", "{question}") in texts] == []
