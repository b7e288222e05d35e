"""Whether a value is what docs/ promise of a command's --json."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

DOCS = Path(__file__).parents[2] / "docs"


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """`name`: of a file in docs/schemas, or of one of the two in docs."""
    inner, outer = (folder / f"{name}.schema.json" for folder in (DOCS / "schemas", DOCS))
    file = inner if inner.is_file() else outer
    return jsonschema.Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))


def holds(name: str, value: Any) -> Any:
    """The value, as JSON has it, which the schema of this name accepts."""
    plain = json.loads(json.dumps(value))
    validator(name).validate(plain)
    return plain
