"""The door to the model hubs, and the only package that knows huggingface_hub and modelscope: files come and go."""

from toolkit.hub.fetch import MODELSCOPE_REVISION, Fetch, Source, fetch_from, incomplete
from toolkit.hub.upload import Remote, Uploaded, find_remote, require_token, upload

__all__ = [
    "MODELSCOPE_REVISION",
    "Fetch",
    "Remote",
    "Source",
    "Uploaded",
    "fetch_from",
    "find_remote",
    "incomplete",
    "require_token",
    "upload",
]
