"""docs/fragile.md and the tests beside this one list the same dependencies."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rows() -> list[list[str]]:
    """The cells of each table's rows, headers left out."""
    lines = (ROOT / "docs/fragile.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "We rely on"]


def test_every_row_names_its_test_and_every_test_has_its_row() -> None:
    tests = [
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        if path != Path(__file__)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]

    assert sorted(row[3].strip("`") for row in rows()) == sorted(tests)


def test_every_row_names_modules_that_exist() -> None:
    named = {path for row in rows() for path in re.findall(r"`([\w/]+(?:\.py|/))`", row[1])}

    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / "toolkit" / path).exists()] == []
