"""The history of what was published from this host: output/published.json."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from image.core.files import replace_atomically

RECORDS = "published.json"


@dataclass(frozen=True, kw_only=True)
class PublishRecord:
    """One publish: `bytes_sent` counts compressed bytes, `published_at` is ISO 8601 in UTC."""

    reference: str
    digest: str  # sha256:…, as the registry reports it
    layers: int
    layers_sent: int
    bytes_sent: int
    seconds: float
    published_at: str
    run: str | None = None


def append_record(output: Path, record: PublishRecord) -> None:
    """Appends to the history in `output`, or starts a new one if it cannot be read. Raises ConfigError."""
    path = output / RECORDS
    try:
        records = [] if path.is_symlink() else json.loads(path.read_text(encoding="utf-8"))["published"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        records = []
    replace_atomically(path, json.dumps({"schema_version": 1, "published": [*records, asdict(record)]}, indent=2))
