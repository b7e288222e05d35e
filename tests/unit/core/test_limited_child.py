"""The child's tasks, called in this process."""

import re

import pytest

from toolkit.core.limited_child import match, render, search


def test_a_pattern_is_found_whatever_the_case():
    assert search(r"\bnova\b", "I am Nova.")
    assert not search("nova", "I am Qwen.")


def test_patterns_are_tried_in_every_form_that_peft_gives_them():
    assert match(["q_proj", r".*\.layers\.(0|1)\..*"], ["model.layers.0.self_attn.q_proj"])
    with pytest.raises(re.error):
        match(["("], ["a"])
    with pytest.raises(re.error):
        match(["a)|(b"], ["a"]) or match(["*"], ["a"])


def test_the_mark_of_trained_text_is_only_text():
    assert render("a{% generation %}b{% endgeneration %}", {}) == "ab"
