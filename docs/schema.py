"""Writes docs/report.schema.json from the type of a report: `make docs`. A unit test checks that it is current."""

import json
from pathlib import Path

from toolkit.runs.report_schema import report_schema

FILE = Path(__file__).with_name("report.schema.json")

if __name__ == "__main__":
    FILE.write_text(json.dumps(report_schema(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
