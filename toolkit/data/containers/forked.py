"""Work that holds the interpreter, in a copy of this process, while this one goes on: reading rows during imports."""

import io
import os
import pickle
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Generic, Self, TypeVar

from toolkit.core.errors import ToolkitError
from toolkit.core.limited_process import limited_process
from toolkit.core.startup import fork_beside
from toolkit.data.containers.blobs import Blobs

T = TypeVar("T")
Say = Callable[[Any], None]
HEAD = struct.Struct("Q")  # before each message: its length
MOST_FILES = 64  # of a message
MESSAGE, DONE, RAISED = "message", "done", "raised"
_originals: list[int] = []  # in a copy: of which processes it is one
NO_RESULT = ToolkitError("The process that reads the rows has ended.", next="Start again with more memory.")


def own_cores() -> int:
    """The cores that this process may use: in a copy all but one, since the original works beside it."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    return cores - len(_originals)


def can_fork() -> bool:
    """Whether a copy of this process can work: no thread holds a lock, and no library has begun threads of its own."""
    alone = threading.active_count() == 1 and "torch" not in sys.modules
    return alone and sys.platform == "linux" and (os.cpu_count() or 1) > 1


class Forked(Generic[T]):
    """`work` in a copy of this process from now on, which ends with this context at the latest, and with this process.

    What it returns comes back by pickle, files of Blobs as such, and so does what it says: `hear` gets that at once, in
    a thread of its own.
    """

    def __init__(self, work: Callable[[Say], T], hear: Say) -> None:
        self._hear = hear
        self._ended: tuple[str, Any] = RAISED, NO_RESULT
        self._ours, theirs = socket.socketpair()
        original = os.getpid()
        self._pid = fork_beside(lambda: _work(work, theirs, original))
        theirs.close()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self._listening.join()
        self._ours.close()

    def result(self) -> T:
        """What the work returned, once it has. Raises what it raised."""
        self._listening.join()
        kind, content = self._ended
        if kind == RAISED:
            raise content
        found: T = content
        return found

    def _listen(self) -> None:
        try:
            while (message := received(self._ours)) is not None:
                kind, content = message
                if kind != MESSAGE:
                    self._ended = message
                    return
                self._hear(content)
        except Exception as error:  # noqa: BLE001  # it is raised where the result is asked for
            self._ended = RAISED, error


def _work(work: Callable[[Say], Any], channel: socket.socket, original: int) -> None:
    """In the copy."""
    _originals.append(original)
    limited_process.cache_clear()  # its child answers the original
    try:
        message = DONE, work(lambda what: send(channel, (MESSAGE, what)))
    except Exception as error:  # noqa: BLE001  # the original raises it
        message = RAISED, error
    send(channel, message)


class _Pickler(pickle.Pickler):
    """Blobs in a file become the file's number in the message, and what of it is theirs."""

    def __init__(self, content: IO[bytes]) -> None:
        super().__init__(content, protocol=pickle.HIGHEST_PROTOCOL)
        self.files: list[int] = []

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Blobs) or value.file is None:
            return None
        value.flush()
        self.files.append(value.file.fileno())
        return len(self.files) - 1, *value.extents


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: IO[bytes], files: list[int]) -> None:
        super().__init__(content)
        self._files = files

    def persistent_load(self, pid: Any) -> Blobs:
        number, starts, sizes = pid
        return Blobs.of_file(os.fdopen(self._files[number], "rb"), starts, sizes)


def send(channel: socket.socket, message: Any) -> None:
    """A message by pickle, with the files of the Blobs in it."""
    content = io.BytesIO()
    pickler = _Pickler(content)
    pickler.dump(message)
    socket.send_fds(channel, [HEAD.pack(content.tell())], pickler.files)
    channel.sendall(content.getbuffer())


def received(channel: socket.socket) -> Any:
    """The next message; None where the other end is gone."""
    head, files, _, _ = socket.recv_fds(channel, HEAD.size, MOST_FILES)
    if len(head) < HEAD.size:
        return None
    [left] = HEAD.unpack(head)
    content = bytearray()
    while left and (part := channel.recv(min(left, 1 << 20))):
        content += part
        left -= len(part)
    return None if left else _Unpickler(io.BytesIO(content), files).load()
