"""What the chat template of a model writes for a tool call, without its special tokens, as an answer's text has it."""

import re
from typing import Any

from toolkit.core.errors import ModelError
from toolkit.model.chat_template import CALL_TRIAL, rendered, takes_tools
from toolkit.model.conversation import Messages

ANSWER = "0answer0"
NAME, ARGUMENTS = "a_call", {"the_argument": 1}  # of CALL_TRIAL


def own_call(tokenizer: Any) -> str | None:
    """Of a call to NAME with ARGUMENTS: "" where it cannot be found, None where the template takes no tools.

    The call stands where another answer would, and ends with the first special token behind its arguments.
    """
    if not takes_tools(tokenizer):
        return None
    question, call, result = CALL_TRIAL
    answer: Messages = [question, {"role": "assistant", "content": ANSWER}, question]
    try:
        before = rendered(tokenizer, answer, prompt=False).partition(ANSWER)[0].rstrip()
        text = rendered(tokenizer, [question, call, result], prompt=False)
    except ModelError:
        return ""
    if not text.startswith(before):
        return ""
    rest = text[len(before) :]
    special = [re.escape(one.content) for one in tokenizer.added_tokens_decoder.values() if one.special]
    marks = re.compile("|".join(sorted(special, key=len, reverse=True)) or "(?!)")
    end = marks.search(rest, rest.find(next(iter(ARGUMENTS))))
    return marks.sub("", rest[: end.start()] if end else rest).strip()
