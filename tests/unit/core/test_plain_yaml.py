"""YAML of others: bounded in size, depth and expansion, and each fault with its line."""

import re

import pytest

from toolkit.core.plain_yaml import parse_yaml

LAUGHS = "a: &a [x, x]\n" + "".join(f"b{at}: &b{at} [*{'a' if at == 0 else f'b{at - 1}'}]\n" for at in range(20))
FAULTY_YAML = {
    "aliases": (LAUGHS, "line 2: aliases"),
    "merged aliases": ("a: &a {b: 1}\nc:\n  <<: *a\n", "line 3: aliases"),
    "nesting": ("a: 1\nb: " + "[" * 5000, "line 2: nested more than 100 deep"),
    "nested blocks": ("".join(f"{' ' * at}a:\n" for at in range(300)), "line 100: nested"),
    "an impossible date": ("a: 1\nb: 2024-13-45", "line 2: not a value: month"),
    "a huge number": (f"a: 1{'0' * 400}", "line 1: a number or date of more than 100"),
    "a number of base 60": (f"a: 1{':1' * 400}", "line 1: a number or date of more than 100"),
    "a number without a float": (f"a: 1{'0' * 60}", "line 1: not a value: a whole number has 61 digits"),
    "a text as number": ("a: !!int b", "line 1: not a value"),
    "a text as time": ("a: !!timestamp b", "line 1: not a value"),
    "half a character": ('a: 1\nb: "\\ud800"', "line 2: not a value"),
    "NUL": ("a: 1\nb: \0", "line 2: the character U+0000"),
    "an object": ("a: !!python/object:os.system b", "line 1: could not determine a constructor"),
    "an open list": ("a: [1,\n", "line 2: expected"),
    "a key twice": (
        "a: 1\nb:\n  c: 1\n  d: {}\n  'c': 1",
        "line 5: the key 'c' is there twice, first in line 3: keep one",
    ),
    "a key twice in a line": ("a: {b: 1, c: 2, b: 1}", "line 1: the key 'b' is there twice, first in line 1"),
    "two documents": ("a: 1\n---\nb: 2", "line 2: but found another document"),
}


@pytest.mark.parametrize("fault", FAULTY_YAML)
def test_a_fault_of_yaml_is_named_with_its_line(fault: str):
    text, why = FAULTY_YAML[fault]
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_yaml(text)


def test_a_file_without_end_is_not_parsed():
    with pytest.raises(ValueError, match="more than 4 million characters"):
        parse_yaml("- a\n" * 1_000_001)


def test_the_node_knows_the_lines():
    value, node = parse_yaml("# a comment\nprobes:\n  - a\n\n  - '&x *x'\n")

    assert value == {"probes": ["a", "&x *x"]}
    assert node is not None
    assert [item.start_mark.line + 1 for item in node.value[0][1].value] == [3, 5]
    assert parse_yaml("") == (None, None)
