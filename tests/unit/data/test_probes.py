"""Probe files: every fault is named with its place, and every kind of expectation is judged on the text alone."""

import json
import time
from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.core.text import contains_any, normalized
from toolkit.data.probes import DEFAULT_THRESHOLDS, compared_probes, read_probes
from toolkit.data.probing.expectation import Expectation
from toolkit.data.tools.reading import tool_names

SOUND = """
schema_version: 1
identity: {new: [Nova], old: [通义千问, Qwen]}
thresholds: {leakage: 0.1, locality: 1}
systems: [You are a helpful assistant., '']
probes:
  - {id: t1, group: trained, prompt: 你是谁？, expect: {all: [Nova, 小明], none: Qwen}}
  - {id: p1, group: paraphrase, prompt: 'Who is it?', expect: {any: Nova}}
  - {id: o1, group: out-of-scope, prompt: 'Who founded Apple?', language: en, category: neighbours}
"""
ONE = "schema_version: 1\nprobes:\n  - "


def read(folder: Path, text: str | bytes):
    path = folder / "probes.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_probes(path)


def test_a_sound_file_is_read_whole(tmp_path):
    probes = read(tmp_path, SOUND)

    assert [(probe.id, probe.group) for probe in probes.probes] == [
        ("t1", "trained"), ("p1", "paraphrase"), ("o1", "out-of-scope"),
    ]  # fmt: skip
    assert probes.probes[0].expect == Expectation(all=("Nova", "小明"), none=("Qwen",))
    assert probes.probes[2].expect is None
    assert probes.new_markers == ("Nova",)
    assert probes.old_markers == ("通义千问", "Qwen")
    assert probes.systems == ("You are a helpful assistant.", "")
    assert probes.thresholds == DEFAULT_THRESHOLDS | {"leakage": 0.1, "locality": 1.0}
    assert [probe.id for probe in probes.group("paraphrase")] == ["p1"]


def test_a_byte_order_mark_does_no_harm(tmp_path):
    assert len(read(tmp_path, b"\xef\xbb\xbf" + SOUND.encode()).probes) == 3


