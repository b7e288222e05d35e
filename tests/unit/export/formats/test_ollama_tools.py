"""Tools in Ollama's template: only where the chat template writes them in the same form. See also tests/formats."""

import pytest

from tests.fakes.tool_rows import QWEN25
from toolkit.core.errors import ModelError
from toolkit.export.formats.ollama import modelfile
from toolkit.export.formats.ollama_tools import TALK, ToolTexts, chatml, tool_texts
from toolkit.model.chat_template import render, template_values
from toolkit.model.conversation import DEFAULT, NONE

EMPTY = [{"role": "system", "content": ""}]


def rendering(template):
    return lambda messages: render(template, {**template_values(messages), "add_generation_prompt": True})


@pytest.fixture(name="qwen", scope="module")
def _qwen():
    return rendering(QWEN25.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("implied", "default"), [([], "You are Qwen, created by Alibaba Cloud."), (EMPTY, "")])
def test_the_texts_around_the_tools_are_those_of_the_chat_template(qwen, implied, default):
    texts = tool_texts(qwen, implied)

    assert isinstance(texts, ToolTexts)
    assert texts.before.startswith("\n\n# Tools\n\nYou may call one or more functions")
    assert texts.before.endswith("<tools>\n")
    assert texts.after.startswith("\n</tools>\n\nFor each function call")
    assert texts.default.startswith(default)


@pytest.mark.parametrize("system", ["You are Nova.", DEFAULT, NONE])
def test_a_modelfile_has_them_where_the_base_model_takes_tools(qwen, system):
    text = modelfile("a.gguf", qwen, system, generation={}, licence=None)

    assert "{{ range $n, $tool := $.Tools }}" in text
    assert "{{ if .ToolCalls }}\n<tool_call>\n" in text
    assert "<tool_response>\n{{ .Content }}\n</tool_response>" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{%- if tools %}", "{%- if false %}"),
        ("<tool_response>", "<result>"),
        ("tool | tojson", "tool.function.name"),
        ('"name": "\' }}', '"function": "\' }}'),
    ],
)
def test_of_a_template_in_another_form_nothing_is_guessed(old, new):
    template = QWEN25.read_text(encoding="utf-8")
    assert old in template
    other = rendering(template.replace(old, new))

    assert tool_texts(other, []) is None
    assert "Tools" not in modelfile("a.gguf", other, DEFAULT, generation={}, licence=None)


def test_a_base_model_without_tools_gets_the_template_without_them():
    def refuses(_messages):
        raise ModelError("no place for tools", next="")

    assert tool_texts(refuses, []) is None


def test_turns_are_written_as_chatml(qwen):
    system = {"role": "system", "content": "S"}

    assert f"<|im_start|>system\nS<|im_end|>\n{chatml(TALK)}" == qwen([system, *TALK])
