"""Fetches one file at a time from the Hugging Face hub or ModelScope. Every failure is a ModelError.

An interrupted file stays beside the target as `<name>.incomplete`, and the next fetch requests only the rest. Retries
are the clients' own and bounded. The clients are imported inside the functions: huggingface_hub reads its environment
(HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT) at import.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from toolkit.core import environment
from toolkit.core.errors import ConfigError, ToolkitError
from toolkit.core.events import Listener, Progress
from toolkit.core.file_stats import remember_sha256
from toolkit.core.network_environment import require_usable_network
from toolkit.model.hub import pieces
from toolkit.model.hub.failures import Trouble, failure, restart_failure, size_failure
from toolkit.model.hub.pieces import NoRangesError, fetch_pieces
from toolkit.model.lock import Lock, LockedFile

Source = Literal["hf", "modelscope"]
MODELSCOPE = "https://www.modelscope.cn"
MODELSCOPE_REVISION = "master"  # its commits differ from the other hub's; the lock's sha256 decides
MAX_RESTARTS = 3  # of a file, by a server that ignores Range
Fetch = Callable[[Lock, LockedFile, Path, Listener], None]


def fetch_from(source: Source, endpoint: str | None = None) -> Fetch:
    """A function that fetches a file into a folder; `endpoint` defaults to the environment's or the hub's own.

    Raises ConfigError for an endpoint that is not a URL.
    """
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise ConfigError(f'The endpoint "{endpoint}" is not a URL.', next="Start it with https:// or http://.")
    fetch = _fetch_hf if source == "hf" else _fetch_modelscope
    return partial(fetch, endpoint=endpoint.rstrip("/") if endpoint else None)


def incomplete(folder: Path, name: str) -> Path:
    """The file that a download is written to until it is complete; modelscope_hub uses the same name."""
    return folder / f"{name}.incomplete"


def _fetch_hf(lock: Lock, file: LockedFile, folder: Path, listener: Listener, *, endpoint: str | None) -> None:
    """Over plain HTTP, as hf_hub_download without Xet, which discards an interrupted file where this keeps it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(lock.repository, file.name, revision=lock.revision, endpoint=endpoint)
    require_usable_network(url, "httpx")
    with translated_errors(hf_trouble, lock, file, incomplete(folder, file.name)):
        # One request without retries: no network, a wrong revision and a wrong size are reported at once.
        _require_size(get_hf_file_metadata(url, endpoint=endpoint).size, file)
        fetch_url(url, lambda: build_hf_headers(library_name="toolkit"), file, folder, listener)


def fetch_url(
    url: str, headers: Callable[[], Mapping[str, str]], file: LockedFile, folder: Path, listener: Listener
) -> None:
    """Fetches `file` from a server that gives its bytes at `url`; in pieces if it is large and the server can.

    `headers`: called for each request. Raises the client's own errors, and OSError.
    """
    arriving, meter = incomplete(folder, file.name), _Meter(file, listener)
    # Compressed bytes cannot be resumed by their offset in the file.
    plain = {"Accept-Encoding": "identity"}
    with _retries_to("huggingface_hub", meter.remark):
        sha256 = None
        if file.size_bytes > pieces.PIECE_BYTES:
            with suppress(NoRangesError):
                sha256 = fetch_pieces(url, lambda: {**headers(), **plain}, arriving, file.size_bytes, meter.reach)
        if sha256 is None:
            _fetch_whole(url, {**headers(), **plain}, file, arriving, meter)
    pieces.forget(arriving)
    arriving.replace(folder / file.name)
    if sha256 is not None:
        remember_sha256(folder / file.name, sha256)


def _fetch_whole(url: str, headers: Mapping[str, str], file: LockedFile, arriving: Path, meter: "_Meter") -> None:
    """Over one connection; goes on after what an earlier fetch left, if that has no gaps."""
    from huggingface_hub.file_download import http_get

    with arriving.open("ab") as stream:
        if pieces.forget(arriving) or stream.tell() > file.size_bytes:
            stream.truncate(0)
        http_get(
            url, stream, resume_size=stream.seek(0, os.SEEK_END), headers=dict(headers),
            expected_size=file.size_bytes, tqdm_class=meter.open_bar,
        )  # fmt: skip