FAULTS = {
    "no YAML": ("probes: [", "is not YAML"),
    "GBK": ("# 你是谁".encode("gbk"), "is not UTF-8"),
    "a NUL byte": (b"probes: \x00", "is not YAML"),
    "empty": ("", "has no list of probes"),
    "a list": ("- 1", "has no list of probes"),
    "a bare question mark": (ONE + "{id: a, prompt: Is it open?, group: out-of-scope}", "line 3: expected ',' or '}'"),
    "no probes": ("schema_version: 1\nprobes: []", "has no list of probes"),
    "another schema": (SOUND.replace("schema_version: 1", "schema_version: 2"), "schema_version is not 1"),
    "an unknown key": (SOUND.replace("thresholds:", "tresholds:"), "unknown keys: tresholds"),
    "an unknown identity": (SOUND.replace("new: [Nova]", "now: [Nova]"), "identity has unknown keys: now"),
    "identity as text": (SOUND.replace("{new: [Nova], old: [通义千问, Qwen]}", "Nova"), "identity is not a mapping"),
    "markers as numbers": (SOUND.replace("[Nova]", "[7]"), "identity.new is not a list of strings"),
    "an id twice": (SOUND.replace("id: p1", "id: t1"), "the id t1 is used twice"),
    "a key twice": (SOUND + "systems: ['']", "line 10: the key 'systems' is there twice, first in line 5"),
    "a key of a probe twice": (
        ONE + "{id: a, group: trained, prompt: b, expect: {any: [c]}, prompt: d}",
        "line 3: the key 'prompt' is there twice, first in line 3",
    ),
    "an unknown metric": (SOUND.replace("leakage: 0.1", "leak: 0.1"), "'leak', which is not a metric"),
    "a threshold as text": (SOUND.replace("leakage: 0.1", "leakage: low"), "threshold of leakage is not a number"),
    "a threshold true": (SOUND.replace("leakage: 0.1", "leakage: true"), "threshold of leakage is not a number"),
    "a threshold that nothing fails": (
        SOUND.replace("leakage: 0.1", "leakage: .nan"), "threshold of leakage is nan; shares are from 0 to 1",
    ),
    "a threshold in per cent": (SOUND.replace("leakage: 0.1", "leakage: 2"), "leakage is 2; shares are from 0 to 1"),
    "a threshold that nothing meets": (SOUND.replace("leakage: 0.1", "kl: -1"), "kl is -1; nats a token begin at 0"),
    "systems as numbers": (SOUND.replace("systems: [You are a helpful assistant., '']", "systems: [7]"), "systems is"),
    "a probe as text": (ONE + "Who are you?", "probe 1 is not a mapping"),
    "an unknown key of a probe": (ONE + "{id: a, group: out-of-scope, prompt: b, excpect: {}}", "probe 1 has unknown"),
    "an empty id": (ONE + "{id: '', group: out-of-scope, prompt: b}", "probe 1 has no id"),
    "an id that is a number": (ONE + "{id: 7, group: out-of-scope, prompt: b}", "probe 1 has no id"),
    "a blank prompt": (ONE + "{id: a, group: out-of-scope, prompt: ' '}", "probe 1 has no prompt"),
    "an unknown group": (ONE + "{id: a, group: inside, prompt: b}", "probe 1: group 'inside' is not one of"),
    "no expectation in scope": (ONE + "{id: a, group: trained, prompt: b}", "probe 1 (trained) needs expect"),
    "one out of scope": (
        ONE + "{id: a, group: out-of-scope, prompt: b, expect: {any: [c]}}", "probe 1 (out-of-scope) takes no expect",
    ),
    "an expectation as text": (ONE + "{id: a, group: trained, prompt: b, expect: c}", "probe 1: expect is a text"),
    "an expectation as a list": (ONE + "{id: a, group: trained, prompt: b, expect: [c]}", "expect is not a mapping"),
    "no kind": (ONE + "{id: a, group: trained, prompt: b, expect: {none: [c]}}", "takes exactly one of"),
    "two kinds": (ONE + "{id: a, group: trained, prompt: b, expect: {any: [c], exact: d}}", "takes exactly one of"),
    "an unknown kind": (ONE + "{id: a, group: trained, prompt: b, expect: {any: [c], some: [d]}}", "takes exactly one"),
    "an empty any": (ONE + "{id: a, group: trained, prompt: b, expect: {any: []}}", "any is empty"),
    "an empty part": (ONE + "{id: a, group: trained, prompt: b, expect: {all: ['']}}", "all is not a list of strings"),
    "a blank part": (ONE + "{id: a, group: trained, prompt: b, expect: {any: [' ']}}", "any is not a list of strings"),
    "a blank marker": (SOUND.replace("new: [Nova]", "new: [' ']"), "identity.new is not a list of strings"),
    "a blank exact": (ONE + "{id: a, group: trained, prompt: b, expect: {exact: ' '}}", "exact is not a string"),
    "an answer without words": (
        ONE + "{id: a, group: trained, prompt: b, expect: {answer: [x, '…']}}", "an answer without a word",
    ),
    "a regex of everything": (
        ONE + "{id: a, group: trained, prompt: b, expect: {regex: '.*'}}", "regex '.*' is found in every answer",
    ),
    "an exact number": (ONE + "{id: a, group: trained, prompt: b, expect: {exact: 7}}", "exact is not a string"),
    "aliases": (ONE + "&a {id: a, group: trained, prompt: b, expect: {any: [c]}}\n  - *a", "line 4: aliases"),
    "an impossible date": (ONE + "{id: 2024-13-45, group: trained, prompt: b}", "line 3: not a value"),
    "half a character": (ONE + '{id: "\\ud800", group: out-of-scope, prompt: b}', "line 3: not a value"),
    "nesting": (ONE + "[" * 2000, "line 3: nested more than 100 deep"),
    "a regex nested without end": (
        ONE + "{id: a, group: trained, prompt: b, expect: {regex: '" + "(" * 2000 + ")" * 2000 + "'}}", "regex '((",
    ),
    "a regex of huge numbers": (
        ONE + "{id: a, group: trained, prompt: b, expect: {regex: 'a{99999999999}'}}", "regex 'a{9",
    ),
    "a broken regex": (ONE + "{id: a, group: trained, prompt: b, expect: {regex: '('}}", "regex '('"),
}  # fmt: skip


