"""What a model is asked: messages, tools, system prompts, and how many new tokens an answer may have. Pure.

A system prompt is a text, or one of two that stand for none. They mean the same in every command, recipe and file:
DEFAULT ("") sends no system message, so the chat template adds its own default; NONE ("(none)") sends an empty one.
"""

import json
from typing import Any

# [{"role": …, "content": …}, …] as chat templates take them, an assistant's also with `tool_calls`; before them may
# stand THINKING, and a message of the role TOOLS with the tools, both of which templates take apart.
Messages = list[dict[str, Any]]
TOOLS = "tools"
THINKING: Messages = [{"role": "thinking", "content": ""}]  # before a conversation that is answered after a thought
DEFAULT, NONE = "", "(none)"
NO_SYSTEM_HELP = '"" is the model\'s own default, "(none)" an empty one.'  # for the help of every --system
MAX_NEW_TOKENS = 64
THOUGHT_TOKENS = 1024  # of a thought, beside those of the answer after it
DEFAULT_SYSTEM = "You are a helpful assistant."


def system_messages(system: str) -> Messages:
    """What a conversation under this system prompt begins with: one message, or none for DEFAULT."""
    return [] if system == DEFAULT else [{"role": "system", "content": "" if system == NONE else system}]


def conversation(prompt: str, system: str) -> Messages:
    """One question under a system prompt."""
    return [*system_messages(system), {"role": "user", "content": prompt}]


def tools_messages(tools: str) -> Messages:
    """What a conversation begins with that has these tools, a JSON list of objects; nothing for none."""
    return [{"role": TOOLS, "content": tools}] if tools else []


def is_thinking(messages: Messages) -> bool:
    """Whether it is to be answered after a thought, by a model that thinks."""
    return messages[:1] == THINKING


def with_call_ids(messages: Messages) -> Messages:
    """Each call and its result under an id, in Mistral's form: some chat templates demand them."""
    found: Messages = []
    ids: list[str] = []
    count = 0
    for one in messages:
        if calls := one.get("tool_calls"):
            ids = [f"call{count + at:05}" for at in range(len(calls))]
            count += len(calls)
            found.append({**one, "tool_calls": [{**call, "id": name} for call, name in zip(calls, ids, strict=True)]})
        else:
            found.append({**one, "tool_call_id": ids.pop(0)} if one["role"] == "tool" and ids else one)
    return found


def text_bytes(message: dict[str, Any]) -> int:
    """The length of everything that one message says, its calls included."""
    calls = message.get("tool_calls")
    return len(message["content"].encode()) + (len(json.dumps(calls, ensure_ascii=False).encode()) if calls else 0)
