"""Every chat template of a model's folder is tried before anything is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import tool_templates
from tests.fakes.tool_templates import OPENING, SWITCHED, WITHOUT_TOOLS, ToolTokenizer
from toolkit.core.errors import ModelError
from toolkit.model.chat_template import takes_tools
from toolkit.model.families.template_files import (
    folder_takes_system,
    folder_takes_tools,
    folder_thinks,
    require_renderable,
)

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


@pytest.mark.parametrize(("template", "expected"), [(SWITCHED, True), (OPENING, True), (WITHOUT_TOOLS, False)])
def test_whether_a_model_thinks_is_told_from_its_folder(tmp_path: Path, template: str, expected: bool):
    (tmp_path / "chat_template.jinja").write_text(template)

    assert folder_thinks(tmp_path, {}) is expected
    assert folder_thinks(tmp_path / "none", {"chat_template": template}) is expected


NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system.') }}{% endif %}{{ messages[0].content }}"
)


@pytest.mark.parametrize(("template", "expected"), [(WITHOUT_TOOLS, True), (NO_SYSTEM, False), (None, True)])
def test_whether_it_takes_a_system_prompt_is_told_from_its_folder(tmp_path: Path, template: Any, expected: bool):
    assert folder_takes_system(tmp_path, {"chat_template": template}) is expected


@pytest.mark.parametrize("name", ["HERMES", "LLAMA3", "MISTRAL", "PHI4_MINI", "GLM4", "WITHOUT_TOOLS"])
def test_whether_it_takes_tools_is_told_from_its_folder_as_from_its_tokenizer(tmp_path: Path, name: str):
    template = getattr(tool_templates, name)
    config = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": template}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))

    assert folder_takes_tools(tmp_path) is takes_tools(ToolTokenizer(template)) is (name != "WITHOUT_TOOLS")


def test_one_of_several_templates_is_enough_for_tools(tmp_path: Path):
    named = [{"name": "default", "template": WITHOUT_TOOLS}, {"name": "tool_use", "template": tool_templates.HERMES}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))

    assert folder_takes_tools(tmp_path)
