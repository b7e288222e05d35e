"""Chat templates with tool calls in the forms that models have, and with thoughts: those of their makers, in short."""

from types import SimpleNamespace

from tests.fakes.tool_rows import QWEN25

HERMES = QWEN25.read_text(encoding="utf-8")
_LLAMA_TURN = "<|start_header_id|>{{ role }}<|end_header_id|>\n\n"
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{% set role = 'ipython' if m.role == 'tool' else m.role %}" + _LLAMA_TURN
    + "{% if loop.first and tools is defined and tools %}{{ tools | tojson }}\n{% endif %}"
    "{% if m.tool_calls %}{% if m.tool_calls | length > 1 %}{{ raise_exception('one call only') }}{% endif %}"
    "{% set call = m.tool_calls[0].function %}"
    '{"name": "{{ call.name }}", "parameters": {{ call.arguments | tojson }}}'
    "{% else %}{{ m.content | trim }}{% endif %}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}{% set role = 'assistant' %}" + _LLAMA_TURN + "{% endif %}"
)  # fmt: skip
MISTRAL = (  # tools stand before the last question, and every call has an id
    "{% set asked = messages | selectattr('role', 'equalto', 'user') | list %}{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' %}{% if tools is defined and tools and m == asked[-1] %}[AVAILABLE_TOOLS] {{ tools | tojson"
    " }}[/AVAILABLE_TOOLS]{% endif %}[INST] {{ m.content }}[/INST]"
    "{% elif m.role == 'tool' %}{% if m.tool_call_id is not defined or m.tool_call_id | length != 9 %}"
    "{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{% endif %}"
    '[TOOL_RESULTS] {"content": {{ m.content }}, "call_id": "{{ m.tool_call_id }}"}[/TOOL_RESULTS]'
    "{% elif m.tool_calls %}[TOOL_CALLS] [{% for call in m.tool_calls %}"
    "{% if call.id is not defined or call.id | length != 9 %}{{ raise_exception('no id') }}{% endif %}"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}, "id": "{{ call.id }}"}'
    "{{ ', ' if not loop.last }}{% endfor %}]{{ eos_token }}{% else %} {{ m.content }}{{ eos_token }}{% endif %}"
    "{% endfor %}"
)
MISTRAL_SMALL = (
    "{{ bos_token }}{% if tools is defined and tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]"
    "{% endif %}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% elif m.role == 'tool' %}"
    "[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]{% else %}{{ m.content }}{% for call in m.tool_calls or [] %}"
    "[TOOL_CALLS]{{ call.function.name }}[ARGS]{{ call.function.arguments | tojson }}{% endfor %}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)
PHI4_MINI = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if loop.first and tools is defined and tools %}<|tool|>"
    "{{ tools | tojson }}<|/tool|>{% endif %}{% if m.tool_calls %}<|tool_call|>[{% for call in m.tool_calls %}"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "{{ ', ' if not loop.last }}{% endfor %}]<|/tool_call|>{% endif %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
GLM4 = (
    "[gMASK]<sop>{% if tools is defined and tools %}<|system|>\n{{ tools | tojson }}{% endif %}{% for m in messages %}"
    "{% if m.tool_calls %}{% for call in m.tool_calls %}<|assistant|>{{ call.function.name }}\n"
    "{{ call.function.arguments | tojson }}{% endfor %}{% elif m.role == 'tool' %}<|observation|>\n{{ m.content }}"
    "{% else %}<|{{ m.role }}|>{{ '\n' }}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
UNKNOWN = GLM4.replace("{{ call.function.name }}", "{{ call.function.name | upper }}(").replace(
    "{{ call.function.arguments | tojson }}", "{{ call.function.arguments.keys() | list | join }})"
)
WITHOUT_TOOLS = "{% for one in messages %}[{{ one.role }}] {{ one.content }}\n{% endfor %}"
# Of models that think: with a switch, and always.
SWITCHED = (
    "{% for one in messages %}[{{ one.role }}] {{ one.content }}\n{% endfor %}{% if add_generation_prompt %}[a]\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
OPENING = "{% for one in messages %}[{{ one.role }}] {{ one.content }}\n{% endfor %}{{ '[a]<think>\n' }}"
SPECIAL = (
    "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<s>", "</s>", "[INST]",
    "[/INST]", "[TOOL_CALLS]", "[ARGS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>", "<|end|>", "<|user|>",
    "<|assistant|>", "<|observation|>", "<|system|>", "[gMASK]", "<sop>",
)  # fmt: skip


class ToolTokenizer:
    """A template, and the marks of all of them as special tokens; it has no ids."""

    added_tokens_decoder = {  # noqa: RUF012  # as transformers has it
        at: SimpleNamespace(content=mark, special=True) for at, mark in enumerate(SPECIAL)
    }

    def __init__(self, chat_template: str) -> None:
        self.chat_template = chat_template

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt, **further):
        from toolkit.model.chat_template import render

        marks = {"bos_token": "<s>", "eos_token": "</s>"}
        return render(
            self.chat_template,
            {"messages": messages, "add_generation_prompt": add_generation_prompt, **marks, **further},
        )
