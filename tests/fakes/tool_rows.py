"""One conversation with a tool call in each form that data sets have, and Qwen2.5's own chat template."""

import json
import shutil
from pathlib import Path
from typing import Any

QWEN25 = Path(__file__).with_name("qwen2.5.jinja")
FUNCTION: dict[str, Any] = {
    "name": "book_table",
    "description": "Books a table, 订座",
    "parameters": {"type": "object", "properties": {"people": {"type": "integer"}}, "required": ["people"]},
}
TOOL = {"type": "function", "function": FUNCTION}
ASKED, ANSWERED, RESULT = "A table for three, please.", "Your table for three is booked.", '{"ok": true}'
ARGUMENTS: dict[str, Any] = {"people": 3, "note": "靠窗"}
CALL = {"name": "book_table", "arguments": ARGUMENTS}
AS_TEXT = {"name": "book_table", "arguments": json.dumps(ARGUMENTS)}
OPENAI_CALL = {"id": "c1", "type": "function", "function": AS_TEXT}
USER, END = {"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}
FORMS: dict[str, dict[str, Any]] = {
    "OpenAI": {
        "tools": [TOOL],
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": AS_TEXT}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": RESULT},
            END,
        ],
    },
    "OpenAI, without content": {
        "tools": [TOOL],
        "messages": [
            USER,
            {"role": "assistant", "tool_calls": [OPENAI_CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": RESULT},
            END,
        ],
    },
    "OpenAI, functions": {
        "functions": [FUNCTION],
        "messages": [
            USER,
            {"role": "assistant", "content": None, "function_call": AS_TEXT},
            {"role": "function", "name": "book_table", "content": RESULT},
            END,
        ],
    },
    "ShareGPT": {
        "tools": json.dumps([FUNCTION]),
        "conversations": [
            {"from": "human", "value": ASKED},
            {"from": "function_call", "value": json.dumps(CALL)},
            {"from": "observation", "value": RESULT},
            {"from": "gpt", "value": ANSWERED},
        ],
    },
    "ms-swift": {
        "tools": json.dumps([TOOL]),
        "messages": [
            USER,
            {"role": "tool_call", "content": json.dumps(CALL)},
            {"role": "tool_response", "content": RESULT},
            END,
        ],
    },
    "ms-swift, of Parquet": {
        "tools": [{"type": "function", "function": FUNCTION | {"strict": None}}],
        "messages": [
            USER | {"loss": None},
            {"role": "tool_call", "content": CALL},
            {"role": "tool", "content": {"ok": True}},
            END,
        ],
    },
}


def with_qwen25_template(folder: Path, to: Path) -> Path:
    """A copy of a model's folder with Qwen2.5's chat template."""
    shutil.copytree(folder, to)
    shutil.copyfile(QWEN25, to / "chat_template.jinja")
    return to
