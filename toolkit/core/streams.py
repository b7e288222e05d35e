"""Standard streams that cost no work: what cannot be written is dropped, what cannot be encoded is replaced.

A reader that leaves (`| head -1`), a full disk, a closed descriptor or a terminal that went away ends no training and
no comparison; the failure is kept for the end.
"""

import io
import os
import select
import sys
from typing import Any, Literal

DESCRIPTORS: dict[Literal["stdin", "stdout", "stderr"], int] = {"stdin": 0, "stdout": 1, "stderr": 2}


class TolerantWriter(io.BufferedWriter):
    """A stream whose first failed write is kept in `failure`; from then on it leads to the null device.

    Over a plain FileIO: were that one's write in Python, a signal between writing and returning would write twice.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """How many bytes were written, buffered or dropped. Never raises OSError."""
        rest = memoryview(data)
        while True:
            try:
                super().write(rest)
            except BlockingIOError as error:  # a pipe that another program made non-blocking
                rest = rest[error.characters_written :]
                select.select([], [self], [])
            except OSError as error:
                self._drop(error)
                break
            except RuntimeError as error:
                _require_reentrant(error)
                self._write_past_buffer(rest)
                break
            else:
                break
        return len(data)

    def flush(self) -> None:
        while True:
            try:
                super().flush()
            except BlockingIOError:
                select.select([], [self], [])
            except OSError as error:
                self._drop(error)
            except RuntimeError as error:
                _require_reentrant(error)
                return  # whoever was interrupted goes on flushing
            else:
                return

    def _write_past_buffer(self, data: memoryview) -> None:
        try:
            while data:
                data = data[os.write(self.fileno(), data) :]
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        self.failure = self.failure or error
        _lead_to_null(self.fileno())


def _require_reentrant(error: RuntimeError) -> None:
    """A signal's handler may write to a stream that is being written, which Python's buffer refuses."""
    if not str(error).startswith("reentrant call"):
        raise error


def prepare_streams() -> TolerantWriter:
    """Replaces the process's own stdout and stderr by tolerant ones, and opens closed descriptors on the null device.

    Else the next file that is opened would get a closed stream's number, and its content what a library prints.
    Returns stdout's writer. Streams that a caller has put in their place stay.
    """
    for name, number in DESCRIPTORS.items():
        if not is_open(number):
            _lead_to_null(number)
            if getattr(sys, name) is None:
                mode = "r" if name == "stdin" else "w"
                setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
                setattr(sys, f"__{name}__", getattr(sys, name))
    _replace("stderr")
    return _replace("stdout")


def renew_streams() -> None:
    """Opens sys.stdin, stdout and stderr again, as Python does at its start: their descriptors lead elsewhere now."""
    for name, number in DESCRIPTORS.items():
        before = getattr(sys, f"__{name}__")
        file = io.FileIO(number, "rb" if name == "stdin" else "wb", closefd=False)
        stream = io.TextIOWrapper(
            io.BufferedReader(file) if name == "stdin" else io.BufferedWriter(file),
            encoding=before.encoding, errors=before.errors, write_through=before.write_through,
            line_buffering=name == "stderr" or file.isatty(),
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def output_failure(writer: TolerantWriter) -> OSError | None:
    """Why the answer on stdout is incomplete; None if it is not, or if its reader left, who has read enough."""
    sys.stdout.flush()
    return None if isinstance(writer.failure, BrokenPipeError) else writer.failure


def _replace(name: Literal["stdout", "stderr"]) -> TolerantWriter:
    stream, number = getattr(sys, name), DESCRIPTORS[name]
    writer = TolerantWriter(io.FileIO(number, "wb", closefd=False))
    if stream is getattr(sys, f"__{name}__") and stream.fileno() == number:
        stream.flush()
        replaced = io.TextIOWrapper(
            writer, encoding=stream.encoding, write_through=stream.write_through,
            errors="replace" if name == "stdout" else stream.errors, line_buffering=stream.line_buffering,
        )  # fmt: skip
        setattr(sys, name, replaced)
    return writer


def is_open(number: int) -> bool:
    """Whether the descriptor leads anywhere."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _lead_to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null == number:
        os.set_inheritable(null, True)  # as the standard streams are
        return
    os.dup2(null, number)
    os.close(null)
