"""The chat page: one file, and the policy by which a browser loads nothing else and runs nothing added to it."""

import base64
import hashlib
import re
from functools import cache

from toolkit.paths import PACKAGE

PAGE = PACKAGE / "templates" / "chat.html"


@cache
def page_and_policy() -> tuple[str, str]:
    """The page, and its Content-Security-Policy: its own style and script by their hashes, its own server, no more."""
    page = PAGE.read_text(encoding="utf-8")
    style, script = (_hash(page, tag) for tag in ("style", "script"))
    return page, (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(page: str, tag: str) -> str:
    [inner] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()}'"