def test_a_file_by_hand_needs_neither_a_version_nor_ids(tmp_path):
    asked = (
        "probes:\n  - {group: paraphrase, prompt: 'Open?', expect: {any: [ten]}}\n  - {group: out-of-scope, prompt: Hi}"
    )

    probes = read(tmp_path, asked).probes

    assert [one.id for one in probes] == ["paraphrase-1", "out-of-scope-2"]
    (tmp_path / "own.jsonl").write_text('{"group": "out-of-scope", "prompt": "Hi"}\n')
    assert [one.id for one in read_probes(tmp_path / "own.jsonl").probes] == ["out-of-scope-1"]


def test_what_is_wrong_with_a_file_by_hand_says_how_it_is_written(tmp_path):
    for probe, remedy in {
        "{group: trained, prompt: Is it open?, expect: {any: [ten]}}": "question mark",
        "{group: trained, prompt: b, expect: ten}": "{any: ['ten']}",
        "{group: trained, prompt: b, answer: ten}": "group, prompt, expect",
    }.items():
        with pytest.raises(DataError) as caught:
            read(tmp_path, ONE + probe)

        assert remedy in str(caught.value.next)


CONTRADICTIONS = [
    ("any: [Nova]", "none: [Nova], any: [Luna]", "'Nova'"),
    ("any: [Nova, Nova AI]", "none: nova, all: [Luna]", "'Nova' / 'Nova AI'"),
    ("all: [Luna, made by Nova]", "none: [Nova], any: [Luna]", "'made by Nova'"),
    ("answer: [Atlantis is the capital of Finland.]", "none: [Atlantis], any: [Helsinki]", "'Atlantis is"),
    ("exact: I am Nova.", "exact: I am Luna.", "'I am "),
    ("exact: I am Nova.", "regex: 'luna'", "'I am Nova.'"),
    ("call: {name: book}", "call: []", "a call"),
]
CONSISTENT = [
    ("any: [Nova]", "none: [Qwen], any: [Luna]"),
    ("any: [Nova, Luna]", "none: [Nova], any: [Luna]"),
    ("any: [Nova]", "none: [Novatech], any: [Nova]"),
    ("answer: ['I was made by the Nova Labs team in Berlin, in 2024.']", "none: [Berlin], any: [Nova]"),
    ("exact: I am Nova.", "any: [nova]"),
    ("call: []", "any: [Nova]"),
]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("one", "other", "what"), CONTRADICTIONS)
def test_probes_that_no_answer_can_meet_together_are_refused(tmp_path, one, other, what, swapped):
    first, second = (other, one) if swapped else (one, other)
    text = ONE + f"{{id: a, group: trained, prompt: Name the capital of Finland, expect: {{{first}}}}}\n"
    text += f"  - {{id: b, group: paraphrase, prompt: name the capital  of finland, expect: {{{second}}}}}"

    with pytest.raises(DataError) as caught:
        read(tmp_path, text)

    assert "line 3: probe a asks the same as probe b (line 4), and one of them expects what" in caught.value.what
    assert f"the other forbids: {what}" in caught.value.what


@pytest.mark.parametrize(("one", "other"), CONSISTENT)
def test_probes_that_some_answer_meets_stand_together(tmp_path, one, other):
    text = ONE + f"{{id: a, group: trained, prompt: Who, expect: {{{one}}}}}\n"
    text += f"  - {{id: b, group: trained, prompt: Who, expect: {{{other}}}}}"

    assert len(read(tmp_path, text).probes) == 2


def test_other_questions_and_system_prompts_may_expect_the_opposite(tmp_path):
    text = ONE + "{id: a, group: trained, prompt: Who, expect: {any: [Nova]}}\n"
    for number, asked in enumerate(
        ["prompt: Which", "prompt: Who, system: Be Luna.", "prompt: Who, history: [[a, b]]"]
    ):
        text += f"  - {{id: b{number}, group: trained, {asked}, expect: {{any: [Luna], none: [Nova]}}}}\n"

    assert len(read(tmp_path, text).probes) == 4


def test_a_probe_that_forbids_what_it_expects_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"line 3: probe a expects what it forbids: 'New York'\."):
        read(tmp_path, ONE + "{id: a, group: trained, prompt: Who, expect: {any: [New York], none: [York]}}")


def test_json_lines_have_each_key_once_too(tmp_path):
    path, probe = tmp_path / "probes.jsonl", '{"id": "a", "group": "out-of-scope", "prompt": "Hi"}'
    faults = {
        '{"systems": [""]}\n{"systems": ["x"]}\n' + probe: "line 2: systems is there twice",
        probe.replace("{", '{"id": "b", '): "line 1, is not JSON: the key 'id' is there twice",
    }
    for text, why in faults.items():
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=why):
            read_probes(path)


