"""Reads lists of tools and tool calls in the forms that data sets and clients write. Pure; raises RowFault."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.core.text import short
from toolkit.data.records import DECODER, Doubled, RowFault, kind_of
from toolkit.data.tools.calls import DEEPEST, ToolCall, is_deep, json_text

# Where a null in a tool's schema means something; elsewhere it is what Parquet has for a key that is not there.
NULL_IS_A_VALUE, NULL_IS_AN_ITEM = frozenset({"default", "const"}), frozenset({"enum", "examples"})
AS_OPENAI = 'write it as {"type": "function", "function": {"name": …, "parameters": …}}'
JSON = (dict, list, str, int, float, type(None))
AS_CALL = 'write it as {"name": …, "arguments": {…}}'


def read_tools(value: Any, where: str) -> str:
    """A list of tools, also as a JSON text or a single tool, as the JSON text of a list in OpenAI's form."""
    parsed = _parsed(value, where) if isinstance(value, str) else value
    tools = [parsed] if isinstance(parsed, dict) else parsed
    if not isinstance(tools, list):
        raise RowFault(f"{where} is {kind_of(parsed)}, not a list of tools", AS_OPENAI)
    _require_sound(tools, where)
    read = [_tool(tool, f"{where} item {number}") for number, tool in enumerate(tools, start=1)]
    names = [tool["function"]["name"] for tool in read]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RowFault(f"{where} has two tools named {twice!r}", "keep one of them")
    return sys.intern(json_text(read)) if read else ""  # most rows of a data set have the same list


def _tool(value: Any, where: str) -> dict[str, Any]:
    tool = _parsed(value, where) if isinstance(value, str) else value
    _require_sound(tool, where)
    if isinstance(tool, dict) and "function" not in tool and "type" not in tool:
        tool = {"type": "function", "function": tool}
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"].strip():
        raise RowFault(f"{where} is not a tool with a name", AS_OPENAI)
    _require_parts(tool, function, where)
    return dict(_without_padding(tool))


def _require_parts(tool: Mapping[str, Any], function: Mapping[str, Any], where: str) -> None:
    """Raises RowFault for a part that chat templates do not take: most would write it, some would fail."""
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, value, kind in (
        ("type", tool.get("type"), str), ("description", function.get("description"), str),
        ("parameters", schema, dict), ("properties", properties, dict),
    ):  # fmt: skip
        if value is not None and not isinstance(value, kind):
            wanted = "a string" if kind is str else "an object"
            raise RowFault(f"{where} has {name!r} that is {kind_of(value)}, not {wanted}", AS_OPENAI)


def _without_padding(value: Any) -> Any:
    """A schema without the keys that are null because another row of the file has them."""
    if isinstance(value, list):
        return [_without_padding(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: one if key in NULL_IS_A_VALUE | NULL_IS_AN_ITEM else _without_padding(one)
        for key, one in value.items()
        if one is not None or key in NULL_IS_A_VALUE
    }


def tool_names(tools: str) -> list[str]:
    """Of a list that `read_tools` returned."""
    return [str(tool["function"]["name"]) for tool in json.loads(tools)] if tools else []


def read_calls(value: Any, where: str) -> Iterator[ToolCall]:
    """Of one call or a list of them, as objects or as JSON text; each OpenAI's or a name with its arguments."""
    parsed = _parsed(value, where) if isinstance(value, str) else value
    for call in parsed if isinstance(parsed, list) else [parsed]:
        yield _call(call, where)


def _call(value: Any, where: str) -> ToolCall:
    _require_sound(value, where)
    function = value.get("function", value) if isinstance(value, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"].strip():
        raise RowFault(f"{where} has a call without a function's name", AS_CALL)
    given = function.get("arguments", function.get("parameters"))
    text = given.strip() if isinstance(given, str) else None
    arguments = {} if given is None or text == "" else given if text is None else _parsed(text, where)
    if not isinstance(arguments, dict):
        raise RowFault(f"{where} has a call with arguments that are {kind_of(arguments)}, not an object", AS_CALL)
    _require_sound(arguments, where)
    return ToolCall(name=function["name"], arguments=json_text(arguments))


def _require_sound(value: Any, where: str) -> None:
    """Raises RowFault for a value that is nested too deep, has a key twice, or is none of JSON."""
    if is_deep(value):
        raise RowFault(f"{where} is nested in more than {DEEPEST} levels", "delete what no model needs")
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Doubled):
            raise one.fault(where)
        if not isinstance(one, JSON):
            raise RowFault(f"{where} has {short(str(one))!r}, which JSON cannot write", "write it as text")
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


def sound_text(value: Any, where: str) -> str:
    """What a tool returned, as JSON."""
    _require_sound(value, where)
    return json_text(value)


def _parsed(text: str, where: str) -> Any:
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise RowFault(f"{where} is not JSON: {error}", "correct it, or delete the row") from None


def in_order_of_calls(results: Sequence[tuple[str | None, Any]], ids: Sequence[str | None]) -> list[Any]:
    """Results in the order of the calls that they belong to, if the ids of both say which; else as they come.

    Chat templates have no place for ids.
    """
    order = {one: at for at, one in enumerate(ids)}
    given = [one for one, _ in results]
    if None in order or len(order) != len(ids) or sorted(map(str, given)) != sorted(map(str, ids)):
        return [result for _, result in results]
    return [result for _, result in sorted(results, key=lambda pair: order[pair[0]])]
