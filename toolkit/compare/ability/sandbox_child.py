"""The child process in which a model's code runs: it limits itself, then gives up every system call but a few.

`toolkit.compare.ability.sandbox` starts it as a program. It reads one JSON object, `{"code", "function", "calls"}`, and
writes one: `{"values": […]}`, or `{"failed": why}`. It imports nothing of the toolkit. Linux on x86-64 and arm64 only;
anywhere else it ends before it runs anything.
"""

import ctypes
import json
import os
import platform
import resource
import struct
import sys

MEMORY_BYTES = 512 * 2**20
CPU_SECONDS = 3
OUTPUT_BYTES = 65_536
DEPTH = 2000
# What the code may import: loaded now, because no file can be opened later.
MODULES = (
    "abc array bisect calendar cmath collections collections.abc copy dataclasses datetime decimal enum fractions "
    "functools heapq itertools math numbers operator random re statistics string textwrap time types typing "
    "unicodedata encodings.ascii encodings.latin_1 encodings.utf_8 encodings.idna _strptime"
)
# By architecture: the number in AUDIT_ARCH (linux/audit.h), and the system calls that stay (asm/unistd.h): reading
# and writing what is open, memory, signals within the process, clocks, random numbers, and the end.
CALLS = {
    "x86_64": (0xC000003E, {
        "read": 0, "write": 1, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13,
        "rt_sigprocmask": 14, "rt_sigreturn": 15, "mremap": 25, "madvise": 28, "getpid": 39, "exit": 60,
        "gettid": 186, "futex": 202, "clock_gettime": 228, "exit_group": 231, "getrandom": 318,
    }),
    "aarch64": (0xC00000B7, {
        "lseek": 62, "read": 63, "write": 64, "exit": 93, "exit_group": 94, "futex": 98, "clock_gettime": 113,
        "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "getpid": 172, "gettid": 178, "brk": 214,
        "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278,
    }),
}  # fmt: skip
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_DUMPABLE = 38, 22, 2, 4
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # classic BPF: BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # SECCOMP_RET_ALLOW, _ERRNO with EPERM, _KILL_PROCESS


def main() -> None:
    question = json.loads(sys.stdin.buffer.read())
    for name in MODULES.split():
        __import__(name)
    confine()
    os.write(1, json.dumps(answered(question)).encode()[:OUTPUT_BYTES])
    os._exit(0)  # without the finalisers of whatever the code left behind


def answered(question: dict[str, object]) -> dict[str, object]:
    """What each call gives; the code prints into nothing."""
    sys.stdout = sys.stderr = Nowhere()
    sys.setrecursionlimit(DEPTH)
    names: dict[str, object] = {"__name__": "answer"}
    try:
        exec(compile(str(question["code"]), "answer", "exec"), names)  # noqa: S102  # what this process is for
        function = names[str(question["function"])]
        values = [function(*call) for call in question["calls"]]  # type: ignore[operator,attr-defined]
        json.dumps(values)
    except BaseException as error:  # noqa: BLE001  # whatever the code raises is an answer, SystemExit too
        return {"failed": type(error).__name__}
    return {"values": values}


class Nowhere:
    """A text stream that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def confine() -> None:
    """Limits, then the filter of system calls. Raises OSError where this system has no such filter."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 3), (resource.RLIMIT_MEMLOCK, 0),
    ):  # fmt: skip
        resource.setrlimit(limit, (value, value))
    if platform.machine() not in CALLS or sys.platform != "linux":
        raise OSError("no filter of system calls for this system")
    program = filter_program(*CALLS[platform.machine()])
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions of 8 bytes, and where they are
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, argument, pointer in (
        (PR_SET_DUMPABLE, 0, None), (PR_SET_NO_NEW_PRIVS, 1, None), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described),
    ):  # fmt: skip
        if libc.prctl(option, ctypes.c_ulong(argument), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def filter_program(architecture: int, calls: dict[str, int]) -> bytes:
    """The filter: another architecture's call ends the process, one of `calls` passes, every other gives EPERM."""
    numbers = sorted(calls.values())
    lines = [(LOAD, 0, 0, 4), (JUMP_IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    lines += [(JUMP_IF_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    lines += [(RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


if __name__ == "__main__":
    main()
