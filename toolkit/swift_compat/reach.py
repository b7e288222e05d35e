"""Checks within seconds whether a hub answers; ms-swift itself retries for more than a minute."""

import os
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from toolkit.core.errors import ToolkitError
from toolkit.swift_compat.named_sources import HUGGING_FACE, HubName, unreachable

TIMEOUT_S = 5.0


def require_reachable(names: list[HubName]) -> None:
    """Raises ModelError or DataError if a hub cannot be reached, naming all that was to come from it."""
    for hub in dict.fromkeys(name.hub for name in names):
        missing = [name for name in names if name.hub == hub and not is_cached(name)]
        if missing and (failure := _failure(hub, missing)) is not None:
            raise failure


def _failure(hub: str, missing: list[HubName]) -> ToolkitError | None:
    host, port = _address(hub)
    if hub == HUGGING_FACE and os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        return unreachable(missing, host, "HF_HUB_OFFLINE is set")
    proxy = urlsplit(getproxies().get("https") or "")
    reason = connection_error(proxy.hostname, proxy.port or 3128) if proxy.hostname else connection_error(host, port)
    return unreachable(missing, host, reason) if reason else None


def _address(hub: str) -> tuple[str, int]:
    if hub == HUGGING_FACE:
        named = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    else:
        domain = os.environ.get("MODELSCOPE_DOMAIN") or "www.modelscope.cn"
        named = os.environ.get("MODELSCOPE_ENDPOINT") or domain
    url = urlsplit(named if "://" in named else f"https://{named}")
    return url.hostname or named, url.port or (80 if url.scheme == "http" else 443)


def connection_error(host: str, port: int, timeout_s: float = TIMEOUT_S) -> str | None:
    """None if the host answers, else the reason. In a thread, since a name lookup has no timeout."""
    reasons: list[str | None] = []

    def attempt() -> None:
        try:
            socket.create_connection((host, port), timeout=timeout_s).close()
            reasons.append(None)
        except OSError as error:
            reasons.append(error.strerror or str(error))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout_s)
    return reasons[0] if reasons else f"no answer within {timeout_s:.0f} s"


def is_cached(name: HubName) -> bool:
    """Whether a folder of that name is in the hub's cache; ms-swift then checks its content."""
    owner, _, repository = name.name.rpartition("/")
    kind = "models" if name.kind == "model" else "datasets"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    if name.hub == HUGGING_FACE:
        home = Path(os.environ.get("HF_HOME") or cache / "huggingface")
        return (Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"{kind}--{owner}--{repository}").is_dir()
    home = Path(os.environ.get("MODELSCOPE_CACHE") or Path("~/.cache/modelscope").expanduser())
    folders = (repository, repository.replace(".", "___"))
    return any((home / hub / kind / owner / each).is_dir() for hub in ("", "hub") for each in folders)