def _fetch_modelscope(lock: Lock, file: LockedFile, folder: Path, listener: Listener, *, endpoint: str | None) -> None:
    environment.quiet_modelscope()
    require_usable_network(endpoint or MODELSCOPE, "requests")
    from modelscope_hub import HubApi

    meter = _Meter(file, listener)
    translated = translated_errors(modelscope_trouble, lock, file, incomplete(folder, file.name))
    with translated, _retries_to("modelscope_hub", meter.remark):
        HubApi(endpoint=endpoint).downloader.download_file(
            lock.repository,
            "model",
            file.name,
            revision=MODELSCOPE_REVISION,
            local_dir=folder,
            cache_dir=folder / ".cache",  # for its locks; the user's own cache stays out of it
            file_size=file.size_bytes,
            progress_callbacks=[cast("Any", meter.open_callback)],
        )


def _require_size(offered_bytes: int | None, file: LockedFile) -> None:
    if offered_bytes is not None and offered_bytes != file.size_bytes:
        raise size_failure(file, offered_bytes)


@contextmanager
def translated_errors(
    trouble: Callable[[Exception], Trouble | None], lock: Lock, file: LockedFile, arriving: Path
) -> Iterator[None]:
    """Within, every exception becomes a ModelError; `trouble` classifies a client's own ones."""
    try:
        arriving.parent.mkdir(parents=True, exist_ok=True)
        yield
    except ToolkitError:
        raise
    except Exception as error:
        raise failure(trouble(error), error, lock, file, arriving) from error


def hf_trouble(error: Exception) -> Trouble | None:
    """What huggingface_hub's error means; None for one that is not about the hub."""
    import httpx
    from huggingface_hub import errors

    if isinstance(error, errors.RevisionNotFoundError):
        return "revision"
    if isinstance(error, errors.HfHubHTTPError):
        return int(error.response.status_code)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "offline"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    return "unreachable" if isinstance(error, httpx.HTTPError | httpx.InvalidURL) else None


def modelscope_trouble(error: Exception) -> Trouble | None:
    from modelscope_hub import errors

    if isinstance(error, errors.APIError) and error.status_code is not None:
        return error.status_code
    if isinstance(error, errors.FileIntegrityError):
        return "bytes"
    if isinstance(error, errors.RequestTimeoutError):
        return "timeout"
    return "unreachable" if isinstance(error, errors.NetworkError) else None


@contextmanager
def _retries_to(logger_name: str, remark: Callable[[str], None]) -> Iterator[None]:
    """Within, a client's warnings about retries become one short remark; its own lines have long URLs."""
    logger = logging.getLogger(logger_name)
    handlers, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [_RetryHandler(remark)], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate


class _RetryHandler(logging.Handler):
    def __init__(self, remark: Callable[[str], None]) -> None:
        super().__init__(level=logging.WARNING)
        self._remark = remark

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002  # logging's signature
        self._remark("the hub stopped answering, trying again")


class _Meter:
    """Counts the bytes of one file; stands in for huggingface_hub's progress bar and for modelscope_hub's callback."""

    def __init__(self, file: LockedFile, listener: Listener) -> None:
        self._file, self._listener = file, listener
        self._done = self._restarts = 0

    def open_bar(self, *, initial: int = 0, **_: object) -> Self:
        """Called by huggingface_hub in place of its bar's class."""
        self._done = initial
        return self

    def open_callback(self, _name: str, _size: int) -> Self:
        """Called by modelscope_hub in place of its callback's class."""
        return self

    def update(self, count: float) -> None:
        if count < 0:
            self._restarts += 1
            if self._restarts > MAX_RESTARTS:
                raise restart_failure(self._file, self._restarts)
        self._done += int(count)
        self.remark("")

    def reach(self, done: int) -> None:
        """So many bytes of the file are there."""
        self._done = done
        self.remark("")

    def remark(self, detail: str) -> None:
        size = self._file.size_bytes
        self._listener(Progress(task=self._file.name, done=self._done, total=size, unit="bytes", detail=detail))

    def end(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
