"""JSON and YAML of others: bounded in size, depth and expansion, and each fault with its line."""

from pathlib import Path

import pytest

from toolkit.core.documents import parse_json, parse_yaml, read_json

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
    "two documents": ("a: 1\n---\nb: 2", "line 2: but found another document"),
}
FAULTY_JSON = {
    "nesting": ("[" * 5000 + "]" * 5000, "nested more than 100 deep"),
    "less nesting": ("[" * 200 + "]" * 200, "nested more than 100 deep"),
    "a huge number": (f"[1{'0' * 400}]", "a whole number has 401 digits"),
    "a number that no integer is read from": (f"[1{'0' * 5000}]", "limit"),
    "half a character": ('{"a": "\\ud800"}', "half a character"),
    "half a character in a key": ('{"\\ud800": 1}', "half a character"),
    "not JSON": ("{", "line 1"),
}


@pytest.mark.parametrize("fault", FAULTY_YAML)
def test_a_fault_of_yaml_is_named_with_its_line(fault: str):
    text, why = FAULTY_YAML[fault]
    with pytest.raises(ValueError) as caught:
        parse_yaml(text)
    assert why in str(caught.value)


@pytest.mark.parametrize("fault", FAULTY_JSON)
def test_a_fault_of_json_is_named(fault: str):
    text, why = FAULTY_JSON[fault]
    with pytest.raises(ValueError) as caught:
        parse_json(text)
    assert why in str(caught.value)


def test_what_is_sound_is_read():
    value, node = parse_yaml("a: [1, 2.5, true, null, 2024-01-02, '&x *x', 你]\n")

    assert value["a"][5:] == ["&x *x", "你"]
    assert node.start_mark.line == 0
    assert parse_yaml("") == (None, None)
    assert parse_json('{"model_max_length": 1000000000000000019884624838656}')  # what tokenizers write


def test_a_byte_order_mark_is_no_part_of_a_file_and_a_large_file_is_refused(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")

    assert read_json(path) == [1]
    with pytest.raises(ValueError, match="more than"):
        read_json(path, max_bytes=5)
