"""Strategies: documents that are almost right, as a mistaken or hostile author would write them."""

import json
from typing import Any

from hypothesis import strategies as st

# Written into the text, since json.dumps writes neither.
DEEP, LONG = "@deep@", "@long@"
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    2**31,
    2**63,
    -(2**64),
    10**30,
    10**400,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\0",
    "\ufeff",
    "\ud800",
    "\udfff\ud800",
    "\x1b]0;owned\x07",
    "\x9b2J",
    "\u202e",
    "@someone",
    "a\nb",
    "a/../../b",
    "/",
    "~",
    "x" * 5000,
    "好" * 300,
    "2024-13-45",
    "1:2:3",
    "(a+)+$",
    "(",
    "a{99999999999}",
    "[bold]",
    "{name}",
    "{0.x}",
    "%s",
    "nan",
    "*",
    "Infinity",
    "-0",
    "\u2028",
    "9" * 30,
    [],
    {},
    [[]],
    {"": None},
    {"__proto__": 1},
    [None],
    ["x"] * 300,
    {"a": {"b": {"c": []}}},
    DEEP,
    LONG,
]
FRAGMENTS = [
    "\0",
    "\ufeff",
    "\x1b",
    "\u2028",
    "\x85",
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    "\\ud800",
    ",",
    ":",
    "\n",
    "\n\n",
    "\t",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "!!int x",
    "!!timestamp x",
    "!!binary é",
    "!!python/object:os.system ",
    "? ",
    "--- ",
    "%YAML 9\n",
    "#",
    "| ",
    "> ",
    "NaN",
    "Infinity",
    "1e999",
    "2024-13-45",
    "'",
    "0x",
    "[" * 3000,
    '{"a":' * 3000,
    "1" * 5000,
    "&x [*x, *x]",
    "=",
    "`",
    "\r",
    "\r\n",
    "…",
    ";",
    "a,b",
]

values = st.one_of(
    st.sampled_from(VALUES),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
        max_leaves=6,
    ),
)


@st.composite
def documents(draw: st.DrawFn, valid: Any) -> Any:
    """The valid document with up to three of its parts replaced, removed, repeated or renamed."""
    document = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(1, 3))):
        document = _changed(draw, document)
    return document


def _changed(draw: st.DrawFn, part: Any) -> Any:
    """Descends into a random part and changes it there."""
    if isinstance(part, dict) and part and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(part)))
        match draw(st.integers(0, 7)):
            case 0:
                return {name: inner for name, inner in part.items() if name != key}
            case 1:
                return {**part, draw(st.sampled_from(["", "\ud800", "x", "\x1b", "a.b", "1"])): draw(values)}
            case _:
                return {**part, key: _changed(draw, part[key])}
    if isinstance(part, list) and part and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(part) - 1))
        return [*part[:at], _changed(draw, part[at]), *part[at + 1 :], *part[: draw(st.integers(0, 1))]]
    return draw(values)


def written(document: Any) -> str:
    """As JSON, which is YAML too."""
    text = json.dumps(document, ensure_ascii=False)
    text = text.encode("utf-8", "backslashreplace").decode()  # half characters as escapes, which JSON allows
    return text.replace(f'"{DEEP}"', "[" * 3000 + "]" * 3000).replace(f'"{LONG}"', "1" * 5000)


@st.composite
def files(draw: st.DrawFn, *texts: str) -> bytes:
    """The bytes of one of the texts, with fragments put in, parts cut out, or its end missing."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 3))):
        at, cut = draw(st.integers(0, len(text))), draw(st.sampled_from([0, 0, 1, 5]))
        text = text[:at] + draw(st.sampled_from(FRAGMENTS)) + text[at + cut :]
    if not draw(st.integers(0, 4)):
        text = text[: draw(st.integers(0, len(text)))]
    data = text.encode("utf-8", "surrogatepass")
    return data if draw(st.integers(0, 9)) else data + draw(st.binary(max_size=5))
