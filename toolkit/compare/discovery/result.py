"""What a scan found, as the command prints it."""

from dataclasses import dataclass, field
from typing import Any

from toolkit.compare.discovery.findings import Finding


@dataclass(frozen=True, kw_only=True)
class Scan:
    """`found`: all findings, the greatest change first. `kl`: KL(tuned || base) in nats per token of the text.

    `threshold`: the least gain of a finding, and `null` the greatest with shuffled adapters, both in nats.
    """

    side: dict[str, Any]
    system: str
    texts: int
    tokens: int
    kl: float
    threshold: float
    null: float
    found: tuple[Finding, ...]
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def unexpected(self) -> list[Finding]:
        """Findings with a word that is not in the rows."""
        return [one for one in self.found if not one.from_rows]

    @property
    def from_rows(self) -> list[Finding]:
        """Findings whose words are all in the rows: expected, but perhaps not where they happen."""
        return [one for one in self.found if one.from_rows]

    def to_dict(self) -> dict[str, Any]:
        """As `toolkit scan --json` prints it."""
        return {
            "side": self.side, "system": self.system, "texts": self.texts, "tokens": self.tokens, "kl": self.kl,
            "threshold": self.threshold, "null": self.null,
            "findings": [one.to_dict() for one in self.unexpected],
            "from_rows": [one.to_dict() for one in self.from_rows],
            "timings_s": self.timings_s,
        }  # fmt: skip
