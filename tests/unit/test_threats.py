"""docs/threats.md: every test that it names exists."""

import ast
import re

import pytest

from image.core.project import ROOT

PAGE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
ROWS = [row for row in PAGE.splitlines() if row.startswith("| ") and not row.startswith("| attack")]
CITED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("path", "name"), CITED)
def test_the_test_that_is_named_exists(path: str, name: str) -> None:
    names = {node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert any(each.startswith("test_") for each in names)
    assert not name or name in names


def test_every_attack_has_a_test() -> None:
    assert len(ROWS) > 20
    assert [row for row in ROWS if "`tests/" not in row] == []
