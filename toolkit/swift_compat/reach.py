"""Whether a hub answers, within seconds: ms-swift itself asks for more than a minute before it gives up."""

import os
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from toolkit.core.errors import ToolkitError
from toolkit.swift_compat.named_sources import HUGGING_FACE, HubName, unreachable

PATIENCE_S = 5.0


def require_reachable(names: list[HubName]) -> None:
    """Raises ModelError or DataError, one for all that one hub should give and cannot."""
    for hub in dict.fromkeys(name.hub for name in names):
        wanted = [name for name in names if name.hub == hub and not is_cached(name)]
        if wanted and (failure := _failure(hub, wanted)) is not None:
            raise failure


def _failure(hub: str, wanted: list[HubName]) -> ToolkitError | None:
    host, port = _address(hub)
    if hub == HUGGING_FACE and os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        return unreachable(wanted, host, "HF_HUB_OFFLINE forbids it")
    proxy = urlsplit(getproxies().get("https") or "")
    reason = why_not(proxy.hostname, proxy.port or 3128) if proxy.hostname else why_not(host, port)
    return unreachable(wanted, host, reason) if reason else None


def _address(hub: str) -> tuple[str, int]:
    if hub == HUGGING_FACE:
        named = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    else:
        domain = os.environ.get("MODELSCOPE_DOMAIN") or "www.modelscope.cn"
        named = os.environ.get("MODELSCOPE_ENDPOINT") or domain
    url = urlsplit(named if "://" in named else f"https://{named}")
    return url.hostname or named, url.port or (80 if url.scheme == "http" else 443)


def why_not(host: str, port: int, patience_s: float = PATIENCE_S) -> str | None:
    """None where it answers. In a thread, since a look-up of names knows no timeout."""
    reasons: list[str | None] = []

    def attempt() -> None:
        try:
            socket.create_connection((host, port), timeout=patience_s).close()
            reasons.append(None)
        except OSError as error:
            reasons.append(error.strerror or str(error))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(patience_s)
    return reasons[0] if reasons else f"no answer within {patience_s:.0f} s"


def is_cached(name: HubName) -> bool:
    """Downloaded before, as far as the folder's name tells; then ms-swift decides."""
    owner, _, repository = name.name.rpartition("/")
    kind = "models" if name.kind == "model" else "datasets"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    if name.hub == HUGGING_FACE:
        home = Path(os.environ.get("HF_HOME") or cache / "huggingface")
        return (Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"{kind}--{owner}--{repository}").is_dir()
    home = Path(os.environ.get("MODELSCOPE_CACHE") or Path("~/.cache/modelscope").expanduser())
    folders = (repository, repository.replace(".", "___"))
    return any((home / hub / kind / owner / each).is_dir() for hub in ("", "hub") for each in folders)
