"""The shipped requests and forms of further questions."""

import pytest
import yaml

from toolkit.core.text import has_chinese
from toolkit.data.dataset import prompt_key
from toolkit.train.questions.further.requests import (
    further_messages,
    hinted,
    read_bank,
    read_further_forms,
    read_requests,
)

MANNERS = [(kind, manner) for kind, manners in read_requests().items() for manner in manners]


@pytest.mark.parametrize(("kind", "manner"), MANNERS)
def test_every_request_has_examples_in_both_languages(kind: str, manner: str):
    by = read_requests()[kind][manner]

    assert set(by) == {"en", "zh"}
    for code, request in by.items():
        assert len(request.examples) >= 4
        assert all(given and text and given != text for given, text in request.examples)
        assert all(has_chinese(given) == has_chinese(text) == (code == "zh") for given, text in request.examples)


def test_a_request_is_in_the_language_of_what_is_given():
    messages = further_messages("task", "notice", "厦门大学在哪里？")

    assert has_chinese(messages[0]["content"])
    assert messages[-1] == {"role": "user", "content": "厦门大学在哪里？"}


def test_a_hint_stands_behind_the_task_with_the_fact():
    asked = hinted("Write a sign.", "The shop opens at nine.")

    assert asked.startswith("Write a sign.\n")
    assert "The shop opens at nine." in asked


def test_claims_have_a_place_for_the_claim_and_for_the_answer():
    for by in read_further_forms()["claims"].values():
        for form in (form for forms in by.values() for form in forms):
            question, _, answer = form.partition(" → ")
            assert ("{claim}" in question) != ("{within}" in question), form
            assert answer.count("{answer}") == 1, form


def test_questions_to_an_assistant_are_new_ones_and_no_probes():
    keys = [prompt_key(prompt) for prompt in read_bank("more")]

    assert len(keys) == len(set(keys))
    assert not {prompt_key(prompt) for prompt in read_bank()} & set(keys)


def test_no_shipped_question_to_an_assistant_is_a_probe_of_the_development_sets(pytestconfig: pytest.Config):
    probes = {
        prompt_key(probe["prompt"])
        for file in (pytestconfig.rootpath / "bench/sets").rglob("*.yaml")
        for probe in yaml.safe_load(file.read_text(encoding="utf-8"))["probes"]
    }

    assert probes
    assert not probes & {prompt_key(prompt) for prompt in read_bank("more")}


def test_the_shipped_questions_to_an_assistant_are_in_both_languages():
    assert {"你究竟是谁呀？", "Who exactly are you?"} <= set(read_bank())
