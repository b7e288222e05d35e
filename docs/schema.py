"""Writes docs/*.schema.json from the types of these files: `make docs`. Unit tests check that they are current."""

import json
from pathlib import Path

from toolkit.compare.report.pair.record import pair_schema
from toolkit.runs.report_schema import report_schema

SCHEMAS = {"report.schema.json": report_schema, "pair.schema.json": pair_schema}

if __name__ == "__main__":
    for name, schema in SCHEMAS.items():
        text = json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"
        Path(__file__).with_name(name).write_text(text, encoding="utf-8")