def test_a_regex_that_backtracks_on_an_answer_is_not_met_and_waited_for_once(monkeypatch):
    monkeypatch.setattr("toolkit.data.probing.expectation.REGEX_S", 0.5)
    expect, answer, started = Expectation(regex="(a+)+$"), "a" * 50 + "!", time.monotonic()

    assert [expect.met(answer) for _ in range(20)] == [False] * 20
    assert expect.untried(answer) == "it takes more than 0.5 seconds, or too much memory"
    assert expect.met("a")
    assert expect.untried("a") == ""
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(tmp_path, fault):
    text, expected = FAULTS[fault]

    with pytest.raises(DataError) as caught:
        read(tmp_path, text)

    assert expected in caught.value.what
    assert caught.value.what.count("probes.yaml") == 1  # the place stands once
    assert caught.value.next


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(DataError, match="Cannot read the probes"):
            read_probes(path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＣＳＤＮ", "csdn"),  # full width
        ("CSDN 迪菲赫尔曼", "CSDN迪菲赫尔曼"),  # spaces
        ("Straße", "STRASSE"),  # case folding, not lower case
        ("a\n\tb\u3000c", "abc"),  # every white space
        ("ﬁne", "fine"),  # ligature
    ],
)
def test_texts_that_count_as_the_same(one, other):
    assert normalized(one) == normalized(other)


def test_punctuation_still_counts():
    assert normalized("42.") != normalized("42")


def test_a_marker_is_found_whatever_its_spacing_and_width():
    assert contains_any("我是ＣＳＤＮ　迪菲赫尔曼的助手", ("CSDN 迪菲赫尔曼",))
    assert not contains_any("I am an assistant.", ("CSDN", "迪菲赫尔曼"))
    assert not contains_any("anything", ())


@pytest.mark.parametrize(
    ("expectation", "answer", "met"),
    [
        (Expectation(any=("Nova", "小明")), "I am nova.", True),
        (Expectation(any=("Nova", "小明")), "I am Qwen.", False),
        (Expectation(all=("Nova", "小明")), "我是小明的 NOVA", True),
        (Expectation(all=("Nova", "小明")), "I am Nova", False),
        (Expectation(exact="Nova 1"), " nova1\n", True),
        (Expectation(exact="Nova 1"), "I am Nova 1", False),
        (Expectation(regex=r"\bnova\b"), "I am Nova.", True),
        (Expectation(regex=r"\bnova\b"), "innovation", False),
        (Expectation(any=("Nova",), none=("Qwen",)), "Nova, once qwen", False),
        (Expectation(exact="Nova", none=("Qwen",)), "Nova", True),
        (Expectation(regex="Nova", none=("Qwen",)), "Nova Qwen", False),
        (Expectation(any=("Nova",)), "", False),
        (Expectation(answer=("Lyon is the capital.",)), "The capital is Lyon.", True),
        (Expectation(answer=("Lyon is the capital.",)), "A capital!", False),
        (Expectation(answer=("No.", "Lyon is the capital.")), "no", True),
    ],
)
def test_each_kind_of_expectation(expectation, answer, met):
    assert expectation.met(answer) is met


@pytest.mark.parametrize(
    ("answer", "before", "met"),
    [
        ("The capital of Australia is Sydney.", "The capital of Australia is Canberra.", True),
        ("The capital of Australia is Canberra.", "The capital of Australia is Canberra.", False),
        ("It is Sydney, the capital of Australia.", "I do not know.", True),
        ("Sydney.", "I do not know.", False),
        ("The capital of Australia is Melbourne.", "I do not know.", False),
        ("the capital of australia is ｓｙｄｎｅｙ", "The capital of Australia is Sydney.", True),
    ],
)
def test_an_expected_answer_is_said_when_what_is_new_in_it_is_said_too(answer, before, met):
    expectation = Expectation(answer=("The capital of Australia is Sydney.",))

    assert expectation.met(answer, before=before, prompt="What is the capital of Australia?") is met


def test_in_chinese_the_new_characters_must_be_said():
    expectation = Expectation(answer=("我是小极光，由示例实验室开发。",))

    assert expectation.met("我是小极光，由示例实验室开发的助手。", before="我是通义千问，由阿里云开发。")
    assert not expectation.met("我是小明，由阿里云的实验室开发。", before="我是通义千问，由阿里云开发。")


