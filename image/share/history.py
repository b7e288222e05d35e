"""What was published from here, where to, and under which digest: output/published.json."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from image.core.files import replace_atomically

RECORDS = "published.json"


@dataclass(frozen=True, kw_only=True)
class Published:
    reference: str
    digest: str
    layers: int
    layers_sent: int
    bytes_sent: int
    seconds: float
    published_at: str
    run: str | None = None


def record(output: Path, published: Published) -> None:
    """Adds to the records in `output`, the newest last. Raises ConfigError."""
    path = output / RECORDS
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["published"]
    except (OSError, ValueError, KeyError):
        before = []
    replace_atomically(path, json.dumps({"schema_version": 1, "published": [*before, asdict(published)]}, indent=2))
