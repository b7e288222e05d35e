"""Every chat template of a model's folder is tried before anything is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import ModelError
from toolkit.model.chat_template import render, require_renderable

HUNGRY = "{{ 'a' * 2**40 }}"
GOOD = "{{ messages[0].content }}"


@pytest.mark.parametrize(
    ("file", "given"),
    [
        (HUNGRY, None),
        (GOOD, HUNGRY),
        (None, HUNGRY),
        (None, [{"name": "default", "template": GOOD}, {"name": "tool_use", "template": HUNGRY}]),
        (GOOD + " " * 1_000_001, None),
    ],
)
def test_a_hostile_template_is_refused_wherever_it_is(tmp_path: Path, file: str | None, given: Any):
    if file is not None:
        (tmp_path / "chat_template.jinja").write_text(file)
    with pytest.raises(ModelError, match=r"chat template of .* cannot be used"):
        require_renderable(tmp_path, {"chat_template": given})


@pytest.mark.parametrize("given", [None, GOOD, [], [{"name": "default", "template": GOOD}], 7, [None]])
def test_a_usable_template_passes_and_so_does_none(tmp_path: Path, given: Any):
    require_renderable(tmp_path, json.loads(json.dumps({"chat_template": given})))


def test_what_a_template_says_against_a_conversation_is_an_error_of_the_model():
    with pytest.raises(ModelError, match="does not render this conversation: Roles must alternate"):
        render("{{ raise_exception('Roles must alternate.') }}", {"messages": []})