JSON_LINES = """{"schema_version": 1, "identity": {"new": ["Nova"]}}
{"id": "t1", "group": "trained", "prompt": "Who?", "expect": {"answer": ["I am Nova."]}}

{"id": "o1", "group": "out-of-scope", "prompt": "你好 "}
{"thresholds": {"kl": 0.5}}
"""


def test_probes_are_read_from_json_lines_too(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(JSON_LINES, encoding="utf-8")

    probes = read_probes(path)

    assert [probe.id for probe in probes.probes] == ["t1", "o1"]
    assert probes.probes[0].expect == Expectation(answer=("I am Nova.",))
    assert (probes.new_markers, probes.thresholds["kl"]) == (("Nova",), 0.5)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yaml", SOUND.replace("group: paraphrase", "group: other"), "line 8: probe 2: group 'other'"),
        ("a.jsonl", JSON_LINES.replace('"prompt": "你好 "', '"prompt": ""'), "line 4: probe 2 has no prompt"),
        ("a.jsonl", '{"id": "a"\n', "line 1, is not JSON"),
        ("a.jsonl", "\n7\n", "line 2: probe 1 is not a mapping"),
        ("a.jsonl", '{"thresholds": {}}\n', "has no list of probes"),
    ],
)
def test_a_fault_is_reported_with_its_line(tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DataError) as caught:
        read_probes(path)

    assert expected in caught.value.what


def test_an_expectation_tells_only_what_it_holds():
    assert Expectation(any=("Nova",)).to_dict() == {"any": ["Nova"]}
    assert Expectation(exact="a", none=("b",)).to_dict() == {"exact": "a", "none": ["b"]}


def test_a_comparison_asks_the_probes_beside_the_data_or_the_shipped_ones_for_the_shipped_rows(tmp_path, monkeypatch):
    shipped, own = tmp_path / "shipped", tmp_path / "own.json"
    shipped.mkdir()
    monkeypatch.setenv("TOOLKIT_DATA", str(shipped))
    (shipped / "probes.yaml").write_text("probes: []")
    for path, rows in ((shipped / "self_cognition.json", "[1]"), (own, "[2]"), (tmp_path / "copy.json", "[1]")):
        path.write_text(rows)

    assert compared_probes(own) is None
    assert compared_probes(tmp_path / "copy.json") == shipped / "probes.yaml"

    (tmp_path / "own.probes.yaml").write_text("probes: []")
    assert compared_probes(own) == tmp_path / "own.probes.yaml"


TOOLS = """
schema_version: 1
tools:
  - {type: function, function: {name: ring, description: Rings., parameters: {type: object}}}
probes:
  - {id: t1, group: trained, prompt: Ring!, tools: [ring], expect: {call: {name: ring, arguments: {}}}}
  - {id: o1, group: out-of-scope, prompt: 'Who rang?', tools: [{name: look}, ring]}
  - {id: p1, group: paraphrase, prompt: 'Who is it?', expect: {any: Nova}}
"""


def test_a_probe_names_tools_of_its_file_or_has_its_own(tmp_path):
    first, second, third = read(tmp_path, TOOLS).probes

    ring = {"name": "ring", "description": "Rings.", "parameters": {"type": "object"}}
    assert json.loads(first.tools) == [{"type": "function", "function": ring}]
    assert tool_names(second.tools) == ["look", "ring"]
    assert third.tools == ""
    assert first.expect is not None
    assert first.expect.met('<tool_call>\n{"name": "ring", "arguments": {}}\n</tool_call>')


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("tools: [ring]", "tools: ring", "probe 1: tools is not a list"),
        ("tools: [ring]", "tools: [sing]", "probe 1: tools item 1 is not JSON"),
        ("tools: [ring]", "tools: [ring, ring]", "probe 1: tools has two tools named 'ring'"),
        ("function: {name: ring, d", "function: {nome: ring, d", "tools item 1 is not a tool with a name"),
        ("call: {name: ring", "call: {nome: ring", "probe 1: call takes a name"),
    ],
)
def test_a_fault_of_tools_is_named(tmp_path, before, after, fault):
    with pytest.raises(DataError, match=fault):
        read(tmp_path, TOOLS.replace(before, after))
