"""The Go template of a Modelfile for a base model that takes tools, if it renders them in Hermes' form within ChatML.

Ollama writes a tool and the arguments of a call as compact JSON ({"a":1}), chat templates with spaces ({"a": 1}): in
this the prompts differ, as they do with Ollama's own template for Qwen2.5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from toolkit.core.errors import ModelError
from toolkit.data.tools.calls import BEGIN, END, ToolCall, json_text
from toolkit.model.conversation import Messages, tools_messages

TURN, STOP = "<|im_start|>", "<|im_end|>"
RESULT, RESULT_END = "<tool_response>", "</tool_response>"
TOOLS = [{"type": "function", "function": {"name": name, "description": "三"}} for name in ("one", "two")]
TEMPLATE = (
    '{{- $last := "" }}{{ range $at, $message := .Messages }}'
    '{{ if and (eq $at 0) (ne .Role "system") }}{{ if $.Tools }}%(default_with_tools)s{{ else }}%(default)s{{ end }}'
    f'{{{{ end }}}}{{{{ if and (eq $last "tool") (ne .Role "tool") }}}}{STOP}\n{{{{ end }}}}'
    f'{{{{ if eq .Role "tool" }}}}{{{{ if ne $last "tool" }}}}{TURN}user{{{{ end }}}}\n{RESULT}\n{{{{ .Content }}}}\n'
    f"{RESULT_END}{{{{ else }}}}{TURN}{{{{ .Role }}}}{{{{ if or .Content (not .ToolCalls) }}}}\n{{{{ .Content }}}}"
    '{{ end }}{{ if and (eq $at 0) (eq .Role "system") $.Tools }}%(tools)s{{ end }}'
    # Ollama takes the text after this condition for the mark by which it recognises calls in an answer.
    f"{{{{ if .ToolCalls }}}}\n{BEGIN}\n{{{{ range $n, $call := .ToolCalls }}}}{{{{ if $n }}}}\n{END}\n{BEGIN}\n"
    '{{ end }}{"name": "{{ $call.Function.Name }}", "arguments": {{ $call.Function.Arguments }}}'
    f"{{{{ end }}}}\n{END}{{{{ end }}}}{STOP}\n{{{{ end }}}}{{{{ $last = .Role }}}}{{{{ end }}}}"
    f'{{{{ if eq $last "tool" }}}}{STOP}\n{{{{ end }}}}{TURN}assistant\n'
)
LISTED = "{{ range $n, $tool := $.Tools }}{{ if $n }}\n{{ end }}{{ $tool }}{{ end }}"
QUESTION = {"role": "user", "content": "一 first"}
SYSTEM = {"role": "system", "content": "二 second"}
CALLS = [ToolCall(name="one", arguments="{}"), ToolCall(name="two", arguments='{"四": [1, "五"]}')]
TALK: Messages = [
    QUESTION,
    {"role": "assistant", "content": "", "tool_calls": [CALLS[0].for_template()]},
    {"role": "tool", "content": "六"},
    {"role": "assistant", "content": "七", "tool_calls": [call.for_template() for call in CALLS]},
    {"role": "tool", "content": "八"},
    {"role": "tool", "content": "九"},
]


@dataclass(frozen=True, kw_only=True)
class ToolTexts:
    """What stands around the list of tools, and the system message before it where a conversation has none."""

    before: str
    after: str
    default: str


def tool_texts(render: Callable[[Messages], str], implied: Messages) -> ToolTexts | None:
    """Those of a chat template; None if it has no tools, or writes them in another form.

    `implied`: the system message that training added to a conversation without one, if any.
    """
    listed = "\n".join(map(json_text, TOOLS))
    tools = tools_messages(json_text(TOOLS))
    try:
        own = render([*tools, SYSTEM, QUESTION]).removeprefix(f"{TURN}system\n{SYSTEM['content']}")
        before, found, rest = own.partition(listed)
        after = rest.partition(f"{STOP}\n")[0]
        default = render([*tools, *implied, QUESTION]).removeprefix(f"{TURN}system\n").partition(before + listed)[0]
        texts = ToolTexts(before=before, after=after, default=default)
        pairs = [
            (render([*tools, SYSTEM, *TALK]), with_tools(texts, [SYSTEM, *TALK])),
            (render([*tools, *implied, *TALK, QUESTION]), with_tools(texts, [*TALK, QUESTION])),
        ]
    except ModelError:
        return None
    return texts if found and before and all(rendered == expected for rendered, expected in pairs) else None


def with_tools(texts: ToolTexts, messages: Messages) -> str:
    """What the template renders of a conversation with TOOLS, but for the spaces in JSON."""
    system, *turns = messages if messages[0]["role"] == "system" else [{"content": texts.default}, *messages]
    listed = "\n".join(map(json_text, TOOLS))
    return f"{TURN}system\n{system['content']}{texts.before}{listed}{texts.after}{STOP}\n{chatml(turns)}"


def chatml(messages: Messages) -> str:
    """Turns without what may come before the first, up to where the answer begins."""
    parts = []
    for is_result, group in groupby(messages, key=lambda one: one["role"] == "tool"):
        if is_result:
            results = "".join(f"\n{RESULT}\n{one['content']}\n{RESULT_END}" for one in group)
            parts.append(f"{TURN}user{results}{STOP}\n")
        else:
            parts += [f"{TURN}{one['role']}{_content(one)}{STOP}\n" for one in group]
    return f"{''.join(parts)}{TURN}assistant\n"


def _content(message: dict[str, object]) -> str:
    calls = message.get("tool_calls")
    made = [one["function"] for one in calls] if isinstance(calls, list) else []
    text = f"\n{message['content']}" if message["content"] or not made else ""
    return text + "".join(
        f'\n{BEGIN}\n{{"name": "{one["name"]}", "arguments": {json_text(one["arguments"])}}}\n{END}' for one in made
    )


def template(texts: ToolTexts, preamble: str, literal: Callable[[str], str]) -> str:
    """The Go template. `preamble`: before a conversation without a system message and tools; `literal`: quotes text."""
    tools = literal(texts.before) + LISTED + literal(texts.after)
    return TEMPLATE % {
        "default": literal(preamble),
        "default_with_tools": f"{TURN}system\n{literal(texts.default)}{tools}{STOP}\n",
        "tools": tools,
    }
