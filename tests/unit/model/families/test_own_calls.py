"""What chat templates write for a tool call, and that each of the forms is read."""

import pytest

from tests.fakes import tool_templates
from tests.fakes.tool_templates import ToolTokenizer
from toolkit.data.tools.calls import ToolCall, json_text
from toolkit.data.tools.forms import HERMES, NAMED, OBJECTS, form_of
from toolkit.model.chat_template import rendered, takes_tools
from toolkit.model.families.own_calls import ARGUMENTS, NAME, own_call

CALL = ToolCall(name=NAME, arguments=json_text(ARGUMENTS))
TALK = [
    {"role": "user", "content": "Look!"},
    {"role": "assistant", "content": "", "tool_calls": [CALL.for_template()]},
    {"role": "tool", "content": "Open."},
]


@pytest.mark.parametrize(
    ("template", "written", "form"),
    [
        ("HERMES", '<tool_call>\n{"name": "a_call", "arguments": {"the_argument": 1}}\n</tool_call>', HERMES),
        ("LLAMA3", '{"name": "a_call", "parameters": {"the_argument": 1}}', OBJECTS),
        ("MISTRAL", '[{"name": "a_call", "arguments": {"the_argument": 1}, "id": "call00000"}]', OBJECTS),
        ("MISTRAL_SMALL", 'a_call{"the_argument": 1}', NAMED),
        ("PHI4_MINI", '[{"name": "a_call", "arguments": {"the_argument": 1}}]', OBJECTS),
        ("GLM4", 'a_call\n{"the_argument": 1}', NAMED),
        ("UNKNOWN", "A_CALL(\nthe_argument)", None),
    ],
)
def test_a_call_is_found_as_the_template_writes_it(template, written, form):
    tokenizer = ToolTokenizer(getattr(tool_templates, template))

    assert own_call(tokenizer) == written
    assert form_of(written, CALL) is form


def test_a_template_without_tools_writes_no_call():
    assert own_call(ToolTokenizer("{% for m in messages %}{{ m.content }}{% endfor %}")) is None


def test_a_template_that_demands_ids_gets_them_for_calls_and_results():
    tokenizer = ToolTokenizer(tool_templates.MISTRAL)

    assert takes_tools(tokenizer)
    text = rendered(tokenizer, TALK, prompt=True)
    assert '"id": "call00000"}]</s>[TOOL_RESULTS] {"content": Open., "call_id": "call00000"}' in text


def test_a_template_that_does_not_gets_none():
    every = "{% for m in messages %}{{ m | tojson }}{% endfor %}{{ tools | tojson if tools is defined }}"

    assert '"id"' not in rendered(ToolTokenizer(every), TALK, prompt=True)
