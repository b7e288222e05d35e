"""The published form of report.json and of other files, made from their types."""

from collections.abc import Mapping
from typing import Any

from toolkit.runs.comparison import ComparisonRecord
from toolkit.runs.layout import REPORT_SCHEMA_VERSION
from toolkit.runs.record import Part


def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of report.json; docs/report.schema.json is this."""
    return schema_of(ComparisonRecord, f"report.json of toolkit compare, schema_version {REPORT_SCHEMA_VERSION}")


def schema_of(kind: type[Part], title: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a type as it is written."""
    schema: dict[str, Any] = _without_titles(kind.model_json_schema(mode="serialization"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | schema


def _without_titles(schema: Any) -> Any:
    """Pydantic's titles repeat the names of fields and classes."""
    if isinstance(schema, Mapping):
        kept = {key: value for key, value in schema.items() if key != "title"}
        return {key: _without_titles(value) for key, value in kept.items()}
    return [_without_titles(value) for value in schema] if isinstance(schema, list) else schema
