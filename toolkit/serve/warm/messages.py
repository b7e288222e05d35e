"""Where a warm process listens, and what is said over its socket: JSON with file descriptors. Standard library only."""

import json
import os
import socket
import stat
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = "finetune-and-prove"
LENGTH = struct.Struct("!I")
MOST_BYTES = 1 << 24  # an environment and a command line have at most some megabytes
MOST_DESCRIPTORS = 8
PEER = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7), SO_PEERCRED)
ANSWER_S = 10.0  # within which the other side sends a message that it has begun

Message = dict[str, Any]


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """The user's own folder of sockets; it may not exist yet."""
    own = environ.get("XDG_RUNTIME_DIR")
    return Path(own, FOLDER) if own else Path(environ.get("TMPDIR") or "/tmp", f"{FOLDER}-{os.getuid()}")  # noqa: S108


def socket_path(environ: Mapping[str, str]) -> Path:
    """One a card: a process sees the first card of its list, and without a list card 0."""
    card = environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    named = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in card) or "none"
    return runtime_folder(environ) / f"warm-{named[:40]}.sock"


def is_private(folder: Path) -> bool:
    """Whether it is a folder of this user, no link, that nobody else may read, write or enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def connected(path: Path) -> socket.socket | None:
    """A connection to the warm process of this user; None if there is none, or if another user listens there."""
    if not is_private(path.parent):
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
        if peer_uid(connection) == os.getuid():
            return connection
    except OSError:
        pass
    connection.close()
    return None


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end, as the kernel knows it."""
    _, uid, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return int(uid)


def send(connection: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Raises OSError."""
    text = json.dumps(message).encode("utf-8", "surrogatepass")
    socket.send_fds(connection, [LENGTH.pack(len(text))], descriptors)
    connection.sendall(text)


def receive(connection: socket.socket) -> tuple[Message, list[int]]:
    """A message and its descriptors, which are the receiver's. Raises EOFError at the end, OSError, and ValueError."""
    descriptors: list[int] = []
    head = b""
    while len(head) < LENGTH.size:
        part, more, _, _ = socket.recv_fds(
            connection, LENGTH.size - len(head), MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        descriptors += more
        if not part:
            raise EOFError
        head += part
    (length,) = LENGTH.unpack(head)
    if length > MOST_BYTES:
        raise ValueError(length)
    found: Message = json.loads(_exactly(connection, length).decode("utf-8", "surrogatepass"))
    return found, descriptors


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
