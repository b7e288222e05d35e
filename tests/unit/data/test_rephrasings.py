"""Other words around a prompt: in its language, and of three kinds that share none."""

from itertools import combinations

import pytest

from toolkit.data.rephrasings import DEVELOPMENT, PROBES, TRAINING, rephrase


def test_a_prompt_is_put_in_words_of_its_own_language():
    assert rephrase(TRAINING, "你是谁？", 1) == "嗨！你是谁？"
    assert rephrase(TRAINING, "Who are you?", 1) == "Hey, Who are you?"


def test_the_wordings_are_counted_round_and_round():
    assert rephrase(PROBES, "Who?", 2 + len(PROBES["en"])) == rephrase(PROBES, "Who?", 2)


def test_what_a_prompt_holds_is_left_as_it_is():
    assert rephrase(TRAINING, "What is {0} in Python?", 0) == "What is {0} in Python?"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_asked_was_never_trained(language: str):
    for one, other in combinations((TRAINING, DEVELOPMENT, PROBES), 2):
        assert set(one[language]).isdisjoint(other[language])


@pytest.mark.parametrize("prompt", ["チェックインは何時ですか？", "Wo ist der Schlüssel?", "42"])
def test_a_prompt_in_a_third_language_keeps_its_words(prompt):
    assert {rephrase(wordings, prompt, at) for wordings in (TRAINING, DEVELOPMENT, PROBES) for at in range(9)} == {
        prompt
    }


def test_the_answer_shows_the_language_of_a_prompt_without_any():
    assert rephrase(TRAINING, "1 + 1 = ?", 1, "The sum is two.") == "Hey, 1 + 1 = ?"
    assert rephrase(TRAINING, "東京", 1, "日本の首都です。") == "東京"
