"""A question becomes a probe in the file beside the data, whose own form and comments stay."""

from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.data.probes import read_probes
from toolkit.studio.probing import add_probe

FLOW = """# Mine.
schema_version: 1
probes:
  - {id: a, group: out-of-scope, prompt: "Why?"}  # stays
"""
BLOCK = """schema_version: 1
probes:
- id: a
  group: paraphrase
  prompt: Who?
  expect:
    any:
    - Nova
"""
HEAD_LAST = """probes:
  - {id: asked-1, group: out-of-scope, prompt: "Why?"}
schema_version: 1
"""


@pytest.mark.parametrize("text", [FLOW, BLOCK, HEAD_LAST])
def test_it_joins_the_file_whatever_its_form(tmp_path: Path, text: str):
    target = tmp_path / "mine.probes.yaml"
    target.write_text(text, encoding="utf-8")

    add_probe(target, None, question='Who "are" you: 你？ #1', group="paraphrase", expect=" Nova ")
    add_probe(target, None, question="How high?", group="out-of-scope", expect="")

    *_, asked, outside = read_probes(target).probes
    assert (asked.prompt, asked.group, asked.expect.any) == ('Who "are" you: 你？ #1', "paraphrase", ("Nova",))
    assert (outside.prompt, outside.group, outside.expect) == ("How high?", "out-of-scope", None)
    assert len(read_probes(target).probes) == 3
    if text is FLOW:
        assert target.read_text(encoding="utf-8").startswith(FLOW)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.probes.yaml"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"group": "trained", "expect": "x"}, "no group"),
        ({"group": "paraphrase", "expect": " "}, "what its answer must contain"),
        ({"group": "out-of-scope", "expect": "", "question": "Why?"}, "a probe already"),
    ],
)
def test_what_cannot_be_a_probe_changes_nothing(tmp_path: Path, fields: dict[str, str], message: str):
    target = tmp_path / "mine.probes.yaml"
    target.write_text(FLOW, encoding="utf-8")

    with pytest.raises(DataError, match=message):
        add_probe(target, None, **{"question": "Who?", **fields})
    assert target.read_text(encoding="utf-8") == FLOW
