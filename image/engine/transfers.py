"""A push's events as values. Pure."""

from dataclasses import dataclass
from typing import Any

FINISHED = ("Pushed", "Layer already exists", "Mounted from")


@dataclass(frozen=True, kw_only=True)
class PushEvent:
    layer: str = ""  # the short name that the engine gives it
    status: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    digest: str = ""  # in the last event of a push that went well
    error: str = ""

    @property
    def finished(self) -> bool:
        return self.status.startswith(FINISHED)

    @property
    def was_there(self) -> bool:
        return self.finished and self.status != "Pushed"


def read_event(event: dict[str, Any]) -> PushEvent:
    """An event of the engine's; the digest comes in `aux` (overlay2 store) or in words (containerd store)."""
    if "error" in event:
        detail = event.get("errorDetail") or {}
        return PushEvent(error=str(detail.get("message") or event["error"]))
    status, progress = str(event.get("status") or ""), event.get("progressDetail") or {}
    digest = str((event.get("aux") or {}).get("Digest") or "")
    if not digest and " digest: " in status:
        digest = status.partition(" digest: ")[2].split(maxsplit=1)[0]
    return PushEvent(
        layer=str(event.get("id") or ""),
        status=status,
        done_bytes=int(progress.get("current") or 0),
        total_bytes=int(progress.get("total") or 0),
        digest=digest,
    )
