"""A probe file as plain values with the line that each probe stands on: YAML, or JSON a line. Raises DataError."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import DataError

HEAD = frozenset({"schema_version", "identity", "thresholds", "systems"})
Numbered = Sequence[tuple[int, object]]  # a line, counted from 1, and what stands there


def read_probe_file(path: Path) -> tuple[dict[str, Any], Numbered]:
    """Everything but the probes, and the probes."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            f"Cannot read the probes {path}: {error.strerror}.", next="Name a file with --probes."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8: {error}.", next="Save it as UTF-8.") from None
    return _json_lines(text, path) if path.suffix.lower() in {".jsonl", ".ndjson"} else _yaml(text, path)


def _json_lines(text: str, path: Path) -> tuple[dict[str, Any], Numbered]:
    """A line that holds only keys of the head, such as {"identity": {…}}, speaks for the whole file."""
    head: dict[str, Any] = {}
    probes: list[tuple[int, object]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}, is not JSON: {error}.", next="Mend that line.") from None
        if isinstance(value, dict) and value and set(value) <= HEAD:
            head |= value
        else:
            probes.append((number, value))
    return {"schema_version": 1, **head}, probes


def _yaml(text: str, path: Path) -> tuple[dict[str, Any], Numbered]:
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise DataError(f"{path} is not YAML: {' '.join(str(error).split())}.", next="Mend it.") from None
    probes = value.get("probes") if isinstance(value, dict) else None
    if node is None or value is None or not isinstance(probes, list):
        raise DataError(f"{path} has no list of probes.", next="See data/probes.yaml for the form.")
    lines = next(
        [item.start_mark.line + 1 for item in inner.value] for key, inner in node.value if key.value == "probes"
    )
    return {key: one for key, one in value.items() if key != "probes"}, list(zip(lines, probes, strict=True))
