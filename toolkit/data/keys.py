"""What the keys of a row and of a message mean beyond its text: what is refused, and what has to be said. Pure."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from toolkit.core.text import short
from toolkit.data.records import RowFault, kind_of

EMPTY_TEXTS = ("", "[]", "{}", "null")  # a CSV cell or a JSON string without content
PREFERENCE_KEYS = (
    "chosen", "rejected", "rejected_response", "rejected_messages", "rejected_answer", "chosen_response",
)  # fmt: skip
MEDIA_KEYS = ("image", "images", "video", "videos", "audio", "audios")
TOOL_LIST_KEYS = ("tools", "functions")  # of a row: what the model may call
CALL_KEYS = ("tool_calls", "function_call")  # of an assistant's message: what it calls
THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts")  # of an assistant's message
ROW_THOUGHT = "reasoning_content"  # of a row with one answer: the thought before it
VERDICT_KEYS = ("label", "kto_tag")  # KTO: whether the answer is a good one
LOSS_KEYS = ("loss", "weight", "train", "training", "loss_weight", "loss_scale", "output_with_loss")
LOSS_PARTS = ("train_detail", "training_detail")  # axolotl: which characters are trained
# Keys that change what should be learned: a warning where they are not used.
WEIGHTY_KEYS = frozenset({
    *THOUGHT_KEYS, *LOSS_KEYS, *VERDICT_KEYS, "score", "rating", "rationale", "explanation", "cot", "instruction",
    "input", "context", "query", "prompt", "question", "problem", "history", "system_prompt", "text",
    "messages", "conversations", "conversation",
})  # fmt: skip
WEIGHTY_ENDINGS = ("weight", "score", "rating", "rationale", "explanation", "cot", "reasoning")  # quality_score
_REFUSALS = (
    (PREFERENCE_KEYS, "preference data ({keys}), which ranks answers; finetune learns one answer a row",
     "write the better answer as the row's answer, and leave out the other"),
    (MEDIA_KEYS, "data for a model that sees or hears ({keys}); this one reads only text", "delete the row"),
)  # fmt: skip
_OF_ROWS = (CALL_KEYS, "calls ({keys}) beside its messages", "write them into the assistant's message")
_OF_MESSAGES = (
    (TOOL_LIST_KEYS, "tools ({keys}) of its own", "write them beside the messages, as the row's 'tools'"),
)  # fmt: skip
REFUSED_KEYS = tuple(key for keys, _, _ in (*_REFUSALS, _OF_ROWS) for key in keys)
UNTRAINABLE = frozenset({*VERDICT_KEYS, *REFUSED_KEYS})  # what `require_trainable` looks at


def plain_name(key: str) -> str:
    """The key in lower case, its words joined by underscores: `System Prompt` is `system_prompt`."""
    return key.strip().casefold().replace(" ", "_").replace("-", "_")


def with_names(found: Mapping[str, Any], name_of: Callable[[str], str]) -> Mapping[str, Any]:
    """The object with its keys under the names that `name_of` gives them. Raises RowFault if two get the same."""
    if _are_named(tuple(found), name_of):
        return found
    named: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, value in found.items():
        name = name_of(key)
        if name in named and meaningful(named[name]) and meaningful(value) and named[name] != value:
            raise RowFault(f"{origins[name]!r} and {key!r} both mean {name!r}", "keep one of them")
        if name not in named or meaningful(value):
            named[name], origins[name] = value, key
    return named


@lru_cache(maxsize=4096)
def _are_named(keys: tuple[str, ...], name_of: Callable[[str], str]) -> bool:
    return all(name_of(key) == key for key in keys)


def weighty(key: str) -> bool:
    """Whether it would change what should be learned; `key` as `unread_in_message` and the readers of rows name it."""
    name = plain_name(key.rpartition("[].")[2].partition(" of the ")[0])
    return name in WEIGHTY_KEYS or name.rpartition("_")[2] in WEIGHTY_ENDINGS


def meaningful(value: Any) -> bool:
    """Whether a value says anything: not null, NaN, an empty text, list or object."""
    if value is None:
        return False
    if isinstance(value, str):
        return value.strip() not in EMPTY_TEXTS
    return value == value and value not in ([], {})  # noqa: PLR0124  # NaN differs from itself


def require_trainable(row: Mapping[str, Any]) -> None:
    """Raises RowFault for a row whose keys say that its answer is not simply to be learned."""
    if UNTRAINABLE.isdisjoint(row):
        return
    for key in VERDICT_KEYS:
        value = row.get(key)
        if value is False or (isinstance(value, str) and value.strip().lower() == "false"):
            raise RowFault(f"{key!r} is false: KTO data, in which this answer is an example of a bad one",
                           "delete the row; finetune learns every answer that it is given")  # fmt: skip
    _refuse(row, (*_REFUSALS, _OF_ROWS))


def require_plain_message(message: Mapping[str, Any], where: str) -> None:
    """Raises RowFault for what a message says beyond its text and cannot be trained."""
    _refuse(message, (*_REFUSALS, *_OF_MESSAGES), where)
    for key in LOSS_PARTS:
        if meaningful(message.get(key)):
            raise RowFault(f"{where} has {key!r}, which trains parts of a message",
                           "split the message, or delete the key")  # fmt: skip


def _refuse(found: Mapping[str, Any], refusals: tuple[tuple[tuple[str, ...], str, str], ...], where: str = "") -> None:
    for keys, why, remedy in refusals:
        if named := [repr(key) for key in keys if key in found and meaningful(found[key])]:
            reason = why.format(keys=", ".join(named))
            raise RowFault(f"{where} has {reason}" if where else reason, remedy)


def is_trained(message: Mapping[str, Any], where: str) -> bool:
    """Whether the loss flags of an assistant's message leave it trained; without any it is. Raises RowFault."""
    flags = {key: _flag(message[key], f"{where} has {key!r}") for key in LOSS_KEYS if message.get(key) is not None}
    if len(set(flags.values())) > 1:
        raise RowFault(f"{where} has flags that disagree: {', '.join(map(repr, flags))}", "keep one of them")
    return all(flags.values())


def _flag(value: Any, what: str) -> bool:
    if value in (0, 1):  # true, false, 0.0 and 1.0 too
        return bool(value)
    shown = short(repr(value), 30) if isinstance(value, int | float | str) else kind_of(value)
    raise RowFault(f"{what} {shown}", "use true or false (1 or 0): a message is trained or it is not")


def unread_in_message(message: Mapping[str, Any], read: tuple[str, ...], role: str) -> Iterator[str]:
    """The keys of a message that say something and change nothing."""
    for key, value in message.items():
        if key in LOSS_KEYS:
            if role != "assistant" and value:  # false is what holds for it anyway
                yield f"{key} of the {role}"
        elif key not in read and meaningful(value):
            yield key
